"""Derive: from raw films to a data set, again and again, without losing or repeating anything."""

import csv
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from flexunet.data.annotations.read import read_annotations
from flexunet.data.dataset.manifest import Manifest, sha256_of
from flexunet.data.dataset.pairs import find_pairs
from flexunet.data.derive.crop import restore_mask
from flexunet.data.derive.film import DeriveSettings
from flexunet.data.derive.film_masks import AnnotatedMasks, GivenMasks, MaskDraft, ModelMasks
from flexunet.data.derive.film_table import doubts_about_table
from flexunet.data.derive.run import JOURNAL, derive, list_films
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.read import read_mask
from flexunet.data.images.masks.reader import MaskReader
from flexunet.data.images.masks.write import write_mask
from flexunet.data.phantom.dataset import write_raw_phantoms
from flexunet.errors import ConfigError, FlexUNetError, PathError, RunLockedError
from flexunet.locks import locked_output

SMALL = DeriveSettings(width=64, height=64)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films") / "raw"
    write_raw_phantoms(folder, 3, width=480, height=270, views=["MLO"], seed=2)
    return folder


def given(raw):
    return GivenMasks.find(raw.with_name("raw_masks"), list_films(raw), MaskReader())


def files_of(folder):
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in folder.rglob("*.png")}


def test_images_masks_and_manifest(raw, tmp_path):
    report = derive(raw, tmp_path, settings=SMALL, masks=given(raw), jobs=1)
    assert report.counts == {
        "films": 6,
        "labelled": 6,
        "to_review": 0,
        "excluded": 0,
        "failed": 0,
        "reused": 0,
    }
    manifest = Manifest.read(tmp_path)
    assert manifest is not None
    assert len(find_pairs(tmp_path / "images", tmp_path / "masks")) == len(manifest.rows) == 6
    for row in manifest.rows:
        assert row["sha256"] == sha256_of(tmp_path / row["file"])
        assert read_image(tmp_path / row["file"], channels=None).shape == (64, 64, 1)
        mask = read_mask(tmp_path / row["mask"], ColorMap.binary())
        assert mask.any() == (row["class"] == "Cancer")
        assert row["side"] == row["source"].split("_")[1]
        assert row["lost_lesion_pixels"] == "0"
        truth = read_mask(raw.with_name("raw_masks") / f"{row['source']}.png", ColorMap.binary())
        restored = restore_mask(mask, row)
        assert restored.shape == truth.shape
        if mask.any():
            assert 2 * (restored & truth).sum() / (restored.sum() + truth.sum()) > 0.8


def test_finished_films_are_not_done_again(raw, tmp_path):
    derive(raw, tmp_path, settings=SMALL, masks=given(raw), jobs=1)
    before = files_of(tmp_path)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}
    lines = (tmp_path / JOURNAL).read_text().splitlines()
    again = derive(raw, tmp_path, settings=SMALL, masks=given(raw), jobs=1)
    assert again.counts["reused"] == 6
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")} == times
    assert (tmp_path / JOURNAL).read_text().splitlines() == lines

    # A damaged output and a journal that breaks off are both noticed; nothing else is touched.
    damaged = sorted((tmp_path / "images").iterdir())[0]
    damaged.write_bytes(b"")
    lines = [line for line in lines if f"/{damaged.name}" not in line] + lines
    (tmp_path / JOURNAL).write_text("\n".join(lines[:-1]) + "\n" + lines[-1][:20])
    again = derive(raw, tmp_path, settings=SMALL, masks=given(raw), jobs=1)
    assert again.counts["reused"] == 5
    assert files_of(tmp_path) == before


def test_other_settings_make_other_images(raw, tmp_path):
    derive(raw, tmp_path, settings=SMALL, masks=given(raw), jobs=1)
    before = files_of(tmp_path)
    report = derive(raw, tmp_path, settings=DeriveSettings(64, 64, orient="left"), masks=given(raw), jobs=1)
    assert report.counts["reused"] == 0
    after = files_of(tmp_path)
    assert before.keys() == after.keys()
    assert {row["mirrored"] for row in report.manifest.rows if row["side"] == "R"} == {"1"}
    for row in report.manifest.rows:
        image = read_image(tmp_path / row["file"])
        assert image[:, :8].mean() > image[:, -8:].mean(), "every breast looks to the right"


