"""Matching files by name: nothing is lost, nothing is guessed, and order plays no part."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexunet.data.dataset.matching import common_ending, listed, masks_among, match_names

stems = st.lists(st.text("ab1_-", min_size=1, max_size=4), max_size=8, unique=True)


def paths(*names):
    return [Path(name) for name in names]


@settings(deadline=None)
@given(stems, stems, st.randoms(use_true_random=False))
def test_every_file_is_matched_or_alone_whatever_the_order(files, partners, random):
    images, masks = [Path(f"{stem}.png") for stem in files], [Path(f"{stem}.npz") for stem in partners]
    found = match_names(images, masks)
    assert sorted([*found.partners, *found.alone]) == sorted(images)
    assert sorted([*found.partners.values(), *found.strangers]) == sorted(masks)
    shared = {image: image.stem.removesuffix(found.file_ending) for image in images}
    assert all(mask.stem == shared[image] + found.ending for image, mask in found.partners.items())
    assert not found.repeated
    random.shuffle(images)
    random.shuffle(masks)
    assert match_names(images, masks) == found


@settings(deadline=None)
@given(
    st.lists(st.text("ab1", min_size=1, max_size=4), min_size=1, max_size=8, unique=True),
    st.sampled_from(["_mask", "-LI", " 1", "._x"]),
)
def test_an_ending_of_all_partners_is_found_and_is_none_where_a_plain_name_occurs(files, ending):
    partners = [stem + ending for stem in files]
    assert common_ending(files, partners) == ending
    assert common_ending(files, [*partners, files[0]]) == ""


@pytest.mark.parametrize(
    ("files", "partners", "ending"),
    [
        (["a", "a_1"], ["a_mask", "a_1_mask"], "_mask"),
        (["a", "b", "c"], ["b_mask"], "_mask"),  # few masks, one ending
        (["a", "b"], ["a_mask", "b_seg"], ""),  # two that explain half each
        (["a", "b"], ["a_x", "b_x", "a_y", "b_y"], ""),  # two that explain all
        (["1"], ["11"], ""),
        (["a"], ["a", "b_mask"], ""),
        ([], ["a_mask"], ""),
    ],
)
def test_endings_by_hand(files, partners, ending):
    assert common_ending(files, partners) == ending


def test_repeated_names():
    found = match_names(paths("a.jpg", "a.png", "b.png"), paths("a.png", "b.npz", "b.png"))
    assert found.repeated == [paths("a.jpg", "a.png")]
    assert found.repeated_partners == [paths("b.npz", "b.png")]
    assert found.partners[Path("b.png")] == Path("b.png")


def test_a_plain_name_may_be_demanded():
    assert match_names(paths("a.png"), paths("a_mask.png"), ending="").alone == paths("a.png")
    assert match_names(paths("a.png"), paths("amask.png"), ending="mask").partners


def test_few_of_many_names_are_listed():
    assert listed(["a", "b"]) == "a, b"
    assert listed(list("abcd"), 2, "; ") == "a; b and 2 more"


@pytest.mark.parametrize(
    ("files", "partners", "paired"),
    [
        (["a_0000.png", "b_0000.png"], ["a.png", "b.png"], 2),  # nnU-Net
        (["21_training.tif", "22_training.tif"], ["21_manual1.png", "22_manual1.png"], 2),  # DRIVE
        (["01_test.tif"], ["01_manual1.png"], 1),
        (["a_left.png", "b_left.png"], ["a_right.png", "b_right.png"], 0),  # two breasts of one woman
        (["a_0000.png", "a_0001.png"], ["a.png"], 0),  # two channels
        (["1.2.840.5", "1.2.840.6"], ["1.2.840.5.png", "1.2.840.6.png"], 2),  # DICOM by UID
        (["1.2.840.5", "1.2.840.6"], ["1.2.840.5", "1.2.840.6"], 2),
        (["a.1.jpg", "a.2.jpg"], ["a.1.png", "a.2.npz"], 2),
    ],
)
def test_names_of_published_sets(files, partners, paired):
    found = match_names(paths(*files), paths(*partners))
    assert len(found.partners) == paired
    assert not found.repeated
    assert not found.repeated_partners


@pytest.mark.parametrize(
    ("files", "partners", "hint"),
    [
        (
            ["a_left.png", "b_left.png"],
            ["a_right.png", "b_right.png"],
            "images end in _left, these masks end in _right",
        ),
        (["a_x.png", "b_x.png"], ["c.png", "d.png"], "images end in _x, these masks have no common ending"),
        (["a_0000.png", "a_0001.png"], ["a.png"], "a_0000.png and a_0001.png are 2 images of the mask a.png"),
        (
            ["a.png", "b.png"],
            ["a_mask.png", "b_mask.png", "b_mask_1.png"],
            "b_mask_1.png looks like a second mask of b",
        ),
        (["a_1.png", "b_1.png"], ["mask_a_1.png", "mask_b_1.png"], "These masks begin with mask_: rename"),
        (["a.png", "b.png"], ["a.png"], ""),
        (["a.png"], ["a.png"], ""),
    ],
)
def test_what_names_have_in_common_is_said(files, partners, hint):
    said = match_names(paths(*files), paths(*partners)).hint
    assert hint in said if hint else not said


@pytest.mark.parametrize(
    ("names", "suffix", "masks"),
    [
        (["b (1).png", "b (1)_mask.png", "b (1)_mask_1.png"], "", ["b (1)_mask.png", "b (1)_mask_1.png"]),
        (["a.png", "a_x.png", "a_x2.png", "a_y.png"], "_x", ["a_x.png", "a_x2.png"]),
        (["a.png", "a_x.png", "b_mask.png"], "", []),
        (["a.png", "A_MASK.png", "a-Seg.png"], "", ["a-Seg.png"]),
    ],
)
def test_masks_among_images(names, suffix, masks):
    assert masks_among(paths(*names), suffix) == paths(*masks)
