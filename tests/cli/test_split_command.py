import json

import numpy as np
import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.data.dataset.manifest import Manifest
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.write import write_mask
from flexunet.errors import ConfigError, DatasetError


def split(*arguments):
    return CliRunner().invoke(app, ["split", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for n in range(20):
        mask = np.zeros((8, 8), np.uint8)
        mask[: n % 5] = 1
        write_image(tmp_path / "in" / "images" / f"{n:02}.png", rng.integers(0, 255, (8, 8), np.uint8))
        write_mask(tmp_path / "in" / "masks" / f"{n:02}.png", mask, ColorMap.binary())
    return tmp_path / "in"


def test_published_ratios(folder, tmp_path):
    answer = split(folder, tmp_path / "out")
    assert answer.exit_code == 0, answer.output
    counts = [
        len(list((tmp_path / "out" / name / "images").iterdir())) for name in ("train", "valid", "test")
    ]
    assert counts == [16, 3, 1]
    assert "20 images with masks, in" in answer.stdout
    assert len(Manifest.read(tmp_path / "out").rows) == 20
    told = " ".join(answer.stderr.split())
    assert "test has 1 source, and a score of fewer than 10 proves nothing" in told


def test_json_is_one_document(folder, tmp_path):
    answer = split(folder, tmp_path / "out", "--ratios", "0.5,0.5", "--no-look", "--json")
    (fold,) = json.loads(answer.stdout)["folds"]
    assert [row["images"] for row in fold["splits"]] == [10, 10]


@pytest.mark.parametrize(
    ("options", "is_told"), [((), True), (("--ratios", "0.3,0.2,0.5"), False), (("--folds", 5), False)]
)
def test_too_few_test_images_are_told_where_a_few_more_are_to_be_had(folder, tmp_path, options, is_told):
    answer = split(folder, tmp_path / "out", "--no-look", "--dry-run", *options)
    assert answer.exit_code == 0, answer.output
    assert ("proves nothing" in " ".join(answer.stderr.split())) == is_told


@pytest.mark.parametrize("options", [(), ("--folds", 5)])
def test_a_dry_run_shows_the_split_and_writes_nothing(folder, tmp_path, options):
    answer = split(folder, tmp_path / "out", "--no-look", "--dry-run", *options)
    assert answer.exit_code == 0, answer.output
    assert "train" in answer.stdout
    assert "20 images with masks, nothing written (--dry-run)" in answer.stdout
    assert not (tmp_path / "out").exists()


def test_folds(folder, tmp_path):
    answer = split(folder, tmp_path / "out", "--folds", 5, "--no-look")
    assert answer.exit_code == 0, answer.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *[f"fold_{n}" for n in range(1, 6)],
        "folds.csv",
    ]
    assert "fold 5" in answer.stdout


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        (("--by", "file"), DatasetError, "--i-accept-leakage"),
        (("--by", "breast"), DatasetError, "patient, source, file"),
        (("--ratios", "1,2,3"), ConfigError, "sum to 1"),
        (("--stratify", "density"), DatasetError, "no such column"),
        (("--folds", "40"), DatasetError, "cannot fill 40 splits"),
    ],
)
def test_what_cannot_be_done(folder, tmp_path, options, error, text):
    answer = split(folder, tmp_path / "out", "--no-look", *options)
    assert isinstance(answer.exception, error)
    assert text in str(answer.exception)
    assert not (tmp_path / "out").exists()


def test_leakage_accepted(folder, tmp_path):
    assert split(folder, tmp_path / "out", "--by", "file", "--i-accept-leakage", "--no-look").exit_code == 0


