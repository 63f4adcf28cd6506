"""In which order images come, and why: doubts of drafts, findings of audits, disagreement."""

import json

import numpy as np
import pytest

from flexunet.config.schema import Config
from flexunet.config.writing import write_config
from flexunet.data.dataset.manifest import Manifest
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.write import write_mask
from flexunet.data.tables import write_rows
from flexunet.errors import ConfigError, DatasetError, PathError
from flexunet.review.readings.queue import ORDERS
from flexunet.review.settings import DeskSettings
from flexunet.review.sources.open import Given, open_source

from .conftest import picture, square, write_folder

NAMES = ("a", "b", "c", "d")


def names_in(reader, **wish):
    return [item["name"].rpartition("/")[2].removesuffix(".png") for item in
            reader.get("/api/queue", **wish)["items"]]  # fmt: skip


@pytest.fixture
def drafts(tmp_path):
    """What derive leaves in to_review: images, drafts, and a manifest with the reasons."""
    root = write_folder(tmp_path / "to_review", names=NAMES, masks=NAMES)
    manifest = Manifest()
    for name, confidence, entropy in (
        ("a", 0.9, 0.05),
        ("b", 0.6, 0.20),
        ("c", 0.7, 0.45),
        ("d", 0.95, 0.1),
    ):
        manifest.append(
            {
                "file": f"images/{name}.png",
                "mask": f"masks/{name}.png",
                "patient": "P7" if name < "c" else f"P{name}",
                "side": "L" if name == "a" else "R",
                "view": "CC" if name < "d" else "MLO",
                "confidence": confidence,
                "entropy": entropy,
                "reason": f"confidence {confidence} is below 0.99",
                "pixel_spacing_mm": "0.1,0.2",
                "study_date": "2024-01-02" if name != "b" else "2020-05-06",
            }
        )
    manifest.write(root)
    return root


def test_drafts_come_by_their_doubts(open_desk, serve_desk, sign_in, drafts):
    reader = sign_in(serve_desk(open_desk(drafts)))
    assert reader.get("/api/session")["project"]["kind"] == "drafts"
    items = {item["name"]: item for item in reader.get("/api/queue")["items"]}
    assert items["images/b.png"]["score"] == pytest.approx(0.4)
    assert items["images/b.png"]["reasons"] == ["confidence 0.6 is below 0.99"]
    assert names_in(reader) == ["c", "b", "a", "d"]
    assert names_in(reader, order="entropy") == ["c", "b", "d", "a"]
    assert names_in(reader, order="confidence") == ["b", "c", "a", "d"]
    assert names_in(reader, order="name", offset=1, limit=2) == ["b", "c"]
    assert sorted(names_in(reader, order="random")) == list(NAMES)
    for order in ORDERS:
        assert len(names_in(reader, order=order)) == 4
    # Those that are decided on go to the end.
    number = items["images/c.png"]["id"]
    reader.post(f"/api/items/{number}/verdict", {"verdict": "accept", "seconds": 1, "base_version": 0})
    assert names_in(reader) == ["b", "a", "d", "c"]
    assert names_in(reader, status="open") == ["b", "a", "d"]
    assert reader.get("/api/queue", search="p7")["total"] == 2


def test_a_person_is_seen_with_other_views_and_earlier_exams(open_desk, serve_desk, sign_in, drafts):
    write_image(drafts / "images" / "e.png", picture(8))
    manifest = Manifest.read(drafts)
    row = {**manifest.by_file["images/a.png"], "file": "images/e.png", "mask": "", "side": "R", "view": "MLO"}
    manifest.append(row)
    manifest.write(drafts)
    reader = sign_in(serve_desk(open_desk(drafts)))
    numbers = reader.numbers()
    views = reader.get(f"/api/items/{numbers['images/a.png']}/views")
    assert [(each["id"], each["side"], each["view"]) for each in views["views"]] == [
        (numbers["images/a.png"], "L", "CC"),
        (numbers["images/e.png"], "R", "MLO"),
    ]
    assert [(each["id"], each["date"]) for each in views["previous"]] == [
        (numbers["images/b.png"], "2020-05-06")
    ]
    facts = reader.get(f"/api/items/{numbers['images/a.png']}")
    assert facts["spacing_mm"] == [0.1, 0.2]
    assert facts["patient"] == "P7"


def test_findings_of_an_audit_come_first(open_desk, serve_desk, sign_in, folder, tmp_path):
    def finding(severity, files, explanation):
        return {"code": "x", "severity": severity, "files": files, "explanation": explanation, "remedy": "r"}

    told = {
        "findings": [
            finding("warning", ["images/c.png"], "dark"),
            finding("error", ["images/b.png", "images/c.png"], "copies"),
            finding("note", ["images/a.png"], "small"),
        ]
    }
    (tmp_path / "audit.json").write_text(json.dumps(told))
    reader = sign_in(serve_desk(open_desk(folder, audit=tmp_path / "audit.json")))
    items = reader.get("/api/queue", order="audit")["items"]
    assert [(item["name"], item["score"]) for item in items] == [
        ("images/b.png", 1.0),
        ("images/c.png", 1.0),
        ("images/a.png", 0.3),
    ]
    assert items[1]["reasons"] == ["audit: dark", "audit: copies"]
    for wrong in ("{}", "[", '{"findings": [{"files": ["a"], "severity": "x"}]}'):
        (tmp_path / "audit.json").write_text(wrong)
        with pytest.raises(DatasetError, match="no audit"):
            open_source(Given(folder, audit=tmp_path / "audit.json"))
    with pytest.raises(PathError):
        open_source(Given(folder, audit=tmp_path / "none.json"))


