"""A real Ray cluster of two machines (two raylets here), one of which is killed half way."""

import json
import os
import re
import sys
import time
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest

from flexunet.config.schema import Config
from flexunet.data.images.files.write import write_image
from flexunet.errors import EngineError, PathError
from flexunet.inference.cases import CaseReader
from flexunet.inference.folder import infer_folder
from flexunet.inference.image_work import ImageWork
from flexunet.inference.journal import Journal
from flexunet.inference.outputs.write import Outputs
from flexunet.inference.predict.predictor import Predictor
from flexunet.inference.ray_pipeline import RayPipeline, _Worker, share_out
from flexunet.models.registry import build_model
from flexunet.run_folder import RunFolder

IMAGES = 32
STORE = 100 << 20


def node(alive=True, **resources):
    return {"Alive": alive, "Resources": resources}


@pytest.mark.parametrize(
    ("nodes", "workers", "cpus", "gpus"),
    [
        ([node(CPU=8.0), node(CPU=8.0)], 2, 8, 0),
        ([node(CPU=4.0), node(CPU=10.0), node(memory=1.0)], 3, 4, 0),
        ([node(CPU=0.0), node(CPU=1.0), node(False, CPU=1.0)], 1, 1, 0),
        ([node(CPU=8.0, GPU=2.0), node(CPU=64.0)], 2, 1, 1),
    ],
)
def test_a_worker_takes_a_machine_or_a_part_as_large_as_the_smallest(nodes, workers, cpus, gpus):
    assert share_out(nodes) == (workers, cpus, gpus)


def test_a_cluster_without_processors_is_told_so():
    with pytest.raises(EngineError, match="ray start"):
        share_out([node(CPU=0.0)])


def keep_off_ties(model, config, images):
    """Shift the last bias so that no pixel of the images is near 0.5.

    Workers predict other batches than one process does, whose sums run in another order: a pixel at a tie
    could fall on either side, and the files of this test are compared byte for byte.
    """
    predictor, bias = Predictor(model, config), model.layers[-1].weights[-1]
    start, distance = bias.numpy(), {}
    for step in range(40):
        bias.assign(start + np.array([0, 0.0005 * step], np.float32))
        distance[step] = min(np.abs(predictor(image)[..., 1] - 0.5).min() for image in images)
    best = max(distance, key=distance.get)
    assert distance[best] > 2e-6
    bias.assign(start + np.array([0, 0.0005 * best], np.float32))


@pytest.fixture
def run(tmp_path):
    """A run whose masks are neither empty nor full, and images, one of which is broken."""
    config = Config(
        model={
            "image_width": 32,
            "image_height": 32,
            "num_layers": 2,
            "base_filters": 2,
            "base_kernels": (3, 3),
        },
        train={"run_dir": str(tmp_path / "run")},
        infer={"images_dir": str(tmp_path / "images"), "output_dir": str(tmp_path / "masks")},
    )
    keras.utils.set_random_seed(5)
    rng = np.random.default_rng(5)
    images = [rng.integers(0, 256, (30, 40 + number), np.uint8) for number in range(IMAGES - 1)]
    for number, image in enumerate(images):
        write_image(tmp_path / "images" / f"{number:02d}.png", image)
    model = build_model(config)
    keep_off_ties(model, config, images)
    RunFolder.of(config).best_model.parent.mkdir(parents=True)
    model.save(RunFolder.of(config).best_model)
    (tmp_path / "images" / "broken.png").write_bytes(b"\x89PNG broken")
    return config


@pytest.fixture(scope="module")
def cluster():
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    source = str(Path(sys.modules["flexunet"].__file__).parents[1])
    options = {"object_store_memory": STORE, "include_dashboard": False}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", os.pathsep.join([source, os.environ.get("PYTHONPATH", "")]))
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **options})
        cluster.workers = [cluster.add_node(num_cpus=1, object_store_memory=STORE) for _ in range(2)]
        yield cluster
        ray.shutdown()
        cluster.shutdown()


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("digest", "said"), [("0" * 32, "found another model"), (None, "no trained model")])
def test_a_worker_that_cannot_have_the_model_says_so(run, digest, said):
    pytest.importorskip("ray")
    outputs = Outputs(run, Path("masks"), Path("overlays"), digest or "")
    work = ImageWork(CaseReader(run, {}), outputs)
    journal = Journal(Path("lesions"), Path("masks"), "")
    if digest is None:
        RunFolder.of(run).best_model.unlink()
    load = partial(Predictor.load, run)
    worker = _Worker(work, load, journal, None, 1)
    columns = worker({"path": np.array(["a.png"]), "name": np.array(["a.png"])})
    pipeline = RayPipeline(work, load, journal, "auto")
    with pytest.raises(EngineError, match=said):
        pipeline._settle({name: column[0] for name, column in columns.items()}, pytest.fail)


