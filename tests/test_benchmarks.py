"""The folds of benchmarks/accuracy are made of the images and masks of the shared data."""

import argparse
import importlib.util
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parents[1] / "benchmarks" / "accuracy" / "run.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("benchmark_of_accuracy", RUN)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.parametrize(
    ("table", "with_validation", "sources", "counts"),
    [
        ("tissue", False, [], (40, 8, 12)),
        ("tissue", True, [], (48, 8, 12)),
        ("lesions", False, [], (41, 8, 13)),
        ("lesions", False, ["csaw_s_1024"], (52, 8, 13)),
        ("finding", False, [], (146, 28, 44)),
    ],
)
def test_a_fold_links_the_images_of_its_split(
    benchmark, mammograms, tmp_path, table, with_validation, sources, counts
):
    arguments = argparse.Namespace(
        table=table,
        share=None,
        with_validation=with_validation,
        with_source=sources,
        with_drafts=None,
        work=tmp_path,
        data=mammograms,
    )
    folder = benchmark.fold_folder(arguments, 1)
    for split, count in zip(("train", "valid", "test"), counts, strict=True):
        images = sorted(file.stem for file in (folder / split / "images").iterdir())
        masks = sorted(file.stem for file in (folder / split / "masks").iterdir())
        assert images == masks
        assert len(images) == count


def test_drafts_and_images_of_the_split_are_about_half_of_each(benchmark, tmp_path):
    """Three images and eight drafts: each image stands there three times."""
    for folder, names in ((tmp_path / "own", "abc"), (tmp_path / "drafts", "defghijk")):
        for kind in ("images", "masks"):
            (folder / kind).mkdir(parents=True)
            for name in names:
                (folder / kind / f"{name}.png").write_text(name)
    benchmark.link_drafts(tmp_path / "drafts", tmp_path / "own")
    for kind in ("images", "masks"):
        found = sorted(file.read_text() for file in (tmp_path / "own" / kind).iterdir())
        assert found == sorted("abc" * 3 + "defghijk")
    names = [
        sorted(file.name for file in (tmp_path / "own" / kind).iterdir()) for kind in ("images", "masks")
    ]
    assert names[0] == names[1]
