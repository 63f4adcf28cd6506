"""The whole measurement on a small run: files, equal scores where nothing changes, sides, pairs."""

import csv
import json

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.config.files import load_config
from flexunet.data.phantom.dataset import write_phantom_dataset
from flexunet.evaluation.robustness.corruptions import CORRUPTIONS
from flexunet.evaluation.robustness.document import FallOff
from flexunet.evaluation.robustness.page import answers_of
from flexunet.evaluation.robustness.run import measure_robustness
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
batch_size = 4
run_dir = "run"
precision = "float32"
[valid]
images_dir = "dataset/valid/images"
masks_dir = "dataset/valid/masks"
[test]
images_dir = "dataset/test/images"
masks_dir = "dataset/test/masks"
[evaluate]
bootstrap_samples = 100
"""
ROWS = [row for row in CORRUPTIONS if row.name in ("blur", "rotation")]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """A run whose model was never trained, on phantoms of both views and sides."""
    folder = tmp_path_factory.mktemp("robust")
    shares = {"train": 0.25, "valid": 0.25, "test": 0.5}
    write_phantom_dataset(folder / "dataset", patients=4, splits=shares, width=48, height=40)
    (folder / "config.toml").write_text(SETTINGS)
    config = load_config(folder / "config.toml")
    model = build_model(config)
    model.weights[-1].assign(np.array([0.0, 0.3], np.float32))
    RunFolder.of(config).best_model.parent.mkdir(parents=True)
    model.save(RunFolder.of(config).best_model)
    return config


@pytest.fixture(scope="module")
def measured(config, tmp_path_factory):
    return measure_robustness([config], out=tmp_path_factory.mktemp("measured"), corruptions=ROWS)


def test_differences_are_those_of_the_scores(measured):
    document = measured.document
    for curve in document.curves:
        assert [point.strength for point in curve.points] == sorted(p.strength for p in curve.points)
        for point in curve.points:
            for key, before in document.scores.items():
                expected = point.scores[key].value - before.value
                assert point.differences[key].value == pytest.approx(expected, abs=1e-12)


def test_three_files_say_the_same(measured):
    folder = measured.folder
    document = json.loads((folder / "robustness.json").read_text())
    assert document["schema"] == "flexunet.robustness/1"
    with (folder / "robustness.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 3 * (2 + 3 * len(ROWS))
    by_key = {(row["corruption"], row["strength"], row["score"]): row for row in rows}
    row = by_key["blur", "0.8", "dice_per_image_mean"]
    assert float(row["value"]) == document["curves"][0]["points"][2]["scores"]["dice_per_image_mean"]["value"]
    page = (folder / "robustness.html").read_text()
    assert page.count('<svg class="chart"') >= len(ROWS)
    assert "<script" not in page


def test_of_few_patients_nothing_is_said_to_be_proved(measured):
    document = measured.document
    assert document.patients < 10
    *told, enough = answers_of(document)
    assert (enough.words, enough.good) == ("No", False)
    assert all(one.good is None for one in told)
    of_more = [*answers_of(document.model_copy(update={"patients": 10}))]
    assert "Enough patients?" not in [one.question for one in of_more]


def test_a_change_that_costs_one_score_is_not_among_those_that_show_no_loss(measured):
    blur, rotation = (
        curve.model_copy(
            update={
                "falls_off": {
                    "dice_per_image_mean": FallOff(answer="none shown", strength=None, loss_at_most=0.034),
                    "sensitivity": FallOff(answer=answer, strength=strength, loss_at_most=0.004),
                }
            }
        )
        for curve, answer, strength in zip(
            measured.document.curves, ("loss", "none shown"), (0.4, None), strict=True
        )
    )
    document = measured.document.model_copy(update={"patients": 40, "curves": [blur, rotation]})
    lost, kept = answers_of(document)
    assert (lost.words, lost.good) == ("1 of 2", False)
    assert lost.sentence == "Dice or sensitivity is lower with blur."
    assert kept.words == "1 of 2"
    assert kept.sentence == (
        "With rotation. By the intervals, the loss at the greatest strength is at most 0.03 in Dice and "
        "below 0.01 in sensitivity."
    )


def test_labels_of_the_charts_do_not_lie_on_each_other(measured, charts):
    page = (measured.folder / "robustness.html").read_text()
    drawn = [part.split("</svg>")[0] for part in page.split("<svg ")[1:]]
    assert drawn
    assert [charts.collisions(svg) for svg in drawn if charts.collisions(svg)] == []


def test_pairs_of_the_manifest_are_compared_and_others_are_not_known(measured):
    views, modalities = measured.document.retest
    assert views.pairs >= 3
    assert views.prediction.present_in_both + views.prediction.present_in_one <= views.pairs
    assert modalities.prediction is None
    assert modalities.answer.startswith("not known: ")


def write_sided(config, mirrored):
    """Rewrite the manifest with a column `mirrored`."""
    path = config.source.parent / "dataset" / "manifest.csv"
    with path.open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    for index, row in enumerate(rows):
        row["mirrored"] = mirrored(index)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def test_sides_are_said_to_matter_or_not_by_what_derive_recorded(config, tmp_path, measured):
    assert measured.document.sides.normalised is None
    write_sided(config, lambda index: str(index % 2))
    folder = config.source.parent / "dataset" / "test" / "images"
    for path in folder.glob("*.png"):
        # A breast at the left border on black air, as `derive --orient left` leaves it.
        picture = np.zeros((40, 48), np.uint8)
        cv2.ellipse(picture, (0, 20), (30, 17), 0, 0, 360, 150, -1)
        cv2.imwrite(str(path), picture)
    sides = measure_robustness([config], out=tmp_path, corruptions=[]).document.sides
    assert sides.normalised
    assert sides.restored == sides.images > 0
    assert sides.answer.startswith("an exchange does not matter")


def test_the_command_writes_beside_the_evaluation_and_has_its_scores(config):
    arguments = ["evaluate", str(config.source), "--no-look", "--robustness"]
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "160"})
    assert result.exit_code == 0, result.output
    assert "no loss shown" in result.output or "lower from" in result.output
    folder = config.run_dir / "evaluation"
    scores = json.loads((folder / "scores.json").read_text())
    told = json.loads((folder / "robustness.json").read_text())
    assert [curve["name"] for curve in told["curves"]] == [row.name for row in CORRUPTIONS]
    assert told["scores"]["dice_per_image_mean"] == scores["foreground"]["dice_per_image_mean"]
    for key in ("sensitivity", "false_positives_per_image"):
        assert told["scores"][key] == scores["lesions"][key]