def test_workers_make_the_same_as_one_process(raw, tmp_path):
    derive(raw, tmp_path / "one", settings=SMALL, masks=given(raw), jobs=1)
    derive(raw, tmp_path / "two", settings=SMALL, masks=given(raw), jobs=2)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")
    assert (tmp_path / "one" / "manifest.csv").read_text() == (tmp_path / "two" / "manifest.csv").read_text()


def test_interrupted_run_goes_on(raw, tmp_path):
    script = (
        # A shell that runs us in the background has interrupts ignored, and children inherit that.
        "import signal, sys, time; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from flexunet.data.derive.run import derive; tell = lambda _, done, *rest: ("
        "print(done, flush=True), done == 2 and time.sleep(600));"
        "derive(sys.argv[1], sys.argv[2], jobs=1, progress=tell)"
    )
    command = [sys.executable, "-c", script, str(raw), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        assert process.stdout.readline() == "2\n"
        os.kill(process.pid, signal.SIGINT if os.name == "posix" else signal.SIGTERM)
        process.wait()
    assert not (tmp_path / "manifest.csv").exists()
    report = derive(raw, tmp_path, jobs=1)
    assert report.counts["reused"] >= 2
    assert not list(tmp_path.rglob("*.partial*"))


def test_what_a_killed_run_left_is_swept(raw, tmp_path, left_by_a_killed_process):
    left = left_by_a_killed_process(tmp_path / "images" / "a.png")
    (tmp_path / JOURNAL).touch()
    derive(raw, tmp_path, settings=SMALL, masks=given(raw), jobs=1)
    assert not left.exists()
    assert not list(tmp_path.rglob(".*"))


def test_a_second_run_at_once_is_refused(raw, tmp_path):
    with locked_output(tmp_path), pytest.raises(RunLockedError, match=rf"{tmp_path} is in use: process \d+"):
        derive(raw, tmp_path, settings=SMALL, masks=given(raw), jobs=1)


def test_films_that_vanish_take_their_images_along(raw, tmp_path):
    copy = tmp_path / "raw"
    for path in raw.rglob("*.jpg"):
        (copy / path.parent.name).mkdir(parents=True, exist_ok=True)
        (copy / path.parent.name / path.name).write_bytes(path.read_bytes())
    derive(copy, tmp_path / "out", settings=SMALL, masks=given(raw), jobs=1)
    gone = sorted(copy.rglob("*.jpg"))[0]
    gone.unlink()
    report = derive(copy, tmp_path / "out", settings=SMALL, masks=given(raw), jobs=1)
    assert report.counts["films"] == 5
    assert not (tmp_path / "out" / "images" / f"{gone.stem}.png").exists()
    assert len(find_pairs(tmp_path / "out" / "images", tmp_path / "out" / "masks")) == 5


def test_bad_films_are_told_and_the_others_done(raw, tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    good = sorted(raw.rglob("*.jpg"))[0]
    (folder / "good.jpg").write_bytes(good.read_bytes())
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "cut.jpg").write_bytes(good.read_bytes()[:500])
    write_image(folder / "black.png", np.zeros((90, 160), np.uint8))
    report = derive(folder, tmp_path / "out", settings=SMALL, jobs=1)
    assert report.counts["failed"] == 3
    assert report.counts["to_review"] == 1
    with (tmp_path / "out" / "excluded.csv").open() as stream:
        reasons = {row["raw_file"]: row["reason"] for row in csv.DictReader(stream)}
    assert "0 bytes" in reasons["empty.jpg"]
    assert "truncated" in reasons["cut.jpg"]
    assert "no breast found" in reasons["black.png"]
    (folder / "empty.jpg").write_bytes(good.read_bytes())
    assert derive(folder, tmp_path / "out", settings=SMALL, jobs=1).counts["failed"] == 2


def test_drafts_below_the_confidence_wanted_go_to_review(raw, tmp_path):
    asked = []

    def model(image):
        asked.append(image.shape)
        mask = np.zeros(image.shape[:2], np.uint8)
        mask[20:30, 20:30] = len(asked) != 2
        return MaskDraft(mask, 0.95 if len(asked) != 1 else 0.3, 0.1)

    report = derive(
        raw, tmp_path, settings=SMALL, masks=ModelMasks("m", min_confidence=0.5), mask_source=model, jobs=1
    )
    cancer = sum(row["class"] == "Cancer" for row in report.rows)
    assert asked == [(64, 64, 3)] * cancer
    doubtful = report.of_state("to_review")
    assert [row["reason"] for row in doubtful] == [
        "confidence 0.300 is below 0.5",
        "the model found no lesion, but the folder does not say normal",
    ]
    review = Manifest.read(tmp_path / "to_review")
    assert review is not None
    for row in review.rows:
        assert (tmp_path / "to_review" / row["file"]).is_file()
        assert (tmp_path / "to_review" / row["mask"]).is_file()
        assert not (tmp_path / row["file"]).exists()
    confident = [row for row in report.manifest.rows if row["class"] == "Cancer"]
    assert {row["confidence"] for row in confident} == {"0.9500"}
    assert {row["entropy"] for row in confident} == {"0.1000"}

    # The same model and threshold: not asked again. A lower threshold: asked again, and nothing stays behind.
    asked.clear()
    again = ModelMasks("m", min_confidence=0.5)
    derive(raw, tmp_path, settings=SMALL, masks=again, mask_source=model, jobs=1)
    assert asked == []
    asked += [(0, 0, 0)] * 9
    relaxed = ModelMasks("m", min_confidence=0.2)
    report = derive(raw, tmp_path, settings=SMALL, masks=relaxed, mask_source=model, jobs=1)
    assert report.counts["to_review"] == 0
    assert not list((tmp_path / "to_review").rglob("*.png"))
    with pytest.raises(FlexUNetError, match="was given none"):
        derive(raw, tmp_path / "other", settings=SMALL, masks=again, jobs=1)


def test_facts_of_a_table_go_to_the_manifest(raw, tmp_path):
    facts = {"P001_L_MLO": {"patient": "Ada", "density": "C", "file": "no"}}
    rows = derive(raw, tmp_path, settings=SMALL, masks=given(raw), columns=facts, jobs=1).manifest.rows
    row = next(row for row in rows if row["source"] == "P001_L_MLO")
    assert (row["patient"], row["density"], row["file"]) == ("Ada", "C", "images/P001_L_MLO.png")


def test_a_patient_whom_nobody_names_stays_unknown(raw, tmp_path):
    facts = {"P001_L_MLO": {"patient": "anonymous"}, "P001_R_MLO": {"patient": "P001_R_MLO"}}
    rows = derive(raw, tmp_path, settings=SMALL, masks=given(raw), columns=facts, jobs=1).manifest.rows
    assert len(rows) > 2
    assert {row["patient"] for row in rows} == {""}


def test_what_a_table_says_wrongly_is_named():
    stems = ["001", "002", "10"]
    (lost,) = doubts_about_table(
        {"1": {"patient": "a"}, "2": {"patient": "b"}, "10": {"patient": "c"}}, stems
    )
    assert lost.startswith("2 rows of the table lost leading zeros: '1' is the name of no film, '001' is.")
    (shared,) = doubts_about_table({"001": {"patient": "removed"}, "002": {"patient": "Removed"}}, stems[:1])[
        :1
    ]
    assert "a placeholder" in shared
    assert doubts_about_table({"x": {}}, stems) == ["no row of the table names a film, for example not 'x'."]
    assert doubts_about_table({"001": {"patient": "a"}, "x": {}}, stems) == []


def test_side_that_is_known_counts_more_than_the_picture(raw):
    films = list_films(raw, sides={"P001_L_MLO": "R"})
    assert {film.side for film in films if film.path.stem == "P001_L_MLO"} == {"R"}


def test_same_stem_in_two_folders(tmp_path):
    for group in ("Cancer", "Non-Cancer"):
        write_image(tmp_path / group / "1.png", np.zeros((40, 40), np.uint8))
    films = list_films(tmp_path)
    assert [(film.name, film.normal) for film in films] == [("Cancer_1", False), ("Non-Cancer_1", True)]


def test_bad_folders(raw, tmp_path):
    with pytest.raises(PathError, match="does not exist"):
        derive(tmp_path / "missing", tmp_path / "out")
    with pytest.raises(PathError, match="lies inside the raw folder"):
        derive(raw, raw / "out")
    (tmp_path / "other" / "images").mkdir(parents=True)
    with pytest.raises(PathError, match="already holds images, which derive did not write"):
        derive(raw, tmp_path / "other")
    write_image(tmp_path / "both" / "images" / "a.png", np.zeros((40, 40), np.uint8))
    write_image(tmp_path / "both" / "masks" / "a.png", np.zeros((40, 40), np.uint8))
    with pytest.raises(PathError, match="holds masks beside images"):
        list_films(tmp_path / "both")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PathError, match="no images in"):
        list_films(tmp_path / "empty")


