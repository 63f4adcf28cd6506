"""`derive`, `audit` and `score` on a Ray cluster write what they write without one."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.cluster import work_on_cluster
from flexunet.data.phantom.dataset import write_raw_phantoms
from flexunet.errors import EngineError, ImageError


@pytest.fixture(scope="module")
def cluster():
    ray = pytest.importorskip("ray")
    ray.init(
        num_cpus=2, include_dashboard=False, object_store_memory=100 << 20, log_to_driver=False,
        logging_level="ERROR",
    )  # fmt: skip
    yield "local"
    ray.shutdown()


def files_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and not path.name.startswith(".") and path.suffix != ".jsonl"
    }


def run(*arguments):
    answer = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert answer.exit_code == 0, answer.output
    return answer.stdout


def test_the_same_bytes_with_a_cluster_and_without(cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # paths that are relative mean the same on the cluster
    write_raw_phantoms(Path("raw"), patients=2, width=240, height=160, seed=3)
    size = ("--width", 64, "--height", 64, "--masks", "raw_masks", "--table", "raw_masks/manifest.csv")
    run("derive", "raw", "alone", *size, "--jobs", 1)
    run("derive", "raw", "together", *size, "--ray", cluster)
    assert files_of("alone") == files_of("together")
    assert len(files_of("alone")) > 16

    audits = [json.loads(run("audit", "alone", "--json", *more)) for more in ((), ("--ray", cluster))]
    assert audits[0] == audits[1]

    masks = "alone/masks"
    for out, more in (("scores", ()), ("scores_together", ("--ray", cluster))):
        run("score", "--truth", masks, "--prediction", masks, "--out", out, *more)
    first, second = (
        json.loads(Path(out, "scores.json").read_text()) for out in ("scores", "scores_together")
    )
    for document in (first, second):
        del document["created"]
    assert first == second
    assert first["foreground"]["dice_per_image_mean"]["value"] == 1


def root_of(number):
    if number < 0:
        raise ImageError(f"{number} has no root")
    return float(np.sqrt(number))


def test_results_come_in_order_and_errors_as_they_are(cluster):
    assert list(work_on_cluster(root_of, [4, 9, 16] * 20, cluster)) == [2, 3, 4] * 20
    with pytest.raises(ImageError, match="-1 has no root"):
        list(work_on_cluster(root_of, [4, -1], cluster))
    with pytest.raises(EngineError, match="could not do the work"):
        list(work_on_cluster(root_of, ["four"], cluster))
