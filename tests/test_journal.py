"""Journals: what was appended is read, whatever a crash left behind."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexunet.errors import PathError
from flexunet.journal import append_to_journal, read_journal, write_journal

ENTRIES = st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers()), max_size=5)


@given(before=ENTRIES, after=ENTRIES, cut=st.integers(1, 30))
@settings(deadline=None)
def test_a_cut_line_costs_its_own_entry_alone(tmp_path_factory, before, after, cut):
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    for entry in before:
        append_to_journal(path, entry)
    append_to_journal(path, {"cut": "short" * 10})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 1 - cut])
    for entry in after:
        append_to_journal(path, entry)
    assert read_journal(path) == before + after


def test_lines_are_plain_json_and_umlauts_stay(tmp_path):
    path = tmp_path / "folder" / "journal.jsonl"
    assert read_journal(path) == []
    append_to_journal(path, {"mask": "Größe.png"})
    assert path.read_text(encoding="utf-8") == '{"mask": "Größe.png"}\n'
    write_journal(path, [{"mask": "b"}, ["c"]])
    assert path.read_text(encoding="utf-8") == '{"mask": "b"}\n["c"]\n'


def test_a_journal_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PathError, match=r"cannot write .*journal.jsonl: part of its path is a file"):
        append_to_journal(tmp_path / "file" / "journal.jsonl", {})
