"""DMID: films and masks of one name."""

from flexunet.data.annotations.shapes import ANNOTATED, UNMARKED
from flexunet.data.collections.collection import NO_FILM, NO_OUTLINE


def test_films_and_masks(make, tmp_path):
    root = tmp_path / "DMID"
    for number in (1, 2):
        make.picture(root / "TIFF Images" / "TIFF Images" / f"IMG00{number}.tif", make.breast())
    for number in (1, 3):
        mask = make.mask(200, 160, 90, 20)
        make.picture(root / "ROI Masks" / "ROI Masks" / f"IMG00{number}.tif", mask)
    _, contents = make.read(root)
    states = {film.name: film.annotation.state for film in contents.films}
    assert states == {"IMG001": ANNOTATED, "IMG002": UNMARKED}
    assert contents.gaps == {NO_FILM: ["IMG003"]}
    rows, _ = make.derived(root, tmp_path / "out")
    assert (rows["IMG001"]["raw_lesion_pixels"], rows["IMG001"]["mask_origin"]) == ("400", "mask")
    assert rows["IMG002"]["state"] == "to_review"
    _, contents = make.read(root / "TIFF Images")
    assert contents.gaps == {NO_OUTLINE: ["IMG001", "IMG002"]}