def test_the_time_of_the_models_is_the_mean_of_the_workers(run):
    work = ImageWork(CaseReader(run, {}), Outputs(run, Path("masks"), Path("overlays")))
    pipeline = RayPipeline(work, pytest.fail, Journal(Path("lesions"), Path("masks"), ""), "auto")
    row = {"path": "a.png", "record": "", "failure": "damaged", "fatal": ""}
    for worker, so_far in (("a", 1.0), ("a", 2.0), ("b", 4.0), ("a", 6.0)):
        pipeline._settle({**row, "worker": worker, "busy_s": so_far}, lambda outcome: None)
    assert pipeline.busy_s == 5.0
    assert pipeline.images_by_worker == {"a": 3, "b": 1}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_no_text_is_not_sent_to_a_cluster(run, tmp_path):
    odd = tmp_path / "images" / os.fsdecode(b"caf\xe9.png")
    (tmp_path / "images" / "00.png").rename(odd)
    result = infer_folder(run, inputs=[odd], ray="127.0.0.1:1")  # nobody is there, and nobody is asked
    assert "not UTF-8" in result.failures[odd]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Ray is experimental on Windows")
def test_a_worker_killed_half_way_costs_no_image(cluster, run, tmp_path):
    expected = infer_folder(run)
    alone = {folder: files(tmp_path / folder) for folder in ("masks", "masks_overlay")}
    names = ("lesions.csv", "contours.json")
    tables = [(tmp_path / "masks_lesions" / name).read_text() for name in names]
    (tmp_path / "masks").rename(tmp_path / "alone")
    journal = tmp_path / "masks_lesions" / "journal.jsonl"
    journal.unlink()

    import ray

    seen = []

    def kill_half_way(_, done, total, note=None):
        seen.append((done, total))
        if done == 4:
            while ray.available_resources().get("CPU", 0):  # until both are at work
                time.sleep(0.1)
            cluster.remove_node(cluster.workers[1], allow_graceful=False)

    result = infer_folder(run, ray=cluster.address, progress=kill_half_way)
    assert seen == [(done, IMAGES) for done in range(1, IMAGES + 1)]  # each once
    assert sum(result.workers.values()) == IMAGES
    assert {folder: files(tmp_path / folder) for folder in alone} == alone
    for name, table in zip(names, tables, strict=True):
        assert_same_but_for_rounding((tmp_path / "masks_lesions" / name).read_text(), table)
    assert result.mask_paths == expected.mask_paths
    assert len(result.lesions) == len(expected.lesions)
    assert result.failures == expected.failures
    assert [path.name for path in result.failures] == ["broken.png"]

    # Started again, nothing but what changed is predicted, with the cluster or without.
    assert len(journal.read_text().splitlines()) == IMAGES - 1
    (tmp_path / "masks" / "03.png").unlink()
    again = infer_folder(run, ray=cluster.address)
    assert again.reused == IMAGES - 2
    assert sum(again.workers.values()) == 2  # the one that was gone, and the broken one
    assert files(tmp_path / "masks") == alone["masks"]
    assert infer_folder(run).reused == IMAGES - 1
    assert all(json.loads(line)["key"] for line in journal.read_text().splitlines())


def test_no_cluster_at_an_address_is_told_so(run):
    pytest.importorskip("ray")
    with pytest.raises(PathError, match="--ray local"):
        infer_folder(run, ray="127.0.0.1:1")


def assert_same_but_for_rounding(text, expected):
    """The same text, whose numbers differ by no more than probabilities summed in another order do."""
    number = r"-?\d+\.\d+(?:e-?\d+)?"
    assert re.sub(number, "", text) == re.sub(number, "", expected)
    numbers, others = ([float(each) for each in re.findall(number, one)] for one in (text, expected))
    assert len(numbers) > IMAGES
    assert numbers == pytest.approx(others, abs=2e-5)
