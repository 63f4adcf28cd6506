"""`flexunet drift` on a small run: like images, other images, damaged ones, DICOM; the reference is kept."""

import json
import re
import shutil
from collections import Counter

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.config.files import load_config
from flexunet.data.configured import split_pairs
from flexunet.data.phantom.dataset import write_phantom_dataset
from flexunet.errors import PathError
from flexunet.evaluation.drift.reference import read_reference
from flexunet.evaluation.drift.run import measure_drift
from flexunet.models.registry import build_model
from flexunet.run_folder import RunFolder

SETTINGS = """
[model]
image_width = 32
image_height = 32
image_channels = 1
base_filters = 4
num_layers = 3
[train]
images_dir = "dataset/train/images"
masks_dir = "dataset/train/masks"
run_dir = "run"
precision = "float32"
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """A run whose model was never trained, and phantoms of 14 patients, some of them kept back."""
    folder = tmp_path_factory.mktemp("drift")
    write_phantom_dataset(
        folder / "dataset", patients=24, splits={"train": 0.5, "test": 0.5}, width=48, height=40
    )
    (folder / "config.toml").write_text(SETTINGS)
    config = load_config(folder / "config.toml")
    model = build_model(config)
    model.weights[-1].assign(np.array([0.0, 0.3], np.float32))
    RunFolder.of(config).best_model.parent.mkdir(parents=True)
    model.save(RunFolder.of(config).best_model)
    return config


def drift(config, *arguments):
    return CliRunner().invoke(app, ["drift", str(config.source), *map(str, arguments)])


@pytest.fixture(scope="module")
def kept_back(config):
    return config.source.parent / "dataset" / "test"


def test_without_images_the_training_is_measured_and_kept(config):
    first, second = drift(config), drift(config)
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "images of the train split, which the model has learnt" in first.output
    assert "measured already" in second.output
    reference = read_reference(config)
    assert len(reference.measured) == len(split_pairs(config, "train"))
    assert {"confidence", "longer_side", "view", "side"} <= reference.measured[0].values.keys()


def test_like_images_show_no_drift(config, kept_back, tmp_path):
    result = drift(config, kept_back / "images", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "no drift shown" in result.output
    told = json.loads((tmp_path / "drift.json").read_text())
    assert told["schema"] == "flexunet.drift/1"
    assert not told["drift"]
    page = (tmp_path / "drift.html").read_text()
    views = Counter(one.values["view"] for one in read_reference(config).measured)
    word, count = views.most_common(1)[0]
    assert f"{word} {count / views.total():.0%} → " in page
    assert told["patients_known"]


def test_brighter_images_have_drifted_and_the_page_says_so(config, kept_back, tmp_path, charts):
    (tmp_path / "brighter").mkdir()
    for path in (kept_back / "images").iterdir():
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        brighter = np.clip(grey * 0.4 + 120, 0, 255).astype(np.uint8)
        cv2.imwrite(str(tmp_path / "brighter" / path.name), brighter)
    result = drift(config, tmp_path / "brighter", "--out", tmp_path)
    assert result.exit_code == 1, result.output
    told = json.loads((tmp_path / "drift.json").read_text())
    drifted = {one["name"] for one in told["measures"] if one["answer"] == "drift"}
    assert "grey_level_of_the_darkest_parts" in drifted
    assert "longer_side" not in drifted
    page = (tmp_path / "drift.html").read_text()
    assert "<script" not in page
    drawn = [part.split("</svg>")[0] for part in page.split("<svg ")[1:]]
    assert len(drawn) >= 12
    assert told["answer"].startswith(f"drift in {len(drifted)} of ")
    [(before, now)] = [
        one["medians"] for one in told["measures"] if one["name"] == "grey_level_of_the_darkest_parts"
    ]
    assert before < now
    assert f"drift: median {before:.4g} → {now:.4g}</p>" in page
    assert [charts.collisions(svg) for svg in drawn if charts.collisions(svg)] == []


def test_few_images_say_nothing_and_a_damaged_one_is_told(config, kept_back, tmp_path):
    chosen = sorted((kept_back / "images").iterdir())[:3]
    for path in chosen:
        shutil.copy(path, tmp_path)
    few = drift(config, tmp_path)
    assert few.exit_code == 0
    assert "too few images to say" in few.output
    (tmp_path / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    damaged = drift(config, tmp_path)
    assert damaged.exit_code == 2
    assert "damaged.png" in damaged.output
    for path in chosen:
        (tmp_path / path.name).unlink()
    with pytest.raises(PathError, match="none of 1 image can be used"):
        measure_drift(config, [tmp_path])


def test_headers_of_dicom_tell_machine_and_person(config, tmp_path, write_dicom):
    pixels = np.zeros((40, 48), np.uint16)
    pixels[5:35, :30] = 2000
    for number in range(3):
        write_dicom(
            tmp_path / f"{number}.dcm",
            pixels,
            BitsStored=12,
            PatientID=f"P{number // 2}",
            Manufacturer="Maker",
            ManufacturerModelName="Device 9",
            ViewPosition="CC",
            ImageLaterality="L",
            ImagerPixelSpacing=[0.07, 0.07],
        )
    result = measure_drift(config, [tmp_path])
    assert [one.unit for one in result.recent] == ["P0", "P0", "P1"]
    values = result.recent[0].values
    assert (values["manufacturer"], values["machine"]) == ("MAKER", "DEVICE 9")
    assert (values["view"], values["side"]) == ("CC", "L")
    assert values["pixel_spacing"] == pytest.approx(0.07)


def test_other_weights_or_a_damaged_file_make_a_new_reference(config):
    drift(config)
    path = RunFolder.of(config).drift_reference
    before = path.read_text()
    path.write_text(re.sub('"weights": "[0-9a-f]+"', '"weights": "0"', before))
    assert read_reference(config) is None
    path.write_text("[]")
    assert read_reference(config) is None
    assert drift(config).exit_code == 0
    assert json.loads(path.read_text()) == json.loads(before)