@pytest.mark.parametrize("settings", [{"width": 4}, {"margin": 0.9}, {"orient": "up"}])
def test_settings_are_checked(settings):
    with pytest.raises(ConfigError, match="expected"):
        DeriveSettings(**settings)


def test_mini_mias_keeps_every_lesion_pixel_on_tissue_and_excludes_the_unknown(mammograms, tmp_path):
    source = mammograms / "mini_mias_512"
    raw = tmp_path / "raw"
    raw.mkdir()
    names = ["mdb001", "mdb005", "mdb028", "mdb059", "mdb110", "mdb134", "mdb190", "mdb003"]
    for name in names:
        (raw / f"{name}.png").write_bytes((source / "images" / f"{name}.png").read_bytes())
    annotations = read_annotations(source / "Info.txt")
    report = derive(
        raw, tmp_path / "out", settings=DeriveSettings(256, 256), masks=AnnotatedMasks(annotations)
    )
    assert [row["raw_file"] for row in report.of_state("excluded")] == ["mdb059.png"]
    assert "nobody says where" in report.of_state("excluded")[0]["reason"]
    assert report.lost_on_tissue == []
    row = next(row for row in report.manifest.rows if row["source"] == "mdb003")
    assert not read_mask(tmp_path / "out" / row["mask"], ColorMap.binary()).any()


