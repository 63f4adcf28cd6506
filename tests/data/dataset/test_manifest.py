import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexunet.data.dataset.manifest import COLUMNS, Manifest, find_root, sha256_of
from flexunet.errors import DatasetError

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
rows = st.lists(
    st.fixed_dictionaries({"file": texts, "patient": texts, "parameters": texts, "density": texts}),
    max_size=5,
    unique_by=lambda row: row["file"].replace("\\", "/"),
)


@given(rows)
def test_round_trip(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("manifest")
    manifest = Manifest()
    manifest.append(*rows)
    manifest.write(folder)
    found = Manifest.read(folder)
    assert found.rows == manifest.rows
    assert found.columns == [*COLUMNS, "density"] if rows else list(COLUMNS)


def test_no_manifest(tmp_path):
    assert Manifest.read(tmp_path) is None


def test_values_become_text_and_paths_get_forward_slashes(tmp_path):
    manifest = Manifest()
    manifest.append({"file": "train\\images\\a.png", "patient": None, "density": 2})
    assert manifest.by_file["train/images/a.png"]["patient"] == ""
    assert manifest.rows[0]["density"] == "2"
    manifest.write(tmp_path)
    header = (tmp_path / "manifest.csv").read_text().splitlines()[0]
    assert header == "file,mask,split,source,patient,operation,parameters,sha256,density"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,mask\na,b\n", "expected a column named file"),
        ("", "expected a column named file"),
        ("file,mask\na,1\na,2\n", "names 'a' more than once, in lines 2 and 3"),
        ("file,mask\na,1,2\n", "line 2: more values than columns"),
        ('file,mask\n"a"x,1\n', "not a readable CSV"),
    ],
)
def test_what_is_no_manifest(tmp_path, text, message):
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        Manifest.read(tmp_path)


def test_spreadsheet_programs_may_have_saved_it(tmp_path):
    (tmp_path / "manifest.csv").write_bytes(b"\xef\xbb\xbffile,patient\r\na.png,P1\r\nb.png\r\n")
    manifest = Manifest.read(tmp_path)
    assert [row["patient"] for row in manifest.rows] == ["P1", ""]
    assert "line 3: fewer values than columns" in manifest.notes[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_other_encodings_and_separators(tmp_path, encoding):
    (tmp_path / "manifest.csv").write_bytes("file;patient\na.png;Müller\n".encode(encoding))
    assert Manifest.read(tmp_path).by_file["a.png"]["patient"] == "Müller"


def test_the_root_is_the_nearest_folder_with_a_manifest(tmp_path):
    images = tmp_path / "train" / "images"
    images.mkdir(parents=True)
    assert find_root(images) is None
    Manifest().write(tmp_path)
    assert find_root(images) == tmp_path.resolve()
    assert find_root(tmp_path) == tmp_path.resolve()


def test_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
