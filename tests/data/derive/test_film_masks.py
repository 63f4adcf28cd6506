"""Sources of masks: files by name, outlines, models; what nobody knows is excluded."""

import numpy as np
import pytest
from PIL import Image

from flexunet.data.annotations.shapes import ANNOTATED, UNKNOWN, Circle, FilmAnnotation
from flexunet.data.derive.film_masks import (
    DRAFT,
    EXCLUDED,
    LABELLED,
    TO_REVIEW,
    AnnotatedMasks,
    GivenMasks,
    ModelMasks,
    NoMasks,
    RawFilm,
    draft_mask,
)
from flexunet.data.derive.run import list_films
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.reader import MaskReader
from flexunet.errors import MaskError, PairingError, PathError


def film(tmp_path, name, group="", normal=False):
    return RawFilm(tmp_path / group / f"{name}.jpg", f"{group}/{name}.jpg", name, group, normal)


def write_masks(folder, *names):
    for name in names:
        mask = np.zeros((6, 8), np.uint8)
        mask[2, 3] = 255
        write_image(folder / f"{name}.png", mask)


def test_without_masks_only_normal_films_have_one(tmp_path):
    normal, other = film(tmp_path, "a", "Non-Cancer", normal=True), film(tmp_path, "b", "Cancer")
    for source, state in ((NoMasks(), TO_REVIEW), (ModelMasks("m"), DRAFT), (AnnotatedMasks({}), EXCLUDED)):
        answer = source.mask_of(normal, 8, 6)
        assert answer.state == LABELLED
        assert answer.mask is not None
        assert answer.mask.shape == (6, 8)
        assert not answer.mask.any()
        assert source.mask_of(other, 8, 6).state == state


def test_abnormal_without_coordinates_is_never_normal(tmp_path):
    source = AnnotatedMasks({"a": FilmAnnotation(UNKNOWN, reason="row 3")})
    for normal in (False, True):
        answer = source.mask_of(film(tmp_path, "a", normal=normal), 8, 6)
        assert answer.state == EXCLUDED
        assert "row 3" in answer.reason


def test_lesion_in_a_normal_folder_is_a_contradiction(tmp_path):
    source = AnnotatedMasks({"a": FilmAnnotation(ANNOTATED, (Circle(3, 3, 2),))})
    assert source.mask_of(film(tmp_path, "a", normal=True), 8, 6).state == EXCLUDED
    mask = source.mask_of(film(tmp_path, "a"), 8, 6).mask
    assert mask is not None
    assert mask.any()


def test_given_masks_by_name_by_suffix_and_by_folder(tmp_path):
    films = [film(tmp_path, "004_0"), film(tmp_path, "004_1")]
    write_masks(tmp_path / "plain", "004_0", "004_1", "stranger")
    found = GivenMasks.find(tmp_path / "plain", films, MaskReader())
    assert [path.stem for path in found.paths.values()] == ["004_0", "004_1"]
    assert [path.stem for path in found.unused] == ["stranger"]

    write_masks(tmp_path / "ending", "004_0_cancer", "004_1_cancer")
    assert len(GivenMasks.find(tmp_path / "ending", films, MaskReader()).paths) == 2

    grouped = [RawFilm(tmp_path / g / "1.jpg", f"{g}/1.jpg", f"{g}_1", g) for g in ("Cancer", "Other")]
    write_masks(tmp_path / "grouped" / "Cancer", "1")
    write_masks(tmp_path / "grouped" / "Other", "1")
    found = GivenMasks.find(tmp_path / "grouped", grouped, MaskReader())
    assert {name: path.parent.name for name, path in found.paths.items()} == {
        "Cancer_1": "Cancer",
        "Other_1": "Other",
    }
    write_masks(tmp_path / "flat", "1")
    with pytest.raises(PairingError, match="two films of the same name"):
        GivenMasks.find(tmp_path / "flat", grouped, MaskReader())


