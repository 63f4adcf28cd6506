"""`flexunet score` and `flexunet compare` through the real command line."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.write import write_mask
from flexunet.errors import ConfigError, DatasetError, PairingError, PathError


@pytest.fixture
def folders(tmp_path):
    """True masks and two sets of predictions."""
    for index in range(6):
        truth = np.zeros((40, 40), np.uint8)
        truth[10:20, 10 : 20 + index] = 1
        for name, shift in (("masks", 0), ("good", 1), ("poor", 5)):
            write_mask(tmp_path / name / f"{index}.png", np.roll(truth, shift, 1), ColorMap.binary())
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def score(folders, name, *more):
    return run("score", "--truth", folders / "masks", "--prediction", folders / name, *more)


def test_the_figures_are_printed_beside_the_empty_prediction(folders):
    found = score(folders, "good")
    assert found.exit_code == 0, found.output
    for text in (
        "dice_coef_multiclass",
        "empty prediction",
        "dice_per_image_mean",
        "95 % interval",
        "6 of 6",
    ):
        assert text in found.stdout
    assert "Better than a trivial prediction? not sure." in found.stdout


def test_json_is_one_document_and_nothing_else(folders):
    found = score(folders, "good", "--json", "--bootstrap", 50, "--min-lesion-pixels", 5)
    document = json.loads(found.stdout)
    assert document["images"] == 6
    assert document["rules"]["bootstrap_samples"] == 50
    assert document["rules"]["min_lesion_pixels"] == 5


def test_options_change_the_rules(folders):
    document = json.loads(
        score(
            folders, "poor", "--json", "--match", "centre", "--empty-masks", "one", "--spacing", "0.1"
        ).stdout
    )
    assert document["rules"]["lesion_match"] == "centre"
    assert document["rules"]["empty_masks"] == "one"
    assert document["foreground"]["hausdorff_95_mm_mean"]["value"] == pytest.approx(
        0.1 * document["foreground"]["hausdorff_95_px_mean"]["value"]
    )


def test_colours_come_from_a_configuration_or_the_option(folders):
    (folders / "config.toml").write_text(
        '[mask]\nrgb_map = {"0,0,0" = 0, "255,255,255" = 1}\n[evaluate]\nconfidence = 0.9\n'
    )
    document = json.loads(score(folders, "good", "--json", "--config", folders / "config.toml").stdout)
    assert document["rules"]["confidence"] == 0.9
    document = json.loads(score(folders, "good", "--json", "--rgb-map", "#000000=0,#ffffff=1").stdout)
    assert document["classes"][0]["color"] == [255, 255, 255]
    assert isinstance(score(folders, "good", "--rgb-map", "white").exception, ConfigError)


@pytest.fixture
def coloured(folders):
    """Masks of two classes in the colours of the published MIAS project, which its map does not have."""
    truth = ColorMap({(0, 0, 0): 0, (0, 128, 0): 1, (255, 0, 0): 2})
    written = ColorMap({(0, 0, 0): 0, (0, 255, 0): 1, (255, 0, 0): 2})
    for index in range(6):
        mask = np.zeros((40, 40), np.uint8)
        mask[10:20, 10:20] = 1 + index % 2
        write_mask(folders / "masks" / f"{index}.png", mask, truth)
        write_mask(folders / "good" / f"{index}.png", mask, written)
        blue = np.array([(0, 0, 0), (0, 0, 255), (0, 0, 255)], np.uint8)[mask]
        write_image(folders / "poor" / f"{index}.png", blue)
    return folders


def test_colours_nobody_gave_are_guessed_with_a_note(coloured):
    found = score(coloured, "good", "--json")
    document = json.loads(found.stdout)
    assert [one["color"] for one in document["classes"]] == [[0, 128, 0], [255, 0, 0]]
    assert document["foreground"]["dice_per_image_mean"]["value"] == 1
    notes = " ".join(found.stderr.split())
    assert "guessed from the masks: (0, 0, 0): 0, (0, 128, 0): 1, (255, 0, 0): 2." in notes
    assert "If they are wrong, give them with --rgb-map or --config." in notes
    assert "(0, 255, 0) for (0, 128, 0), class 1" in notes


@pytest.mark.parametrize(
    ("option", "place", "remedy"),
    [
        ((), "the map guessed from the masks", "--rgb-map '#000000=0,#008000=1,#ff0000=2,#0000ff=3'"),
        (
            ("--rgb-map", "{(0,0,0): 0, (0,255,0): 1, (255,0,0): 2}"),
            "--rgb-map",
            "Add the colour to --rgb-map",
        ),
    ],
)
def test_a_colour_off_the_map_names_the_option(coloured, option, place, remedy):
    refused = str(score(coloured, "poor", *option).exception)
    assert f"far from every colour of {place}, most often (0, 0, 255)" in refused
    assert remedy in refused
    assert "[mask]" not in refused


def test_a_wrong_colour_map_names_the_option(folders):
    refused = str(score(folders, "good", "--rgb-map", "{(0,0,0): 0, (255,255,255): 2}").exception)
    assert refused.startswith("--rgb-map: no colour for class 1")


def test_bad_input_exits_2_without_a_traceback(folders):
    (folders / "good" / "3.png").unlink()
    assert isinstance(score(folders, "good").exception, PairingError)
    command = [
        sys.executable,
        "-m",
        "flexunet",
        "score",
        "--truth",
        folders / "masks",
        "--prediction",
        folders / "good",
    ]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert "3.png has no prediction" in found.stderr
    assert "Traceback" not in found.stderr


def test_no_engine_is_imported(folders):
    code = (
        "import sys; from flexunet.cli import app\n"
        f"app(['score', '--truth', {str(folders / 'masks')!r}, '--prediction', {str(folders / 'good')!r},"
        f" '--out', {str(folders / 'out')!r}], standalone_mode=False)\n"
        "found = {'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules); assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert (folders / "out" / "report.html").is_file()


def test_scores_by_other_rules_are_not_compared(folders):
    assert score(folders, "good", "--out", folders / "usual").exit_code == 0
    assert score(folders, "good", "--out", folders / "strict", "--lesion-iou", 0.5).exit_code == 0
    command = [sys.executable, "-m", "flexunet", "compare", folders / "usual", folders / "strict"]
    found = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert found.returncode == 2
    assert "lesion_iou is 0.1 in one and 0.5 in the other" in " ".join(found.stderr.split())


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--lesion-iou", "0.5", "lesion_iou is 0.1 in one and 0.5 in the other"),
        ("--empty-masks", "one", "empty_masks is exclude in one and one in the other"),
        ("--min-lesion-pixels", "5", "min_lesion_pixels is 0 in one and 5 in the other"),
        ("--spacing", "0.1", "their pixel spacing differs, e.g. of image 0"),
        ("--truth", "other", "they were scored against different masks, e.g. of image 0"),
    ],
)
def test_scores_of_another_kind_are_not_compared(folders, option, value, reason):
    if option == "--truth":
        shutil.copytree(folders / "poor", folders / "other")
        value = folders / "other"
    assert score(folders, "good", "--out", folders / "usual").exit_code == 0
    assert score(folders, "good", "--out", folders / "strict", option, value).exit_code == 0
    refused = run("compare", folders / "usual", folders / "strict", "--out", folders / "page")
    assert isinstance(refused.exception, DatasetError)
    assert reason in str(refused.exception)
    assert not (folders / "page").exists()
    refused = score(folders, "good", "--against", folders / "strict")
    assert isinstance(refused.exception, DatasetError)
    assert reason.split(" is ")[0] in str(refused.exception)


def test_without_scores_json_nothing_is_compared(folders):
    for name in ("good", "poor"):
        assert score(folders, name, "--out", folders / f"scored_{name}").exit_code == 0
    (folders / "scored_poor" / "scores.json").unlink()
    refused = run("compare", folders / "scored_good", folders / "scored_poor")
    assert isinstance(refused.exception, PathError)
    assert str(folders / "scored_poor" / "scores.json") in str(refused.exception)
    (folders / "scored_poor" / "scores.json").write_text("{")
    again = score(folders, "poor", "--out", folders / "scored_poor")  # its own folder: a note, no refusal
    assert again.exit_code == 0
    assert "not compared with the last evaluation" in again.stderr
    assert "scores.json is damaged" in again.stderr.replace("\n", " ")


def test_an_evaluation_of_other_images_is_kept(folders):
    out, fewer = folders / "out", folders / "fewer"
    assert score(folders, "good", "--out", out).exit_code == 0
    first = (out / "per_image.csv").read_text()
    assert score(folders, "poor", "--out", out).exit_code == 0
    assert not (out / "other_images_1").exists()  # the same images, scored again
    second = (out / "per_image.csv").read_text()
    assert second != first
    for name in ("masks", "good"):
        shutil.copytree(folders / name, fewer / name)
        min((fewer / name).iterdir()).unlink()
    assert score(fewer, "good", "--out", out).exit_code == 0
    assert (out / "other_images_1" / "per_image.csv").read_text() == second
    assert (out / "per_image.csv").read_text() not in (first, second)


def test_compare_two_scored_folders(folders, charts):
    for name in ("good", "poor"):
        assert score(folders, name, "--out", folders / f"scored_{name}").exit_code == 0
    found = run("compare", folders / "scored_good", folders / "scored_poor")
    assert found.exit_code == 0, found.output
    assert "6 shared images" in found.stdout
    assert "fewer than 10 sources prove nothing" in " ".join(found.stdout.split())
    found = run("compare", folders / "scored_good", folders / "scored_poor", "--json", "--out", folders / "c")
    document = json.loads(found.stdout)
    page = (folders / "c" / "comparison.html").read_text(encoding="utf-8")
    assert document["sentence"] in page
    assert "Not shown" in page
    drawn = re.findall(r'<svg class="chart".*?</svg>', page)
    assert [charts.collisions(svg) for svg in drawn] == [[], []]
    assert not re.search(r"https?:|<script|<link", page)
    assert "6 shared images of 6 sources (not all patients are known)" in page
    dice = next(one for one in document["scores"] if one["name"] == "dice_per_image_mean_paired")
    assert dice["difference"]["high"] < 0
    assert dice["p_value"] == pytest.approx(2 / 2**6)
    same = json.loads(run("compare", folders / "scored_good", folders / "scored_good", "--json").stdout)
    assert all(one["p_value"] == 1 for one in same["scores"])
