"""Matching files by name: nothing is lost, nothing is guessed, and order plays no part."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexunet.data.dataset.matching import common_ending, listed, match_names

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
    assert all(mask.stem == image.stem + found.ending for image, mask in found.partners.items())
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
