import json
import plistlib
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.data.dataset.manifest import Manifest
from flexunet.data.images.files.read import read_image
from flexunet.data.phantom.dataset import write_raw_phantoms
from flexunet.errors import ConfigError, PathError
from flexunet.inference.predict.predictor import Predictor


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films") / "raw"
    write_raw_phantoms(folder, 2, width=320, height=180, views=["CC"], seed=4)
    return folder


def run(*arguments):
    return CliRunner().invoke(app, ["derive", *map(str, arguments)], catch_exceptions=True)


def test_given_masks_with_facts_of_a_table(raw, tmp_path):
    masks = raw.with_name("raw_masks")
    options = [
        "--masks",
        masks,
        "--table",
        masks / "manifest.csv",
        "--width",
        64,
        "--height",
        48,
        "--jobs",
        1,
    ]
    result = run(raw, tmp_path / "out", *options)
    assert result.exit_code == 0, result.output
    assert "4 of 4 films are images with masks" in result.stdout
    manifest = Manifest.read(tmp_path / "out")
    assert manifest is not None
    assert {row["patient"] for row in manifest.rows} == {"P001", "P002"}
    assert {row["view"] for row in manifest.rows} == {"CC"}
    assert read_image(tmp_path / "out" / manifest.rows[0]["file"]).shape == (48, 64, 3)
    assert read_image(tmp_path / "out" / "contact_sheet.png").shape[2] == 3


def test_json_and_no_masks_sends_cancer_to_review(raw, tmp_path):
    result = run(raw, tmp_path / "out", "--masks", "none", "--json", "--jobs", 1)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    cancer = len(list((raw / "Cancer").iterdir()))
    assert document["to_review"] == cancer
    assert document["labelled"] == 4 - cancer
    again = json.loads(run(raw, tmp_path / "out", "--json", "--jobs", 1).stdout)
    assert again["reused"] == 4


def test_patients_from_names_and_size_from_a_configuration(raw, tmp_path):
    config = tmp_path / "c.toml"
    config.write_text("[model]\nimage_width = 64\nimage_height = 64\n")
    options = ["--config", config, "--patient-pattern", r"^(P\d+)_", "--normal", "Cancer", "--jobs", 1]
    result = run(raw, tmp_path / "out", *options)
    assert result.exit_code == 0, result.output
    manifest = Manifest.read(tmp_path / "out")
    assert manifest is not None
    assert {row["patient"] for row in manifest.rows} <= {"P001", "P002"}
    assert {row["image_width"] for row in manifest.rows} == {"64"}


def test_annotations_and_unknown_films_are_said_aloud(raw, tmp_path):
    films = sorted(path.name for path in (raw / "Cancer").iterdir())
    csv = tmp_path / "outlines.csv"
    csv.write_text(f"image,x,y,radius,label\n{films[0]},160,90,8,mass\n{films[1]},,,,mass\n")
    options = ["--annotations", csv, "--classes", "mass=1", "--jobs", 1]
    result = run(raw, tmp_path / "out", *options)
    assert result.exit_code == 0, result.output
    assert f"excluded: Cancer/{films[1]}: abnormal, but nobody says where" in result.stderr
    assert isinstance(
        run(raw, tmp_path / "b", "--annotations", csv, "--classes", "mass").exception, ConfigError
    )


def test_a_bad_film_ends_with_exit_code_2_and_the_others_are_done(raw, tmp_path):
    folder = tmp_path / "films"
    folder.mkdir()
    (folder / "bad.jpg").write_bytes(b"not a picture")
    good = next((raw / "Cancer").iterdir())
    (folder / good.name).write_bytes(good.read_bytes())
    result = run(folder, tmp_path / "out", "--jobs", 1)
    assert result.exit_code == 2
    assert "not derived: bad.jpg" in result.stderr
    assert (tmp_path / "out" / "to_review" / "images" / f"{good.stem}.png").is_file()


def test_bad_options(raw, tmp_path):
    assert isinstance(run(tmp_path / "missing", tmp_path / "out").exception, PathError)
    both = run(raw, tmp_path / "out", "--masks", "none", "--annotations", "a.csv")
    assert isinstance(both.exception, ConfigError)
    assert "--masks and --annotations" in str(both.exception)
    assert isinstance(run(raw, tmp_path / "out", "--patient-pattern", "(").exception, ConfigError)


def published_run(reference, name, folder):
    """Configuration of a published run with its weights, below a folder."""
    (folder / "models").mkdir(parents=True)
    weights = (reference / "model" / f"{name}.best_model_keras2.h5").read_bytes()
    (folder / "models" / "best_model.h5").write_bytes(weights)
    config = folder / "train_eval_infer.config"
    config.write_bytes((reference / "model" / f"{name}.config").read_bytes())
    return config


def test_masks_from_a_published_model(raw, reference, tmp_path):
    config = published_run(reference, "a_k5_L3_c2", tmp_path / "run")
    options = ["--masks-from", config, "--min-confidence", 0.99, "--jobs", 1, "--json"]
    result = run(raw, tmp_path / "out", *options)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    cancer = len(list((raw / "Cancer").iterdir()))
    # The weights are random: sure of nothing. Normal films need no model.
    assert (document["to_review"], document["labelled"]) == (cancer, 4 - cancer)
    review = Manifest.read(tmp_path / "out" / "to_review")
    assert review is not None
    for row in review.rows:
        assert 0.5 <= float(row["confidence"]) < 0.99
        assert 0 < float(row["entropy"]) <= 1
        assert read_image(tmp_path / "out" / "to_review" / row["mask"]).shape == (64, 64, 3)
    assert json.loads(run(raw, tmp_path / "out", *options).stdout)["reused"] == 4


