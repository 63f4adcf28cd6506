"""Mammogram Mastery: two folders, no masks, and copies that must not be read."""

from flexunet.data.annotations.shapes import NORMAL, UNMARKED


def test_originals_alone(make, tmp_path):
    root = tmp_path / "Breast Cancer Dataset"
    for kind in ("Cancer", "Non-Cancer"):
        make.picture(root / "Original Dataset" / kind / "1.jpg", make.breast())
        make.picture(root / "Augmented Dataset" / kind / "1_flip.jpg", make.breast())
    _, contents = make.read(root)
    films = make.by_name(contents)
    assert {name: film.annotation.state for name, film in films.items()} == {
        "Cancer_1": UNMARKED,
        "Non-Cancer_1": NORMAL,
    }
    assert "2 augmented copies were left out" in contents.notes[0]
    rows, report = make.derived(root, tmp_path / "out")
    assert rows["Cancer_1"]["state"] == "to_review"
    assert rows["Non-Cancer_1"]["state"] == "labelled"
    assert [row["patient"] for row in report.manifest.rows] == [""]
