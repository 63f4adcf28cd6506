"""Several readers of the same images: values worked by hand, and what is refused."""

import numpy as np
import pytest

from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.masks.write import write_mask
from flexunet.errors import PairingError
from flexunet.evaluation.folders import score_folders
from flexunet.evaluation.scores.rules import ScoringRules

RULES = ScoringRules(bootstrap_samples=200)


@pytest.fixture
def folders(tmp_path):
    """A box of 10 x 10 pixels in twelve films, drawn one and two columns aside by readers b and c."""
    for number in range(12):
        for name, shift in (("a", 0), ("b", 1), ("c", 2), ("model", 1)):
            mask = np.zeros((40, 40), np.uint8)
            mask[10:20, 10 + shift : 20 + shift] = 1
            write_mask(tmp_path / name / f"P{number}_L_CC.png", mask, ColorMap.binary())
    return tmp_path


def test_the_model_is_read_beside_the_readers(folders):
    found = score_folders(
        folders / "a",
        folders / "model",
        readers=[folders / "b", folders / "c"],
        rules=RULES,
        out=folders / "out",
    ).scores
    dice = found.readers.scores[0]
    assert dice.name == "dice_per_image_mean_paired"
    # One column aside is 90 of 100 pixels, two are 80: a and b 0.9, a and c 0.8, b and c 0.9.
    assert dice.readers.value == pytest.approx((0.9 + 0.8 + 0.9) / 3)
    assert dice.model.value == pytest.approx((0.9 + 1.0 + 0.9) / 3)
    assert dice.difference.value == pytest.approx(0.2 / 3)
    one = {reader.reader: reader for reader in found.readers.by_reader}
    assert list(one) == ["a", "b", "c"]
    assert one["a"].model.value == pytest.approx(0.9) == found.foreground.dice_per_image_mean.value
    assert one["a"].other_readers.value == pytest.approx(0.85)
    sensitivity = next(score for score in found.readers.scores if score.name == "sensitivity")
    assert (sensitivity.model.value, sensitivity.readers.value, sensitivity.difference.value) == (1, 1, 0)
    assert "more than they agree with each other" in found.readers.sentence
    assert "What readers reach" in (folders / "out" / "report.html").read_text(encoding="utf-8")


def test_few_patients_prove_nothing_and_healthy_films_have_no_dice(folders):
    few = folders / "few"
    for name in ("a", "b", "model"):
        for number in range(3):
            mask = np.zeros((30, 30), np.uint8)
            if number and name != "b":
                mask[5:9, 5:9] = 1
            write_mask(few / name / f"P{number}_L_CC.png", mask, ColorMap.binary())
    agreement = score_folders(few / "a", few / "model", readers=[few / "b"], rules=RULES).scores.readers
    # Film 0 is empty for all; b sees nothing in the others: 0 between readers, 1 and 0 for the model.
    assert agreement.scores[0].readers.value == 0
    assert agreement.scores[0].model.value == 0.5
    assert agreement.sentence.endswith("3 patients prove nothing.")


def test_a_reader_without_a_mask_and_one_named_twice_are_refused(folders):
    with pytest.raises(PairingError, match="--truth is the first reader"):
        score_folders(folders / "a", folders / "model", readers=[folders / "a"], rules=RULES)
    (folders / "c" / "P3_L_CC.png").unlink()
    with pytest.raises(PairingError, match="P3_L_CC"):
        score_folders(folders / "a", folders / "model", readers=[folders / "c"], rules=RULES)


def test_agreement_about_nothing_counts_where_the_model_imagines_something(folders):
    """Both readers see nothing in half of the films; the model marks all: 0 there, not left out for "
    "readers."""
    for name in ("a", "b"):
        for number in range(6):
            empty = np.zeros((40, 40), np.uint8)
            write_mask(folders / name / f"P{number}_L_CC.png", empty, ColorMap.binary())
    found = score_folders(folders / "a", folders / "model", readers=[folders / "b"], rules=RULES).scores
    dice = found.readers.scores[0]
    assert dice.readers.value == pytest.approx((6 * 1 + 6 * 0.9) / 12)
    assert dice.model.value == pytest.approx((6 * 0 + 6 * 0.9 + 6 * 0 + 6 * 1) / 24)
