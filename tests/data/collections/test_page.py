"""docs/datasets.md agrees with the rows."""

from pathlib import Path

import pytest

from flexunet.data.collections.page import dataset_tables, renewed
from flexunet.data.collections.registry import COLLECTIONS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "datasets.md"


def test_the_page_is_made_from_the_rows():
    text = PAGE.read_text(encoding="utf-8")
    assert renewed(text) == text


def test_every_row_and_fault_is_on_the_page():
    tables = dataset_tables()
    for row in COLLECTIONS.values():
        assert f"| `{row.name}` | {row.title}" in tables
        assert row.licence
        assert row.obtain
        for erratum in row.errata:
            assert f"{row.title}: {erratum.text}. ({erratum.source})" in tables


def test_the_star_of_a_file_name_is_no_emphasis():
    assert r"\*_case_description_\*_set.csv" in dataset_tables()


def test_a_page_without_a_place_is_refused():
    with pytest.raises(ValueError, match="needs the lines"):
        renewed("# Data sets")