def test_missing_and_misshapen_masks(tmp_path):
    films = [film(tmp_path, "a"), film(tmp_path, "b"), film(tmp_path, "n", "Non-Cancer", normal=True)]
    write_masks(tmp_path / "masks", "a")
    source = GivenMasks.find(tmp_path / "masks", films, MaskReader())
    assert source.mask_of(films[0], 8, 6).mask[2, 3] == 1
    assert source.mask_of(films[1], 8, 6).state == EXCLUDED
    assert source.mask_of(films[2], 8, 6).state == LABELLED
    with pytest.raises(MaskError, match=r"8 x 6 pixels, its film \S+a\.jpg has 9 x 6"):
        source.mask_of(films[0], 9, 6)
    with pytest.raises(PairingError, match=r"no mask in .* belongs to a film"):
        GivenMasks.find(tmp_path / "masks", [film(tmp_path, "z")], MaskReader())


def test_fingerprint_follows_the_mask(tmp_path):
    films = [film(tmp_path, "a")]
    write_masks(tmp_path / "masks", "a")
    before = GivenMasks.find(tmp_path / "masks", films, MaskReader()).fingerprint(films[0])
    write_image(tmp_path / "masks" / "a.png", np.zeros((6, 8), np.uint8))
    assert GivenMasks.find(tmp_path / "masks", films, MaskReader()).fingerprint(films[0]) != before


def test_draft_figures_by_hand():
    probabilities = np.zeros((2, 2, 2), np.float32)
    probabilities[..., 1] = [[0.9, 0.5001], [0.01, 0.2]]
    probabilities[..., 0] = 1 - probabilities[..., 1]
    draft = draft_mask(probabilities)
    np.testing.assert_array_equal(draft.mask, [[1, 1], [0, 0]])
    # Pixels with a foreground probability of 0.05 or more: 0.9, 0.5001 and 0.2 (chosen: background, 0.8).
    assert draft.confidence == pytest.approx((0.9 + 0.5001 + 0.8) / 3, abs=1e-4)
    entropies = [-(p * np.log2(p) + (1 - p) * np.log2(1 - p)) for p in (0.9, 0.5001, 0.2)]
    assert draft.entropy == pytest.approx(np.mean(entropies), abs=1e-4)
    one_channel = draft_mask(probabilities[..., 1:])
    np.testing.assert_array_equal(one_channel.mask, draft.mask)
    assert one_channel.confidence == pytest.approx(draft.confidence)


def test_draft_of_nothing_is_sure_of_it():
    draft = draft_mask(np.full((3, 3, 1), 0.02, np.float32))
    assert not draft.mask.any()
    assert draft.confidence == pytest.approx(0.98)
    assert draft.entropy == 0


def busi(folder, *masks):
    """Films and masks in one folder, as the breast ultrasound set BUSI has them; a mask is name and rows."""
    for number in (1, 2):
        picture = np.zeros((20, 30), np.uint8)
        picture[4:16, :20] = 120
        write_image(folder / f"benign ({number}).png", picture)
    for name, rows, value in masks:
        mask = np.zeros((20, 30), np.uint8)
        mask[rows, 5:9] = value
        write_image(folder / f"{name}.png", mask)


FIRST = [("benign (1)_mask", slice(5, 7), 255), ("benign (2)_mask", slice(5, 7), 255)]


@pytest.mark.parametrize("suffix", ["_mask", ""])
def test_second_masks_in_the_folder_of_the_films_are_united(tmp_path, suffix):
    busi(tmp_path, *FIRST, ("benign (2)_mask_1", slice(10, 12), 255))
    films = list_films(tmp_path, masks=tmp_path, mask_suffix=suffix)
    assert [each.name for each in films] == ["benign (1)", "benign (2)"]
    source = GivenMasks.find(tmp_path, films, MaskReader(), suffix)
    areas = [source.mask_of(each, 30, 20).mask for each in films]
    assert [mask.sum() for mask in areas] == [8, 16]
    assert areas[1][10:12, 5:9].all()
    assert not source.unused
    before = source.fingerprint(films[1])
    busi(tmp_path, ("benign (2)_mask_1", slice(13, 15), 255))
    assert source.fingerprint(films[1]) != before


def test_masks_beside_films_are_never_taken_for_films(tmp_path):
    busi(tmp_path, *FIRST)
    with pytest.raises(PathError, match=r"holds 2 masks beside films, benign \(1\)_mask\.png"):
        list_films(tmp_path)
    with pytest.raises(PathError, match="Give the folder itself with --masks"):
        list_films(tmp_path, masks=tmp_path / "elsewhere")


