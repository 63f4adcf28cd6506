import cv2
import numpy as np
import pytest

from flexunet.data.copies.candidates import find_candidates
from flexunet.data.copies.find import find_copies, inliers_needed
from flexunet.data.copies.fingerprints import (
    Fingerprint,
    grey_of,
    match_fingerprints,
    similarities,
    take_fingerprint,
    unit_rows,
)
from flexunet.data.images.files.read import read_image
from flexunet.data.images.foreground import find_foreground, without_filling
from flexunet.data.phantom.draw import draw_phantom

FILMS = ("mdb001", "mdb028", "mdb053", "mdb054", "mdb100", "mdb179")


def phantom(seed, size=256):
    return draw_phantom(seed, size, size, labels=False).image


def affine(picture, matrix):
    height, width = picture.shape
    return cv2.warpAffine(picture, np.float32(matrix), (width, height))


@pytest.fixture(scope="module")
def films(mammograms):
    folder = mammograms / "mini_mias_512" / "images"
    return [grey_of(read_image(folder / f"{name}.png", None)) for name in FILMS]


class TestForeground:
    def test_a_disc_on_black_with_a_label(self):
        picture = np.zeros((256, 256), np.uint8)
        cv2.circle(picture, (100, 128), 70, 120, -1)
        cv2.rectangle(picture, (220, 10), (245, 25), 255, -1)
        found = find_foreground(picture)
        assert found[128, 100]
        assert not found[18, 232]  # the label is bright, but small
        assert abs(found.sum() / (np.pi * 70**2) - 1) < 0.08  # blurring adds a pixel or two

    def test_no_black_background(self):
        rng = np.random.default_rng(0)
        assert find_foreground(rng.integers(100, 200, (256, 256)).astype(np.uint8)).all()
        assert find_foreground(np.full((256, 256), 7, np.uint8)).all()

    def test_a_grey_frame_turns_black_and_the_picture_stays(self):
        picture = np.full((256, 256), 150, np.uint8)
        inside = np.random.default_rng(0).integers(0, 255, (160, 160)).astype(np.uint8)
        picture[48:208, 48:208] = inside
        bare = without_filling(picture)
        assert not bare[:44].any()
        assert not bare[:, 212:].any()
        assert (bare[56:200, 56:200] == inside[8:152, 8:152]).all()


class TestMatching:
    def test_mirrored_features_are_those_of_the_mirrored_picture(self, films):
        picture = films[1]
        match = match_fingerprints(take_fingerprint(picture), take_fingerprint(picture[:, ::-1].copy()))
        assert match.mirrored
        assert match.inliers > 100

    @pytest.mark.parametrize(
        ("change", "mirrored"),
        [
            (lambda p: p[::-1].copy(), True),
            (lambda p: np.rot90(p).copy(), False),
            (lambda p: affine(p, cv2.getRotationMatrix2D((256, 256), 33, 0.7)), False),
            (lambda p: affine(p, [[1, 0, 0], [0.2, 1, -50]]), False),
            (lambda p: cv2.convertScaleAbs(p, alpha=1.2, beta=10), False),
            (lambda p: cv2.resize(p, (300, 300), interpolation=cv2.INTER_AREA), False),
            (lambda p: 255 - p, False),
            (lambda p: np.rot90(200 - p // 2)[::-1].copy(), True),
        ],
        ids=[
            "upside down",
            "quarter turn",
            "turned and shrunk",
            "sheared",
            "brightened",
            "scaled",
            "negative",
            "pale negative",
        ],
    )
    def test_copies_match(self, films, change, mirrored):
        for picture in films[:3]:
            match = match_fingerprints(take_fingerprint(picture), take_fingerprint(change(picture)))
            assert match.inliers >= 25
            assert match.mirrored == mirrored
            assert match.spread > 0.05

    def test_different_breasts_do_not_match(self, films):
        prints = [take_fingerprint(film) for film in films]  # 53 and 54 are two breasts of one woman
        inliers = [match_fingerprints(a, b).inliers for i, a in enumerate(prints) for b in prints[:i]]
        assert max(inliers) < 10

    def test_a_flat_picture_has_no_features(self):
        flat = take_fingerprint(np.full((64, 64), 9, np.uint8))
        assert len(flat.points) == 0
        assert match_fingerprints(flat, take_fingerprint(phantom(1))).inliers == 0

    def test_features_in_one_spot_have_no_spread(self):
        rng = np.random.default_rng(0)
        points = np.repeat([[50.0, 50.0], [51.0, 50.0], [50.0, 51.0]], 10, axis=0).astype(np.float32)
        points += rng.uniform(-0.4, 0.4, points.shape).astype(np.float32)
        label = Fingerprint(points, rng.integers(0, 255, (30, 128), dtype=np.uint8))
        match = match_fingerprints(label, label)
        assert match.inliers == 30
        assert match.spread < 0.01

    def test_sixteen_bit_pictures_are_stretched(self):
        deep = np.arange(4096, dtype=np.uint16).reshape(64, 64, 1)
        grey = grey_of(deep)
        assert grey.dtype == np.uint8
        assert grey.min() == 0
        assert grey.max() >= 254

    def test_similarity_is_the_cosine(self):
        rows = unit_rows(np.array([[3, 4, 0], [0, 0, 5]], np.uint8))
        assert similarities(rows, rows) == pytest.approx(np.eye(2))
        assert similarities(rows, unit_rows(np.array([[1, 0, 0]]))).ravel() == pytest.approx([0.6, 0.0])


class TestCopies:
    def test_more_pictures_need_more_inliers(self):
        needed = [inliers_needed(count) for count in (2, 100, 500, 2000, 10000)]
        assert needed == sorted(needed)
        assert needed[0] == 14
        assert needed[-1] > needed[0]

    def test_copies_are_found_among_others(self, films):
        pictures = [*films, films[0][:, ::-1].copy(), affine(films[2], [[0.8, 0, 40], [0.1, 0.8, 20]])]
        prints = [take_fingerprint(picture) for picture in pictures]
        candidates = {tuple(pair) for pair in find_candidates(prints).tolist()}
        assert {(0, 6), (2, 7)} <= candidates
        pairs = find_copies(prints)
        assert {(pair.first, pair.second) for pair in pairs} == {(0, 6), (2, 7)}

    def test_no_pictures_and_blank_pictures(self):
        assert find_copies([]) == []
        blank = take_fingerprint(np.zeros((32, 32), np.uint8))
        assert find_copies([blank, blank]) == []

    def test_phantoms_are_all_different(self):
        prints = [take_fingerprint(phantom(seed)) for seed in range(12)]
        assert find_copies(prints) == []
