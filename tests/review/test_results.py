"""Runs and reports on the desk: listed, shown in a sandbox, compared, none from outside their folders."""

import json
import subprocess
import sys

import pytest

from flexunet.config.schema import Config
from flexunet.config.writing import write_config
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.masks.write import write_mask
from flexunet.data.tables import write_rows

from .conftest import square, write_folder


@pytest.fixture
def results(tmp_path):
    root = tmp_path / "runs"
    for name, losses, best in (("a", [0.9, 0.5, 0.6], 3), ("b", [0.8, float("nan"), 0.7], "x")):
        run = root / name
        write_config(Config(train={"run_dir": str(run)}), run / "config.toml")
        (run / "history.json").write_text(
            json.dumps({"loss": [1, 1, 1], "val_loss": losses, "best_epoch": best})
        )
        (run / "evaluation").mkdir()
        scores = {"foreground": {"dice_per_image_mean": {"value": 0.75}}}
        (run / "evaluation" / "scores.json").write_text(json.dumps(scores))
        (run / "evaluation" / "report.html").write_text("<title>x</title><script>alert(1)</script>")
    (root / "loop.html").write_text("<title>rounds</title>")
    (root / "a" / "secret.key").write_text("secret")
    (tmp_path / "outside.html").write_text("secret")
    (root / "a" / "audit.html").symlink_to(tmp_path / "outside.html")
    rows = [("x.png", 0.9, 0.1), ("y.png", 0.6, 0.2), ("z.png", "", ""), ("w.png", 0.95, 0.5)]
    write_rows(root / "a" / "masks_lesions" / "images.csv", ("file", "confidence", "entropy"), rows)
    return root


@pytest.fixture
def reader(open_desk, serve_desk, sign_in, folder, results):
    return sign_in(serve_desk(open_desk(folder, results=results)))


def test_runs_and_reports_are_listed(reader):
    listing = reader.get("/api/results")
    runs = {run["path"]: run for run in listing["runs"]}
    assert {path: (run["epochs"], run["best_epoch"]) for path, run in runs.items()} == {
        "a": (3, 3), "b": (3, None)
    }  # fmt: skip
    assert runs["a"]["dice_per_image_mean"] == 0.75
    reports = [(report["path"], report["kind"]) for report in listing["reports"]]
    assert sorted(reports) == [
        ("a/evaluation/report.html", "evaluation"),
        ("b/evaluation/report.html", "evaluation"),
        ("loop.html", "rounds of the loop"),
    ]
    assert listing["predictions"] == [{"root": "results", "path": "a/masks_lesions"}]
    curves = reader.get("/api/results/curves", root="results", path="b")["curves"]
    assert curves["val_loss"] == [0.8, None, 0.7]
    assert reader.get("/api/results/scores", root="results", path="a")["foreground"]


def test_the_data_themselves_are_looked_at_too(reader):
    answer = reader.client.get("/api/results/files/data/masks/a.png")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")


def test_predictions_come_by_doubt(reader):
    images = reader.get("/api/results/predictions", root="results", path="a/masks_lesions")["images"]
    assert [image["file"] for image in images] == ["z.png", "w.png", "y.png", "x.png"]


def test_a_report_is_shown_in_a_sandbox(reader):
    answer = reader.client.get("/api/results/files/results/a/evaluation/report.html")
    assert answer.text == "<title>x</title><script>alert(1)</script>"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "script" not in policy
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    "path",
    [
        "results/a/secret.key",
        "results/a/audit.html",
        "results/../outside.html",
        "results/a/..%2f..%2f..%2foutside.html",
        "results/%2fetc%2fpasswd",
        "results//etc/passwd",
        "results/a",
        "results/a/none.html",
        "nosuch/a/evaluation/report.html",
        "results/a%5c..%5coutside.html",
    ],
)
def test_nothing_else_is_shown(reader, path):
    answer = reader.client.get(f"/api/results/files/{path}")
    assert answer.status_code == 404
    assert "secret" not in answer.text


def test_two_evaluated_runs_are_compared(reader):
    answer = reader.client.get(
        "/api/results/compare", params={"root": "results", "first": "a", "second": "b"}
    )
    assert answer.status_code in (404, 422)  # these runs have no table of images
    assert answer.json()["error"]
    outside = {"root": "results", "first": "../outside", "second": "b"}
    assert reader.client.get("/api/results/compare", params=outside).status_code == 404


def test_two_evaluations_are_compared(open_desk, serve_desk, sign_in, tmp_path):
    films = write_folder(tmp_path / "films", names=("a", "b", "c"), masks=("a", "b", "c"))
    for name, left in (("near", 11), ("far", 14)):
        for image in "abc":
            mask = square(left=left)
            write_mask(tmp_path / name / f"{image}.png", mask, ColorMap.binary())
        command = [sys.executable, "-m", "flexunet", "score", "--truth", films / "masks", "--prediction"]
        options = [tmp_path / name, "--out", tmp_path / "runs" / name, "--bootstrap", "50"]
        subprocess.run([*command, *options], check=True, capture_output=True)
    reader = sign_in(serve_desk(open_desk(films, results=tmp_path / "runs")))
    answer = reader.get("/api/results/compare", root="results", first="near", second="far")
    scores = {score["name"]: score for score in answer["scores"]}
    # 56 and 32 of 64 pixels in common.
    assert scores["dice_per_image_mean_paired"]["difference"]["value"] == pytest.approx(0.5 - 0.875)
    assert "higher" in answer["sentence"] or "no" in answer["sentence"].casefold()
    kinds = {report["kind"] for report in reader.get("/api/results")["reports"]}
    assert kinds == {"evaluation"}
