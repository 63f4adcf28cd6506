"""Every room gives one answer to the question whose image it is: same source, same patient, same doubt."""

import numpy as np
import pytest

from flexunet.config.schema import Config
from flexunet.data.audit.files import take_inventory
from flexunet.data.augment.run import augment
from flexunet.data.dataset.manifest import Manifest
from flexunet.data.dataset.pairs import find_pairs
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.write import write_mask
from flexunet.data.split.split_images import collect_items, group_items
from flexunet.data.statistics.count import measure_dataset
from flexunet.evaluation.folders import score_folders
from flexunet.evaluation.origins import origin_of
from flexunet.inference.cases import CaseReader

CDD = "P34_R_DM_MLO"
# Name of the image; its row of the manifest, None without one; source, patient, whether the patient is known.
DATASETS = {
    "nothing at all": [
        ("img001", None, ("img001", "img001", False)),
        ("hflipped_img001", None, ("img001", "img001", False)),
    ],
    "known file names": [
        (CDD, None, (CDD, "P34", True)),
        ("mirrored_P34_L_CM_CC", None, ("P34_L_CM_CC", "P34", True)),
        ("A_0092_1.RIGHT_MLO", None, ("A_0092_1.RIGHT_MLO", "A_0092", True)),
        ("img001", None, ("img001", "img001", False)),
    ],
    "a foreign manifest": [
        ("img001", {"source": CDD}, (CDD, "P34", True)),
        ("img002", {"source": "s2", "patient": "ann"}, ("s2", "ann", True)),
        ("img003", {"source": "s3", "patient": "anonymous"}, ("s3", "s3", False)),
        ("img004", {"patient": "ann"}, ("img004", "ann", True)),
        ("img005", None, ("img005", "img005", False)),
    ],
    "a manifest of ours, as earlier versions wrote it": [
        ("7", {"source": "7", "patient": "7", "raw_file": "7.jpg"}, ("7", "7", False)),
        ("hflipped_7", {"source": "7", "patient": "7", "operation": "hflip"}, ("7", "7", False)),
        ("P001_L_CC", {"source": "P001_L_CC", "patient": "P001"}, ("P001_L_CC", "P001", True)),
    ],
}


@pytest.fixture(params=DATASETS, ids=lambda name: name.replace(" ", "-"))
def dataset(request, tmp_path):
    rows = Manifest()
    root, rng = tmp_path / "dataset", np.random.default_rng(0)
    for name, row, _ in DATASETS[request.param]:
        write_image(root / "train" / "images" / f"{name}.png", rng.integers(0, 255, (16, 16), np.uint8))
        write_mask(root / "train" / "masks" / f"{name}.png", np.eye(16, dtype=np.uint8), ColorMap.binary())
        if row is not None:
            rows.append({"file": f"train/images/{name}.png", "mask": f"train/masks/{name}.png", **row})
    if rows.rows:
        rows.write(root)
    return root, {name: answer for name, _, answer in DATASETS[request.param]}


def answer_of(identity):
    return identity.source, identity.patient, identity.patient_known


def test_all_rooms_agree(dataset, tmp_path):
    root, expected = dataset
    images, masks = root / "train" / "images", root / "train" / "masks"
    pairs = find_pairs(images, masks)
    assert {pair.image_path.stem: answer_of(pair.identity) for pair in pairs} == expected

    items = collect_items(root)
    assert {item.name: answer_of(item.identity) for item in items} == expected

    facts = measure_dataset(root).images
    assert {each.entry.stem: answer_of(each.entry.identity) for each in facts} == expected

    entries = take_inventory(root).entries
    assert {entry.stem: answer_of(entry.identity) for entry in entries} == expected

    paths = [pair.image_path for pair in pairs]
    reader = CaseReader(Config(), {path: path.name for path in paths})
    assert {path.stem: answer_of(reader.identity_of(path)) for path in paths} == expected

    scores = score_folders(masks, masks)
    for origins in (scores.tables.origins, [origin_of(pair.image_path, pair.identity) for pair in pairs]):
        assert {each.name: (each.source, each.patient) for each in origins} == {
            name: (source, patient) for name, (source, patient, _) in expected.items()
        }
    # The bootstrap draws the groups that a split by patient keeps together.
    assert scores.scores.patients == len({patient for _, patient, _ in expected.values()})
    assert scores.scores.patients == len(set(group_items(items, "patient").tolist()))
    assert scores.scores.patients_known == all(known for *_, known in expected.values())

    rows = augment(root, tmp_path / "out", Config()).rows
    written = {(row["source"], row["patient"]) for row in rows}
    assert len(rows) > len(expected)
    assert written == {(source, patient if known else "") for source, patient, known in expected.values()}
