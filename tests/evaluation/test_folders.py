"""Scoring folders of masks: the published predictions, pairing, sizes, colours, outputs."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from flexunet.data.dataset.identity import Identities
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.reader import MaskReader
from flexunet.data.images.masks.write import write_mask
from flexunet.data.images.spacing import parse_spacing
from flexunet.errors import DatasetError, MaskError, PairingError, PathError
from flexunet.evaluation.folders import score_folders
from flexunet.evaluation.origins import origin_of
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.tables.document import Scores

COLORS = ColorMap({(0, 0, 0): 0, (255, 0, 0): 1, (0, 255, 0): 2})


@pytest.mark.parametrize(
    ("name", "counted", "dice", "published", "empty"),
    [
        ("flexunet_inbreast", 24, 0.929, 0.9988, 0.9867),
        ("flexunet_mammogram_mastery", 22, 0.881, 0.9990, 0.9919),
    ],
)
def test_the_published_predictions(mammograms, name, counted, dice, published, empty):
    folder = mammograms / name
    scores = score_folders(folder / "masks", folder / "reference_predictions").scores
    assert scores.images == 24
    assert scores.foreground.dice_per_image_mean.value == pytest.approx(dice, abs=5e-4)
    assert scores.foreground.dice_per_image_mean.images == counted
    metric = scores.published.figures[0]
    assert metric.name == "dice_coef_multiclass"
    assert metric.value == pytest.approx(published, abs=5e-5)
    assert metric.empty_prediction == pytest.approx(empty, abs=5e-5)
    assert scores.verdict[0].answer == "yes"


@pytest.fixture
def folders(tmp_path):
    """Two folders of three-class masks, the second a little wrong, and a manifest."""
    rng = np.random.default_rng(3)
    rows = []
    for index in range(6):
        truth = np.zeros((40, 30), np.uint8)
        truth[5:15, 5 : 10 + index] = 1
        truth[25:35, 10:20] = 2 * (index % 2)
        prediction = np.roll(truth, rng.integers(-1, 2, 2), (0, 1))
        write_mask(tmp_path / "test" / "masks" / f"case_{index}.png", truth, COLORS)
        write_mask(tmp_path / "predicted" / f"case_{index}.png", prediction, COLORS)
        file = f"test/images/case_{index}.png"
        mask = f"test/masks/case_{index}.png"
        rows.append([file, mask, "test", f"source {index}", f"patient {index // 2}", "AB"[index % 2], "0.1"])
    columns = ["file", "mask", "split", "source", "patient", "density", "pixel_spacing_mm"]
    with (tmp_path / "manifest.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([columns, *rows])
    return tmp_path / "test" / "masks", tmp_path / "predicted"


def test_the_manifest_gives_patients_spacing_and_subgroups(folders):
    scores = score_folders(*folders, masks=MaskReader(COLORS)).scores
    assert (scores.patients, scores.patients_known) == (3, True)
    assert scores.foreground.hausdorff_95_mm_mean.value == pytest.approx(
        0.1 * scores.foreground.hausdorff_95_px_mean.value
    )
    assert [column.column for column in scores.subgroups][:1] == ["density"]
    assert [one.index for one in scores.classes] == [1, 2]
    assert [one.name for one in scores.classes] == ["class 1", "class 2"]
    assert scores.classes[1].color == (0, 255, 0)
    assert np.sum(scores.confusion) == 6 * 40 * 30


def test_scores_bear_the_names_of_the_classes(folders, tmp_path):
    colors = ColorMap(COLORS.colors_to_class, names=["gland", "pectoral <muscle>"])
    scores = score_folders(*folders, masks=MaskReader(colors), out=tmp_path / "out").scores
    assert [one.name for one in scores.classes] == ["gland", "pectoral <muscle>"]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count("pectoral &lt;muscle&gt;") >= 2  # the row of the class, and the matrix of confusion
    assert "pectoral <muscle>" not in page


def test_everything_is_written_and_compared_with_what_was_there(folders, tmp_path):
    out = tmp_path / "out"
    first = score_folders(*folders, masks=MaskReader(COLORS), out=out)
    assert sorted(path.name for path in out.iterdir()) == [
        "per_image.csv", "per_lesion.csv", "report.html", "scores.json"
    ]  # fmt: skip
    assert first.scores.comparison is None
    document = json.loads((out / "scores.json").read_text())
    assert document["schema"] == "flexunet.scores/1"
    assert Scores.model_validate(document) == first.scores
    for path in folders[1].iterdir():
        write_mask(path, np.zeros((40, 30), np.uint8), COLORS)
    second = score_folders(*folders, masks=MaskReader(COLORS), out=out).scores
    assert second.comparison is not None
    assert second.verdict[1].question == "Better than the last run?"
    assert second.comparison.scores[0].difference.value == pytest.approx(
        -first.scores.foreground.dice_per_image_mean.value
    )
    assert second.verdict[0].answer != "yes"


def test_an_old_evaluation_of_other_images_is_no_obstacle(folders, tmp_path):
    out = tmp_path / "out"
    score_folders(*folders, masks=MaskReader(COLORS), out=out)
    for folder in folders:
        for path in folder.iterdir():
            path.rename(path.with_name(f"other_{path.name}"))
    found = score_folders(*folders, masks=MaskReader(COLORS), out=out)
    assert found.scores.comparison is None
    assert "no image in common" in found.notes[0]
    shutil.copytree(out, tmp_path / "old")
    (tmp_path / "old" / "per_image.csv").write_text("image\n")
    with pytest.raises(DatasetError, match="no rows"):
        score_folders(*folders, masks=MaskReader(COLORS), against=tmp_path / "old")


def test_other_images_of_the_same_names_and_areas_are_kept_too(folders, tmp_path):
    out = tmp_path / "out"
    score_folders(*folders, masks=MaskReader(COLORS), out=out)
    before = (out / "scores.json").read_bytes()
    for path in folders[0].iterdir():
        Image.open(path).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path)
    notes = score_folders(*folders, masks=MaskReader(COLORS), out=out).notes
    assert any("6 other images that was here is kept" in note for note in notes)
    assert (out / "other_images_1" / "scores.json").read_bytes() == before


def test_a_missing_prediction_is_not_an_empty_one(folders):
    (folders[1] / "case_2.png").unlink()
    with pytest.raises(PairingError, match=r"case_2\.png has no prediction"):
        score_folders(*folders, masks=MaskReader(COLORS))


def test_predictions_whose_names_end_otherwise_are_told(folders):
    """nnU-Net gives images, and so their predictions, the number of a channel."""
    for path in list(folders[1].iterdir()):
        path.rename(path.with_name(f"{path.stem}_0000.png"))
    with pytest.raises(PairingError, match=r"have no partner.* predictions end in _0000, .* rename"):
        score_folders(*folders, masks=MaskReader(COLORS))


def test_masks_of_another_size_are_refused_by_name(folders):
    write_mask(folders[1] / "case_2.png", np.zeros((20, 30), np.uint8), COLORS)
    with pytest.raises(MaskError, match=r"case_2\.png has 30 x 20 pixels.*30 x 40"):
        score_folders(*folders, masks=MaskReader(COLORS))


def test_a_missing_folder_is_named(folders, tmp_path):
    with pytest.raises(PathError, match="nowhere"):
        score_folders(folders[0], tmp_path / "nowhere")


def test_the_empty_mask_rule_is_switchable(folders):
    for folder in folders:
        write_mask(folder / "healthy.png", np.zeros((40, 30), np.uint8), COLORS)
    means = {}
    for rule in ("exclude", "one", "zero"):
        found = score_folders(*folders, masks=MaskReader(COLORS), rules=ScoringRules(empty_masks=rule)).scores
        assert found.foreground.empty_images == 1
        means[rule] = found.foreground.dice_per_image_mean.value
    assert means["one"] == pytest.approx((6 * means["exclude"] + 1) / 7)
    assert means["zero"] == pytest.approx(6 * means["exclude"] / 7)


def test_one_thread_and_many_give_the_same(folders):
    one, many = (score_folders(*folders, masks=MaskReader(COLORS), jobs=jobs).scores for jobs in (1, 3))
    assert one.model_copy(update={"created": ""}) == many.model_copy(update={"created": ""})


@pytest.mark.parametrize(
    ("text", "spacing"),
    [("0.07", (0.07, 0.07)), ("0.07,0.08", (0.07, 0.08)), ("[0.1\\0.2]", (0.1, 0.2)), ("1x2", (1, 2))],
)
def test_spacing_from_text(text, spacing):
    assert parse_spacing(text, "here") == spacing


@pytest.mark.parametrize("text", ["", "wide", "0", "-1", "1,2,3"])
def test_senseless_spacing_is_refused(text):
    with pytest.raises(DatasetError, match="here: pixel spacing"):
        parse_spacing(text, "here")


def test_without_a_manifest_sources_stand_for_patients(tmp_path):
    path = tmp_path / "barrdistorted_1003_0.3_0.3_42.png"
    identity = Identities().of(path)
    origin = origin_of(path, identity)
    assert (origin.source, origin.patient, identity.spacing) == ("42", "42", None)
    assert origin.attributes == {"operation": "barrdistortion"}
    with pytest.raises(DatasetError, match="no manifest at"):
        Identities.of_manifest(tmp_path)


def test_lesions_that_touch_are_counted_apart_where_a_file_tells_them_apart(tmp_path):
    truth = np.zeros((40, 40), np.uint8)
    truth[5:15, 5:15] = truth[5:15, 15:25] = 1
    prediction = np.zeros_like(truth)
    prediction[5:15, 5:15] = 1
    numbers = truth.copy()
    numbers[5:15, 15:25] = 2
    for folder, picture in (("test/masks", truth), ("predicted", prediction)):
        (tmp_path / folder).mkdir(parents=True)
        write_mask(tmp_path / folder / "a.png", picture, ColorMap.binary())
    counts = score_folders(tmp_path / "test/masks", tmp_path / "predicted").tables.lesion_counts()
    assert (counts.lesions[0], counts.found[0]) == (1, 1)
    (tmp_path / "test" / "instances").mkdir()
    write_image(tmp_path / "test" / "instances" / "a.png", numbers)
    tables = score_folders(tmp_path / "test/masks", tmp_path / "predicted").tables
    counts = tables.lesion_counts()
    assert (counts.lesions[0], counts.found[0]) == (2, 1)
    assert tables.lesions.area.tolist() == [100, 100]
    assert sorted(tables.lesions.dice.tolist()) == [0.0, 1.0]
    assert sorted(tables.lesions.column.tolist()) == [9.5, 19.5]


def test_pictures_are_found_where_masks_have_an_ending_of_their_own(folders, tmp_path):
    out, images = tmp_path / "scored", tmp_path / "pictures"
    for index in range(5):  # none of case_5
        write_image(images / f"case_{index}.png", np.full((40, 30, 1), 200, np.uint8))
    for folder in folders:
        for path in list(folder.iterdir()):
            path.rename(path.with_name(f"{path.stem}_mask.png"))
    evaluation = score_folders(*folders, masks=MaskReader(COLORS), images=images, out=out)
    assert evaluation.notes == [f"{images} has no picture of 1 of the 6 masks"]
    assert "1 image below is drawn on grey" in (out / "report.html").read_text(encoding="utf-8")