def test_second_masks_of_other_classes_are_named(tmp_path):
    colors = ColorMap({(0, 0, 0): 0, (255, 255, 255): 1, (128, 128, 128): 2})
    busi(tmp_path, *FIRST, ("benign (2)_mask_1", slice(6, 8), 128))
    films = list_films(tmp_path, masks=tmp_path)
    source = GivenMasks.find(tmp_path, films, MaskReader(colors))
    with pytest.raises(MaskError, match=r"_mask\.png and .*_mask_1\.png give the same pixels other"):
        source.mask_of(films[1], 30, 20)


def test_a_mask_of_a_plain_name_and_a_number_may_be_another_film_s(tmp_path):
    films = [film(tmp_path, "004"), film(tmp_path, "005")]
    write_masks(tmp_path / "masks", "004", "004_1", "005")
    source = GivenMasks.find(tmp_path / "masks", films, MaskReader())
    answer = source.mask_of(films[0], 8, 6)
    assert answer.state == EXCLUDED
    assert "004_1.png may be a second mask of it" in answer.reason
    assert source.mask_of(films[1], 8, 6).state == LABELLED


def test_outlines_beyond_the_film_do_not_make_it_normal(tmp_path):
    source = AnnotatedMasks({"a": FilmAnnotation(ANNOTATED, (Circle(300, 3, 2),))})
    answer = source.mask_of(film(tmp_path, "a"), 8, 6)
    assert answer.state == EXCLUDED
    assert "mark no pixel" in answer.reason


def test_outlines_of_a_film_that_a_tag_turns_by_half_are_doubted(tmp_path):
    for name, orientation in (("a", 3), ("b", 1), ("c", 2), ("d", 6)):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(np.zeros((12, 9), np.uint8)).save(tmp_path / f"{name}.jpg", exif=exif)
    outlined = FilmAnnotation(ANNOTATED, (Circle(3, 3, 2),), 9, 12)
    films = list_films(tmp_path)
    doubt = AnnotatedMasks(dict.fromkeys("abd", outlined)).doubt_about_frames(films)
    assert "1 outlined film has an orientation tag" in doubt
    assert ": a.jpg." in doubt
    assert AnnotatedMasks({"b": outlined}).doubt_about_frames(films) == ""


def test_outlines_of_a_film_that_a_tag_turns(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((12, 9), np.uint8)).save(tmp_path / "a.jpg", exif=exif)
    source = AnnotatedMasks({"a": FilmAnnotation(ANNOTATED, (Circle(3, 3, 2),), 9, 12)})
    with pytest.raises(MaskError, match=r"9 x 12 pixels, but the film has 12 x 9.*EXIF 6"):
        source.mask_of(film(tmp_path, "a"), 12, 9)


def test_second_masks_that_touch_the_first_are_numbered(tmp_path):
    busi(tmp_path, *FIRST, ("benign (2)_mask_1", slice(7, 12), 255))
    films = list_films(tmp_path, masks=tmp_path)
    source = GivenMasks.find(tmp_path, films, MaskReader())
    answers = {each.name: source.mask_of(each, 30, 20) for each in films}
    touching = answers["benign (2)"]
    numbers = touching.instances
    assert np.array_equal(numbers > 0, touching.mask > 0)
    assert len(np.unique(numbers)) == 3
    assert all(answer.instances is None for name, answer in answers.items() if name != "benign (2)")


def test_a_file_in_place_of_a_folder_is_told_its_option(tmp_path):
    (tmp_path / "annotations.json").write_text("{}")
    with pytest.raises(PathError, match=r"found a file.*--annotations"):
        GivenMasks.find(tmp_path / "annotations.json", [film(tmp_path, "a")], MaskReader())


def test_masks_that_count_as_films_are_told(tmp_path):
    write_masks(tmp_path / "raw" / "img", "a")
    write_masks(tmp_path / "raw" / "labels", "b")
    films = list_films(tmp_path / "raw")
    assert len(films) == 2
    with pytest.raises(PairingError, match=r"lies in it, so all its files count as films"):
        GivenMasks.find(tmp_path / "raw" / "labels", films, MaskReader())
