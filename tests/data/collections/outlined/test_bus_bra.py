"""BUS-BRA: pictures and masks of other names, both sides of a patient together."""

from flexunet.data.annotations.shapes import ANNOTATED, UNKNOWN
from flexunet.data.collections.collection import NEITHER, NO_FILM, NO_OUTLINE


def test_pictures_masks_and_patients(make, tmp_path):
    root = tmp_path / "BUSBRA"
    for name in ("0001-l", "0001-r", "0002-s", "0003-l"):
        make.picture(root / "Images" / f"bus_{name}.png", make.breast(60, 90) + 20)
    for name, size in (("0001-l", 20), ("0001-r", 0), ("0002-s", 10), ("0009-l", 10)):
        make.picture(root / "Masks" / f"mask_{name}.png", make.mask(60, 90, 10, 10, size))
    (root / "bus_data.csv").write_text(
        "ID,Case,Histology,Pathology,BIRADS\nbus_0001-l,1,x,Malignant,5\nbus_0008-l,8,x,benign,2\n"
    )
    _, contents = make.read(root)
    films = make.by_name(contents)
    assert [film.annotation.state for film in films.values()] == [ANNOTATED, ANNOTATED, ANNOTATED, UNKNOWN]
    assert contents.gaps == {NO_OUTLINE: ["bus_0003-l"], NO_FILM: ["mask_0009-l"], NEITHER: ["0008-l"]}
    columns = films["bus_0001-l"].annotation.columns
    assert (columns["pathology"], columns["birads"]) == ("malignant", "5")
    assert contents.count()["patients"] == 3
    rows, report = make.derived(root, tmp_path / "out")
    assert rows["bus_0001-l"]["raw_lesion_pixels"] == "400"
    assert "it marks no pixel" in rows["bus_0001-r"]["reason"]
    assert {row["source"] for row in report.manifest.rows} == {"bus_0001-l", "bus_0002-s"}


def test_the_sample(formats, make, tmp_path):
    """The listing of shared/data/formats/bus_bra: masks are called mask_, not bus_."""
    lines = (formats / "bus_bra" / "folder_listing.txt").read_text().split("\n")
    for line in filter(None, lines):
        path = tmp_path / line
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("ID,Case,Pathology\n" if line.endswith("bus_data.csv") else "name alone")
    _, contents = make.read(tmp_path)
    pictures = [line for line in lines if "/bus_" in line and line.endswith(".png")]
    assert len(contents.films) == len(pictures)
    assert all(film.masks for film in contents.films)
    assert contents.gaps == {}
