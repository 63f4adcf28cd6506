"""The curated collection: four rules of names, and masks that lack lesions."""

from flexunet.data.annotations.shapes import ANNOTATED, UNKNOWN
from flexunet.data.collections.collection import NO_FILM, NO_OUTLINE


def test_films_masks_and_patients(make, tmp_path):
    root = tmp_path / "collection"

    def put(folder, name, mask=False):
        make.picture(
            root / folder / f"{name}___PRE.png", make.mask(200, 160, 90, 20) if mask else make.breast()
        )

    for name in ("Mass-Test_P_00001_LEFT_CC", "Mass-Test_P_00002_LEFT_CC", "Mass-Test_P_00003_RIGHT_MLO"):
        put("CBIS/CBIS-MASS-SELECTED-IMGS", f"{name}_FULL")
    put("CBIS/CBIS-MASS-SELECTED-MASKS", "Mass-Test_P_00001_LEFT_CC_MASK_1", mask=True)
    put("CBIS/CBIS-MASS-SELECTED-MASKS", "Mass-Test_P_00001_LEFT_CC_MASK_2", mask=True)
    put("CBIS/CBIS-MASS-SELECTED-MASKS", "Mass-Test_P_00002_LEFT_CC_MASK_2", mask=True)
    put("CSAW/CSAW-SELECTED-IMGS", "CSAW-Image-122.png")
    put("CSAW/CSAW-SELECTED-MASKS", "CSAW-Mask-122.png", mask=True)
    _, contents = make.read(root)
    films = make.by_name(contents)
    assert {name: film.annotation.state for name, film in films.items()} == {
        "Mass-Test_P_00001_LEFT_CC_FULL": ANNOTATED,
        "Mass-Test_P_00002_LEFT_CC_FULL": UNKNOWN,
        "Mass-Test_P_00003_RIGHT_MLO_FULL": UNKNOWN,
        "CSAW-Image-122": ANNOTATED,
    }
    assert contents.gaps == {NO_OUTLINE: ["Mass-Test_P_00003_RIGHT_MLO_FULL___PRE.png"]}
    rows, report = make.derived(root, tmp_path / "out")
    assert "only [2] are in the masks" in rows["Mass-Test_P_00002_LEFT_CC_FULL"]["reason"]
    patients = {row["source"]: row["patient"] for row in report.manifest.rows}
    assert patients == {"Mass-Test_P_00001_LEFT_CC_FULL": "P_00001", "CSAW-Image-122": ""}


def test_one_view_in_two_parts_is_excluded(make, tmp_path):
    for kind in ("Mass", "Calc"):
        folder = tmp_path / f"CBIS-{kind.upper()}-SELECTED-IMGS"
        make.picture(folder / f"{kind}-Training_P_00041_LEFT_CC_FULL___PRE.png", make.breast())
        folder = tmp_path / f"CBIS-{kind.upper()}-SELECTED-MASKS"
        make.picture(folder / f"{kind}-Training_P_00041_LEFT_CC_MASK_1___PRE.png", make.mask(200, 160, 9, 9))
    _, contents = make.read(tmp_path)
    assert [film.annotation.state for film in contents.films] == [UNKNOWN, UNKNOWN]
    assert contents.count()["patients"] == 1


def test_the_sample(formats, make, tmp_path):
    """Values of shared/data/formats/README.md."""
    for line in (formats / "curated_collection" / "folder_listing.txt").read_text().split():
        path = tmp_path / line
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"only its name counts here")
    collection, contents = make.read(tmp_path, "curated")
    paired = [film for film in contents.films if film.annotation.state == ANNOTATED and film.masks]
    columns = [film.annotation.columns for film in paired]
    assert sorted(each["dataset"] for each in columns) == [
        "curated BCDR",
        "curated CBIS-MASS",
        "curated CBIS-MASS",
        "curated CSAW",
        "curated INBREAST",
        "curated INBREAST",
    ]
    assert {each.get("patient", "") for each in columns} == {
        "bcdr-205",
        "P_00194",
        "P_00343",
        "",
        "493155e17143edef",
        "8c105bb715bf1c3c",
    }
    assert [name[:17] for name in contents.gaps[NO_FILM]] == ["Mass-Test_P_00510", "Mass-Test_P_01365"]
    assert {"side": "L", "view": "MLO"}.items() <= columns[0].items()
    assert collection.name == "curated"
