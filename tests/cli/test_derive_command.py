import json

import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.data.dataset.manifest import Manifest
from flexunet.data.images.files import read_image
from flexunet.data.phantom.dataset import write_raw_phantoms
from flexunet.errors import ConfigError, PathError


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


def test_masks_from_a_published_model(raw, reference, tmp_path):
    run_folder = tmp_path / "run"
    (run_folder / "models").mkdir(parents=True)
    name = "a_k5_L3_c2"
    weights = (reference / "model" / f"{name}.best_model_keras2.h5").read_bytes()
    (run_folder / "models" / "best_model.h5").write_bytes(weights)
    config = run_folder / "train_eval_infer.config"
    config.write_bytes((reference / "model" / f"{name}.config").read_bytes())

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