def test_an_audit_as_the_command_prints_it_is_read(folder, tmp_path):
    from flexunet.data.audit.run import audit_dataset

    write_image(folder / "images" / "a.png", picture(1))  # now a copy of b
    result = audit_dataset(folder)
    (tmp_path / "audit.json").write_text(json.dumps(result.document(), default=str))
    entries = {
        entry.key: entry for entry in open_source(Given(folder, audit=tmp_path / "audit.json")).entries
    }
    assert entries["images/a.png"].audit is not None
    assert any("audit: " in reason for reason in entries["images/a.png"].reasons)


def test_disagreement_of_two_models_is_measured(open_desk, serve_desk, sign_in, folder, tmp_path):
    second = tmp_path / "second"
    write_mask(second / "a.png", square(), ColorMap.binary())
    write_mask(second / "b.png", square(left=14), ColorMap.binary())
    desk = open_desk(folder, second=second)
    desk.disagreements.wait()
    reader = sign_in(serve_desk(desk))
    items = reader.get("/api/queue", order="disagreement")["items"]
    # Half of each square lies in the other: Dice 1/2.
    assert [(item["name"], item["score"]) for item in items] == [
        ("images/b.png", 0.5),
        ("images/a.png", 0.0),
        ("images/c.png", 0.0),
    ]


def test_predictions_of_a_run_are_laid_with_what_infer_wrote(tmp_path):
    films = write_folder(tmp_path / "films", masks=())
    run = tmp_path / "run"
    write_config(
        Config(
            infer={"images_dir": str(films / "images"), "output_dir": str(run / "predicted")},
            train={"run_dir": str(run)},
        ),
        run / "config.toml",
    )
    with pytest.raises(ConfigError, match="flexunet infer first"):
        open_source(Given(run))
    write_mask(run / "predicted" / "a.png", square(), ColorMap.binary())
    columns = ("file", "mask", "width", "height", "foreground_pixels", "lesions", "unlike_training")
    row = ("a.png", "a.png", 80, 60, 64, 1, "darker")
    write_rows(run / "predicted_lesions" / "images.csv", (*columns, "confidence"), [(*row, 0.75)])
    laid = open_source(Given(run))
    assert laid.kind == "predictions"
    first, second, _ = laid.entries
    assert (first.mask, first.confidence, first.entropy) == (run / "predicted" / "a.png", 0.75, None)
    assert first.reasons == ("unlike the training images: darker",)
    assert (second.mask, second.confidence) == (None, None)


def test_dicom_is_shown_as_its_window_says(open_desk, serve_desk, sign_in, tmp_path, write_dicom):
    from flexunet.data.dicom.read import read_dicom

    stored = np.random.default_rng(0).integers(0, 4096, (30, 40), dtype=np.uint16)
    folder = tmp_path / "films"
    folder.mkdir()
    given = {"BitsStored": 12, "WindowCenter": 1500, "WindowWidth": 1000}
    write_dicom(folder / "plain.dcm", stored, **given, PatientID="P1", ImagerPixelSpacing=[0.1, 0.1])
    write_dicom(folder / "turned.dcm", stored, **given, PhotometricInterpretation="MONOCHROME1")
    write_dicom(folder / "sigmoid.dcm", stored, **given, VOILUTFunction="SIGMOID")
    write_dicom(folder / "scaled.dcm", stored, **given, RescaleSlope=0.5, RescaleIntercept=100)
    reader = sign_in(serve_desk(open_desk(folder)))
    assert reader.get("/api/session")["project"]["kind"] == "DICOM"
    for name, number in reader.numbers().items():
        facts = reader.get(f"/api/items/{number}")
        assert facts["bits"] == 12
        assert facts["inverted"] is False
        window = facts["windows"][0]
        content = reader.client.get(f"/api/items/{number}/tiles/0/0/0").content
        tile = np.frombuffer(content, "<u2").reshape(30, 40).astype(float)
        place = (tile - window["center"]) / window["width"]
        shown = 1 / (1 + np.exp(-4 * place)) if window["kind"] == "sigmoid" else np.clip(place + 0.5, 0, 1)
        expected = read_dicom(folder / name).pixels[..., 0]
        np.testing.assert_allclose(shown * 65535, expected, atol=1)
    patients = {item["name"]: item["patient"] for item in reader.get("/api/queue")["items"]}
    assert patients["plain.dcm"] == "P1"


def test_measuring_readers_needs_them_blind(folder):
    for settings in ({"repeats": 0.5}, {"blind": True, "consensus": True}, {"blind": True, "repeats": 2}):
        with pytest.raises(ConfigError):
            DeskSettings(Given(folder), **settings)
    with pytest.raises(ConfigError, match="--blind"):
        DeskSettings(Given(folder, known=folder))
    with pytest.raises(PathError, match="a mask for every image"):
        open_source(Given(folder, known=folder))