def test_masks_are_read_as_the_configuration_says(folder, tmp_path):
    # Lesions of grey 100 are guessed from the masks, and are background to a threshold of 150.
    for path in (folder / "masks").iterdir():
        write_image(path, read_image(path, channels=1)[..., 0] // 255 * 100)
    config = tmp_path / "c.toml"
    config.write_text("[mask]\nbinarize = true\nthreshold = 150\n")
    strata, notes = {}, {}
    for name, options in (("plain", ()), ("read", ("--config", config))):
        answer = json.loads(split(folder, tmp_path / name, "--no-look", "--json", *options).stdout)
        (fold,) = answer["folds"]
        strata[name] = {stratum for row in fold["splits"] for stratum in row["strata"]}
        notes[name] = [note for note in answer["notes"] if "guessed" in note]
    assert strata["read"] == {"no lesion"}
    assert notes["read"] == []
    assert "lesion area quarter 4" in strata["plain"]
    assert notes["plain"] == [
        "the colours of the classes were guessed from the masks: (0, 0, 0): 0, (100, 100, 100): 1."
    ]


class TestPatients:
    def rows(self, tmp_path):
        return {row["source"]: row for row in Manifest.read(tmp_path / "out").rows}

    def test_unknown_ones_are_refused_with_the_remedy(self, folder, tmp_path):
        answer = split(folder, tmp_path / "out", "--by", "patient", "--no-look")
        assert isinstance(answer.exception, DatasetError)
        message = str(answer.exception)
        assert "the patient of 20 of 20 images is unknown" in message
        for remedy in ("--patient-pattern", "--table", "--by source", "--i-know-patients-are-unknown"):
            assert remedy in message
        assert not (tmp_path / "out").exists()

    def test_the_file_name_in_place_of_the_patient_is_no_patient(self, folder, tmp_path):
        # What derive wrote before: `split --by patient` dealt views of one woman over all splits.
        manifest = Manifest()
        for n in range(20):
            manifest.append({"file": f"images/{n:02}.png", "source": f"{n:02}", "patient": f"{n:02}"})
        manifest.write(folder)
        answer = split(folder, tmp_path / "out", "--by", "patient", "--no-look")
        assert "20 of 20 images is unknown" in str(answer.exception)

    def test_a_pattern_tells_them(self, folder, tmp_path):
        # 00 to 09 are of patient 0, 10 to 19 of patient 1.
        options = ("--by", "patient", "--patient-pattern", r"^(?P<patient>\d)", "--ratios", "0.5,0.5")
        answer = split(folder, tmp_path / "out", "--no-look", *options)
        assert answer.exit_code == 0, answer.output
        rows = self.rows(tmp_path)
        assert {source: row["patient"] for source, row in rows.items()} == {s: s[0] for s in rows}
        assert len({(row["split"], row["patient"]) for row in rows.values()}) == 2
        # The manifest has them: splitting anew needs no pattern.
        again = split(
            tmp_path / "out", tmp_path / "again", "--by", "patient", "--ratios", "0.5,0.5", "--no-look"
        )
        assert again.exit_code == 0, again.output

    def test_those_that_a_pattern_misses_stay_unknown(self, folder, tmp_path):
        answer = split(folder, tmp_path / "out", "--by", "patient", "--patient-pattern", "^0.", "--no-look")
        assert "the patient of 10 of 20 images is unknown, for example of 10.png" in str(answer.exception)
        answer = split(folder, tmp_path / "out", "--patient-pattern", "^x", "--no-look")
        assert "fits no image" in str(answer.exception)
        answer = split(folder, tmp_path / "out", "--patient-pattern", "(", "--no-look")
        assert isinstance(answer.exception, ConfigError)

    def test_each_source_may_count_as_a_patient_if_the_user_says_so(self, folder, tmp_path):
        option = "--i-know-patients-are-unknown"
        answer = split(folder, tmp_path / "out", "--by", "patient", option, "--no-look")
        assert answer.exit_code == 0, answer.output
        assert "the patient of 20 of 20 images is unknown" in " ".join(answer.stderr.split())
        assert {row["patient"] for row in self.rows(tmp_path).values()} == {""}

    def test_a_placeholder_is_named_and_no_patient(self, folder, tmp_path):
        manifest = Manifest()
        manifest.append(*({"file": f"images/{n:02}.png", "patient": "removed"} for n in range(20)))
        manifest.write(folder)
        answer = split(folder, tmp_path / "out", "--no-look")
        assert "20 images have the patient 'removed': a placeholder" in " ".join(answer.stderr.split())
        assert {row["patient"] for row in self.rows(tmp_path).values()} == {""}