def test_masks_from_several_runs_are_those_of_their_mean(raw, reference, tmp_path):
    """And a run more makes other drafts, so that none is taken for finished."""
    runs = [published_run(reference, name, tmp_path / name) for name in ("a_k5_L3_c2", "b_k9_L4_c2_seedlike")]
    options = ["--width", 64, "--height", 64, "--jobs", 1, "--json"]
    one = run(raw, tmp_path / "out", "--masks-from", runs[0], *options)
    assert one.exit_code == 0, one.output
    both = ["--masks-from", runs[0], "--masks-from", runs[1], *options]
    assert json.loads(run(raw, tmp_path / "out", *both).stdout)["reused"] == 0
    assert json.loads(run(raw, tmp_path / "out", *both).stdout)["reused"] == 4

    manifest = Manifest.read(tmp_path / "out")
    assert manifest is not None
    drafted = [row for row in manifest.rows if row["status"] == "draft"]
    assert len(drafted) == len(list((raw / "Cancer").iterdir()))
    for row in drafted:
        image = tmp_path / "out" / row["file"]
        alone = [Predictor.load(config)(image) for config in runs]
        expected = np.mean(alone, axis=0)[..., 1] > 0.5
        mask = read_image(tmp_path / "out" / row["mask"])[..., 0] > 0
        assert np.mean(mask == expected) > 0.999  # a pixel may stand at one half


def region(*points):
    texts = [f"({x}, {y})" for x, y in points]
    return {"Name": "Mass", "NumberOfPoints": len(points), "Point_px": texts}


def test_outlines_and_table_of_inbreast(raw, tmp_path):
    """Both call a film by its number. A film without outlines is excluded; a broken file is one film's."""
    films = tmp_path / "raw"
    films.mkdir()
    source = sorted(raw.rglob("*.jpg") or raw.rglob("*.png"))[0]
    for number in (20586908, 20586934, 20586960):
        shutil.copy(source, films / f"{number}_6c613a14_MG_R_CC_ANON{source.suffix}")
    outlines = tmp_path / "AllXML"
    outlines.mkdir()
    square = region((100, 60), (140, 60), (140, 100), (100, 100))
    (outlines / "20586908.xml").write_bytes(plistlib.dumps({"Images": [{"ROIs": [square]}]}))
    (outlines / "20586960.xml").write_text("<plist><dict>")
    (outlines / "99999999.xml").write_text("<annotation/>")
    table = tmp_path / "INbreast.csv"
    table.write_text("Patient ID;Laterality;File Name;ACR\nremoved;R;20586908;3\nremoved;R;20586934;1\n")
    result = run(films, tmp_path / "out", "--annotations", outlines, "--table", table, "--jobs", 1)
    assert result.exit_code == 2, result.output
    (row,) = Manifest.read(tmp_path / "out").rows
    assert row["raw_file"].startswith("20586908_")
    assert (row["laterality"], row["acr"], row["raw_lesion_pixels"]) == ("R", "3", "1600")
    said = " ".join(result.stderr.split())
    assert "excluded: 20586934_6c613a14_MG_R_CC_ANON" in said
    assert "not derived: 20586960_6c613a14_MG_R_CC_ANON" in said
    assert "20586960.xml is not an Apple property list" in said
    assert "99999999.xml is not an Apple property list" in said


def test_a_data_set_can_name_nobody(raw, tmp_path, write_dicom):
    pytest.importorskip("dicomanonymizer")
    pictures = sorted(path for path in raw.rglob("*") if path.is_file())[:3]
    films = tmp_path / "films"
    films.mkdir()
    for name, picture in zip(("f1", "f2", "meier_l_cc"), pictures, strict=True):
        stored = read_image(picture, 1)[..., 0].astype("uint16") * 16
        personal = {"PatientID": "4711-0815", "PatientName": "Meier^Anna", "BurnedInAnnotation": "YES"}
        write_dicom(films / f"{name}.dcm", stored, BitsStored=12, **personal)
    table = tmp_path / "table.csv"
    table.write_text("image,density,patient_name\nf1,C,Meier\nf2,B,Meier\n")
    options = ("--masks", "none", "--normal", "films", "--jobs", 1, "--table", table)
    named = run(films, tmp_path / "named", *options)
    assert "manifest.csv has the PatientID of 3 films, which is personal data" in " ".join(
        named.output.split()
    )
    assert "the file name holds PatientName" in " ".join(named.output.split())
    result = run(films, tmp_path / "out", *options, "--deidentify")
    said = " ".join(result.output.split())
    assert result.exit_code == 2
    assert "the file name holds PatientName, and images are named after their films. Rename the film." in said
    assert "BurnedInAnnotation is YES: look for names in the picture" in said
    rows = [*Manifest.read(tmp_path / "out" / "to_review").rows]
    assert [row["source"] for row in rows] == ["f1", "f2"]
    (patient,) = {row["patient"] for row in rows}
    assert patient.startswith("P")
    assert [row["density"] for row in rows] == ["C", "B"]
    assert "patient_name" not in rows[0]
    for path in (tmp_path / "out").rglob("*"):
        if path.suffix in (".csv", ".jsonl") and path.name != "excluded.csv":
            assert "4711-0815" not in path.read_text()
    assert (tmp_path / "out.key").is_file()
    assert [*run(films, tmp_path / "out", *options, "--deidentify").output.split()] != []
    assert {row["patient"] for row in Manifest.read(tmp_path / "out" / "to_review").rows} == {patient}
