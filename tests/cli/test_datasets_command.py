"""`flexunet datasets`, and `flexunet derive --dataset`."""

import json
import plistlib

import numpy as np
import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.data.collections.registry import COLLECTIONS
from flexunet.data.dataset.manifest import Manifest
from flexunet.errors import ConfigError, DatasetError

PATIENT = "6c613a14b80a8591"


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def download(tmp_path, write_dicom):
    root = tmp_path / "INbreast"
    (root / "AllDICOMs").mkdir(parents=True)
    (root / "AllXML").mkdir()
    rows, columns = np.mgrid[:120, :100]
    film = np.where((columns / 80) ** 2 + ((rows - 60) / 55) ** 2 < 1, 500 + 3 * columns, 0)
    for number in ("20000001", "20000002", "20000003"):
        path = root / "AllDICOMs" / f"{number}_{PATIENT}_MG_L_CC_ANON.dcm"
        write_dicom(path, film.astype(np.uint16), BitsStored=12)
    points = ["(10, 50)", "(30, 50)", "(30, 70)", "(10, 70)"]
    region = {"Name": "Mass", "NumberOfPoints": 4, "Point_px": points}
    (root / "AllXML" / "20000001.xml").write_bytes(plistlib.dumps({"Images": [{"ROIs": [region]}]}))
    lines = ["Laterality;View;File Name;ACR;Bi-Rads", "L;CC;20000001;2;5", "L;CC;20000002;2;1"]
    (root / "INbreast.csv").write_text("\n".join([*lines, "L;CC;20000003;2;3"]) + "\n")
    return root


def test_the_list_and_one_of_it():
    listed = run("datasets", "--json")
    assert listed.exit_code == 0
    assert [row["name"] for row in json.loads(listed.output)["datasets"]] == list(COLLECTIONS)
    assert "inbreast" in run("datasets").output
    one = run("datasets", "inbreast").output
    assert "get it from: " in one
    assert "expect: 410 films" in one
    assert isinstance(run("datasets", "nowhere").exception, ConfigError)


def test_an_incomplete_download_is_derived_and_what_it_lacks_is_named(download, tmp_path):
    checked = run("datasets", "auto", download, "--json")
    assert checked.exit_code == 2
    document = json.loads(checked.stdout)
    missing = {"films without outlines": [f"AllDICOMs/20000003_{PATIENT}_MG_L_CC_ANON.dcm"]}
    assert document["missing"] == missing
    assert document["counts"] == {"films": 3, "patients": 1, "lesions": 1}
    assert "3 films, of 410 expected" in run("datasets", "inbreast", download).output
    out = tmp_path / "out"
    answer = run("derive", download, out, "--dataset", "auto", "--width", 64, "--height", 64, "--jobs", 1)
    assert answer.exit_code == 2
    assert "missing: 1 films without outlines: AllDICOMs/20000003" in answer.stderr
    assert "BI-RADS 3, but 20000003.xml is missing" in answer.stderr
    manifest = Manifest.read(out)
    told = {row["source"][:8]: (row["patient"], row["finding"], row["mask_origin"]) for row in manifest.rows}
    assert told == {
        "20000001": (PATIENT, "mass", "outline"),
        "20000002": (PATIENT, "normal", "label"),
    }


def test_a_whole_download_ends_well_and_is_not_derived_twice(download, tmp_path):
    table = download / "INbreast.csv"
    table.write_text(table.read_text().replace("20000003;2;3", "20000003;2;1"))
    words = ["derive", download, tmp_path / "out", "--dataset", "inbreast", "--jobs", 1, "--json"]
    first = run(*words)
    assert first.exit_code == 0
    assert json.loads(first.stdout)["labelled"] == 3
    assert json.loads(run(*words).stdout)["reused"] == 3


def test_a_data_set_tells_its_facts_itself(download, tmp_path):
    answer = run("derive", download, tmp_path / "out", "--dataset", "inbreast", "--normal", "x")
    assert isinstance(answer.exception, ConfigError)
    answer = run("derive", download, tmp_path / "out", "--dataset", "inbreast", "--masks", download)
    assert isinstance(answer.exception, ConfigError)
    answer = run("derive", download, tmp_path / "out", "--weak-masks")
    assert isinstance(answer.exception, ConfigError)


def test_another_data_set_is_named(download, tmp_path):
    answer = run("derive", download, tmp_path / "out", "--dataset", "busi")
    assert isinstance(answer.exception, DatasetError)
    assert "It looks like INbreast (--dataset inbreast)" in str(answer.exception)
    assert not (tmp_path / "out").exists()
