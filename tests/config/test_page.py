from pathlib import Path

import pytest

from flexunet.config.page import json_schema, key_tables, renewed
from flexunet.config.schema import Config, section_class

PAGE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"


def test_the_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == renewed(PAGE.read_text(encoding="utf-8")), (
        "run `python -m flexunet.config.page docs/configuration.md`"
    )


def test_every_key_has_a_row():
    tables = key_tables()
    for section in Config.model_fields:
        assert f"### [{section}]" in tables
        for key in section_class(section).model_fields:
            assert f"| `{key}` |" in tables
    assert "| `learning_rate` | number above 0 | `0.0001` | Learning rate at the start. |" in tables
    assert "| `[mask] mask_datatyoe` | `[mask] mask_datatype` |" in tables


def test_a_page_without_a_place_for_the_tables_is_refused():
    with pytest.raises(ValueError, match="the page needs the lines"):
        renewed("# Configuration\n")


def test_json_schema_names_its_dialect():
    assert json_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(json_schema()["properties"]) == set(Config.model_fields)
