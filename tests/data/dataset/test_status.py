"""Masks that no person has checked are not trained on without a word."""

import pytest

from flexunet.data.dataset.status import CHECKED, UNCHECKED, is_unchecked, refuse_unchecked
from flexunet.errors import DatasetError


@pytest.mark.parametrize("status", UNCHECKED)
def test_drafts_are_refused_unless_asked_for(status):
    rows = [{"file": "a.png"}, {"file": "b.png", "status": status}]
    with pytest.raises(DatasetError, match=r"1 draft that no person has checked, of b.png.*add --x"):
        refuse_unchecked(rows, False, "set", "add --x")
    refuse_unchecked(rows, True, "set", "add --x")


def test_what_a_reader_rejected_is_refused_in_any_case():
    with pytest.raises(DatasetError, match=r"1 mask that a reader rejected, of a.png"):
        refuse_unchecked([{"file": "a.png", "status": "rejected"}], True, "set", "")


@pytest.mark.parametrize("status", CHECKED)
def test_a_reviewed_draft_is_none_any_more(status):
    assert not is_unchecked({"status": status, "mask_origin": "model", "confidence": "0.1"})


def test_columns_of_other_meaning_do_not_count():
    assert not is_unchecked({"status": "screen-detected", "confidence": "0.2", "mask_origin": "annotations"})
    assert is_unchecked({"status": "", "mask_origin": "model", "confidence": "0.9"})
    assert not is_unchecked({"mask_origin": "model"})  # a normal film: no model was asked
