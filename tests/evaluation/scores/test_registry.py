"""Scores as rows: each is in every table, file and page, and a file older than a score is still read."""

import io
import json

import numpy as np
from rich.console import Console

from flexunet.data.images.color_map import ColorMap
from flexunet.evaluation.report.console import scores_tables
from flexunet.evaluation.report.model_card import model_card
from flexunet.evaluation.report.outputs import read_scores, write_evaluation
from flexunet.evaluation.scores.registry import (
    IMAGE_SCORES,
    LESION_SCORES,
    SET_LESION_SCORES,
    SET_SCORES,
    shown_in,
)
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.build import Circumstances, make_scores
from flexunet.evaluation.summary.comparison import compare_tables
from flexunet.evaluation.tables.document import estimate_of
from flexunet.evaluation.tables.files import read_tables

RULES = ScoringRules(bootstrap_samples=50)
EVERY = (*SET_SCORES, *SET_LESION_SCORES)


def written(tables, folder):
    scores = make_scores(tables, RULES, Circumstances("truth", "prediction", ColorMap.binary()))
    write_evaluation(folder, scores, tables, title="drawn")
    return scores


def test_rows_say_what_they_must():
    rows = (*IMAGE_SCORES, *LESION_SCORES)
    for names in ([row.name for row in rows], [score.key for score in EVERY]):
        assert len(set(names)) == len(names)
    for row in rows:
        assert row.label
        assert row.definition.endswith("."), row.name
        assert row.unit in ("", "px", "mm"), row.name
    for row in IMAGE_SCORES:
        assert row.column
        assert row.summaries, row.name
        assert (row.terms is None) != (row.surface is None), row.name
    for row in LESION_SCORES:
        assert (row.terms is None) != (row.by_confidence is None), row.name


def test_every_score_is_in_every_place(make_tables, tmp_path):
    tables = make_tables(seed=2, probabilities=True)
    scores = written(tables, tmp_path)
    document = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    page = (tmp_path / "report.html").read_text(encoding="utf-8").replace("<wbr>", "")
    for score in EVERY:
        value = estimate_of(scores, score).value
        assert value is not None, score.key
        assert document[score.group][score.key]["value"] == value
        assert document["classes"][0][{"foreground": "pixels"}.get(score.group, "lesions")][score.key]
        assert f"<td>{score.key}</td><td>{value:.{score.row.digits}f}" in page
    head = (tmp_path / "per_image.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
    assert {row.column for row in IMAGE_SCORES} <= set(head)
    assert {f"{row.column}_class_1" for row in IMAGE_SCORES} <= set(head)
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(scores_tables(scores, subgroups=True))
    printed = console.export_text()
    assert all(score.key in printed for score in shown_in("console"))
    card = model_card(scores, "drawn", {})
    assert all(f"| {score.key} |" in card for score in shown_in("card"))
    compared = {
        one.name.removesuffix("_paired"): one
        for one in compare_tables(tables, tables, ("a", "b"), RULES).scores
    }
    for score in shown_in("comparison"):
        assert compared[score.key].higher_is_better == (score.row.better == "higher")
        assert compared[score.key].difference.value == 0


def test_files_older_than_a_score_are_read_and_the_score_is_unknown(make_tables, tmp_path):
    tables = make_tables(seed=2)
    written(tables, tmp_path)
    path = tmp_path / "scores.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    del document["foreground"]["boundary_dice_per_image_mean"]
    path.write_text(json.dumps(document), encoding="utf-8")
    scores = read_scores(tmp_path)
    assert scores.foreground.boundary_dice_per_image_mean.value is None
    assert (
        scores.foreground.dice_per_image_mean.value == document["foreground"]["dice_per_image_mean"]["value"]
    )
    table = tmp_path / "per_image.csv"
    table.write_text(
        table.read_text().replace("boundary_dice_per_image_class_1", "another"), encoding="utf-8"
    )
    old = read_tables(tmp_path)
    assert np.isnan(old.by_image()["boundary_dice"]).all()
    np.testing.assert_array_equal(old.by_image()["hausdorff_95_px"], tables.by_image()["hausdorff_95_px"])
    # Unknown is not "nothing there": an unknown score is not compared, and no rule gives it a value.
    compared = {one.name: one for one in compare_tables(old, tables, ("old", "new"), RULES).scores}
    assert compared["boundary_dice_per_image_mean_paired"].difference.value is None
    assert compared["dice_per_image_mean_paired"].difference.value == 0
    rules = ScoringRules(bootstrap_samples=50, empty_masks="one")
    ruled = make_scores(old, rules, Circumstances("truth", "prediction", ColorMap.binary()))
    assert ruled.foreground.boundary_dice_per_image_mean.value is None
    assert ruled.foreground.dice_per_image_mean.value is not None
