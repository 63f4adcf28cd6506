"""Lesions that touch are told apart, and only then is there a file."""

import numpy as np
import pytest

from flexunet.data.annotations.shapes import ANNOTATED, Box, Circle, Dot, FilmAnnotation, Polygon
from flexunet.data.dataset.instances import fit_instances, instance_file, number_lesions, read_instances
from flexunet.data.images.files.write import write_image
from flexunet.data.images.regions import find_regions, regions_of_numbers
from flexunet.errors import MaskError


def film(*shapes):
    return FilmAnnotation(ANNOTATED, shapes)


def numbered(annotation, classes=None):
    mask = annotation.rasterise(60, 40, classes)
    return mask, number_lesions(mask, annotation.areas(60, 40, classes))


def test_components_are_enough_where_nothing_touches():
    _, numbers = numbered(film(Box.of(2, 2, 10, 10), Box.of(20, 2, 30, 10), Dot(50, 30)))
    assert numbers is None


def test_touching_and_overlapping_lesions_keep_their_own_pixels():
    large, small = Box.of(2, 2, 22, 22), Box.of(18, 10, 28, 20)
    apart = Box.of(40, 2, 44, 6)
    mask, numbers = numbered(film(large, small, apart))
    assert sorted(np.unique(numbers[mask > 0])) == [1, 2, 3]
    assert not numbers[mask == 0].any()
    areas = sorted(np.bincount(numbers.ravel())[1:].tolist())
    assert areas == [16, 100, 400 - 4 * 10]  # where they overlap, the smaller one has the pixels


def test_a_lesion_within_another_is_part_of_it():
    outline, core = Circle(20, 20, 15), Circle(20, 20, 4)
    assert numbered(film(outline, core))[1] is None
    assert numbered(film(outline, *(Dot(20 + x, 20) for x in range(5))))[1] is None


def test_lesions_of_different_classes_never_share_a_number():
    mass, calcification = Box.of(2, 2, 22, 22, "mass"), Box.of(10, 10, 30, 30, "calc")
    other = Box.of(22, 2, 32, 9, "mass")
    mask, numbers = numbered(film(mass, calcification, other), {"mass": 1, "calc": 2})
    assert set(np.unique(numbers[mask == 1])) & set(np.unique(numbers[mask == 2])) == set()
    assert numbers[3, 3] != numbers[3, 25]


def test_numbers_fit_a_mask_of_another_size():
    mask, numbers = numbered(film(Polygon(((2, 2), (30, 2), (30, 30), (2, 30))), Box.of(30, 2, 50, 30)))
    small, thin = mask[::4, ::4].copy(), numbers[::4, ::4].copy()
    thin[0, :] = 0
    small[0, 1:12] = 1  # pixels that the resized numbers do not have
    fitted = fit_instances(thin, small)
    assert np.array_equal(fitted > 0, small > 0)
    assert set(np.unique(fitted[small > 0])) == set(np.unique(numbers[mask > 0]))
    assert fit_instances(np.minimum(thin, 1), small) is None


def test_regions_of_numbers_are_those_of_components_where_these_are_lesions():
    random = np.random.default_rng(0)
    area = random.random((30, 40)) > 0.6
    components = find_regions(area, min_area=3)
    whole = find_regions(area)
    regions = regions_of_numbers(whole.labels, area, min_area=3)
    for name in ("labels", "areas", "boxes"):
        assert np.array_equal(getattr(regions, name), getattr(components, name)), name
    np.testing.assert_allclose(regions.centres, components.centres)
    none = regions_of_numbers(whole.labels, area & False)
    assert len(none) == 0


def test_the_file_lies_beside_the_masks_and_has_their_size(tmp_path):
    mask = tmp_path / "test" / "masks" / "a.png"
    truth = np.ones((8, 8), np.uint8)
    assert read_instances(mask, truth) is None
    assert instance_file(tmp_path / "a.png") is None
    path = instance_file(mask)
    path.parent.mkdir(parents=True)
    write_image(path, np.arange(64, dtype=np.uint8).reshape(8, 8))
    assert read_instances(mask, truth)[1, 1] == 9
    with pytest.raises(MaskError, match="8 x 8 pixels, its mask"):
        read_instances(mask, truth[:4])