def test_csaw_text_is_gone_and_tumours_stay(mammograms, tmp_path):
    source = mammograms / "csaw_s_fullsize"
    films = list_films(source / "images")[:2]
    masks = GivenMasks.find(source / "masks", films, MaskReader())
    report = derive(source / "images", tmp_path, films=films, masks=masks, jobs=1)
    for row in report.manifest.rows:
        assert row["lost_lesion_pixels"] == "0"
        assert int(row["lesion_pixels"]) > 0
        text = read_image(source / "annotations_all_classes" / f"{row['source']}_text.png", channels=1)[
            ..., 0
        ]
        assert text.any()
        image = read_image(tmp_path / row["file"], channels=1)[..., 0]
        shown = restore_mask((image > 20).astype(np.uint8), row)
        assert not (shown[text > 0]).any()


def test_a_corrected_draft_goes_back_to_its_film(raw, tmp_path):
    """What a reader drew on the image of 64 x 64 is given to derive as the mask of the film."""
    first = derive(raw, tmp_path / "first", settings=SMALL, masks=given(raw), jobs=1)
    corrected = np.zeros((64, 64), np.uint8)
    corrected[20:30, 10:24] = 1
    for row in first.manifest.rows:
        write_mask(tmp_path / "first" / row["mask"], corrected, ColorMap.binary())
    masks = GivenMasks.find(tmp_path / "first" / "masks", list_films(raw), MaskReader())
    larger = DeriveSettings(width=128, height=128, clear=False)
    second = derive(raw, tmp_path / "second", settings=larger, masks=masks, jobs=1)
    assert second.counts["labelled"] == 6
    for row, before in zip(second.manifest.rows, first.manifest.rows, strict=True):
        on_film = restore_mask(corrected, before)
        assert int(row["raw_lesion_pixels"]) == np.count_nonzero(on_film)
        again = read_mask(tmp_path / "second" / row["mask"], ColorMap.binary())
        wanted = np.kron(corrected, np.ones((2, 2), np.uint8))
        assert 2 * (again & wanted).sum() / (again.sum() + wanted.sum()) > 0.9
    # Elsewhere, without the manifest, its size says nothing.
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(tmp_path / "first" / "masks", elsewhere)
    lost = GivenMasks.find(elsewhere, list_films(raw), MaskReader())
    assert derive(raw, tmp_path / "third", settings=SMALL, masks=lost, jobs=1).counts["failed"] == 6
