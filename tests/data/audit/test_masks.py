import cv2
import numpy as np
import pytest
from PIL import Image

from flexunet.data.audit import audit_dataset
from flexunet.data.audit.mask_findings import usual_contrast
from flexunet.data.audit.mask_measures import measure_mask
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.header import is_white_zero
from flexunet.data.images.files.write import write_image
from flexunet.data.images.guess import guess_colors
from flexunet.data.images.masks.read import read_mask
from flexunet.data.images.masks.write import write_mask
from flexunet.data.phantom.draw import draw_phantom

BINARY = ColorMap.binary()


def measure(grey, mask, breast, color_map=BINARY):
    return measure_mask(mask, color_map.colors(mask), color_map, grey, breast)


@pytest.fixture
def scene():
    """A breast of grey 100 +- 10 in the left half of 200 x 200, black on the right."""
    rng = np.random.default_rng(0)
    grey = np.zeros((200, 200), np.uint8)
    grey[:, :100] = np.clip(rng.normal(100, 10, (200, 100)), 0, 255)
    return grey, grey > 0


class TestMeasures:
    def test_empty(self, scene):
        found = measure(scene[0], np.zeros((200, 200), np.uint8), scene[1])
        assert found.is_empty
        assert found.class_pixels == (40000, 0)
        assert np.isnan(found.contrast)

    def test_a_bright_lesion_inside(self, scene):
        grey, breast = scene
        mask = np.zeros((200, 200), np.uint8)
        mask[80:100, 40:60] = 1
        grey[80:100, 40:60] += 30
        found = measure(grey, mask, breast)
        assert found.lesion_areas == (0.01,)
        assert found.foreground == pytest.approx(0.01)
        assert found.outside == 0
        # 30 grey levels brighter; the breast's deviation is 10 and a little for the lesion itself.
        assert found.contrast == pytest.approx(30 / grey[breast].std(), abs=0.1)

    def test_three_quarters_on_black(self, scene):
        mask = np.zeros((200, 200), np.uint8)
        mask[80:100, 92:124] = 1  # 8 of 32 columns on the breast, whose outline has 2 pixels of slack
        found = measure(*[scene[0], mask, scene[1]])
        assert found.worst_outside == pytest.approx(0.75, abs=0.04)

    def test_the_worst_of_two_areas_counts(self, scene):
        mask = np.zeros((200, 200), np.uint8)
        mask[20:40, 20:40] = mask[100:120, 150:170] = 1
        found = measure(scene[0], mask, scene[1])
        assert found.worst_outside == 1
        assert found.outside == pytest.approx(0.5)

    def test_specks_of_jpeg_do_not_count(self, scene):
        mask = np.zeros((200, 200), np.uint8)
        mask[20:60, 20:60] = 1
        mask[150, 150:152] = 1
        assert measure(scene[0], mask, scene[1]).worst_outside == 0

    def test_without_background_nothing_is_outside(self, scene):
        mask = np.zeros((200, 200), np.uint8)
        mask[80:100, 150:170] = 1
        assert measure(scene[0], mask, np.ones((200, 200), bool)).worst_outside == 0

    def test_soft_edges_are_counted(self, scene):
        mask = np.zeros((200, 200), np.uint8)
        mask[10:20, 10:20] = 1
        picture = BINARY.colors(mask)
        picture[9, 10:20] = 90
        found = measure_mask(mask, picture, BINARY, *scene)
        assert found.between == pytest.approx(10 / 40000)

    def test_large_images_give_the_same_figures(self, scene):
        grey, breast = (np.kron(part, np.ones((8, 8), part.dtype)) for part in scene)
        mask = np.zeros((1600, 1600), np.uint8)
        mask[640:800, 736:992] = 1
        assert measure(grey, mask, breast).worst_outside == pytest.approx(0.75, abs=0.04)


class TestUsualContrast:
    def test_misplaced_masks_do_not_widen_it(self):
        rng = np.random.default_rng(1)
        good, bad = rng.normal(1.4, 0.4, 17), rng.normal(0.0, 0.2, 7)
        middle, deviation = usual_contrast(np.r_[good, bad])
        assert (np.abs((bad - middle) / deviation) > 2.5).sum() >= 5
        assert deviation < 0.6

    def test_dark_lesions(self):
        middle, deviation = usual_contrast(np.array([-3.0, -2.0, -2.0, -1.0, 0.0]))
        assert middle == -2
        assert deviation == 0  # -3, -2, -2 are on the far side; their median distance is 0


class TestColors:
    def write(self, folder, value_sets):
        for number, values in enumerate(value_sets):
            picture = np.repeat(np.array(values, np.uint8), 64).reshape(8, -1)
            write_image(folder / f"{number}.png", picture)
        return sorted(folder.iterdir())

    def test_four_greys(self, tmp_path):
        masks = self.write(tmp_path, [(64, 128, 192, 255)] * 5)
        color_map, guessed = guess_colors(masks)
        assert guessed
        assert color_map.colors_to_class == {(64,) * 3: 0, (128,) * 3: 1, (192,) * 3: 2, (255,) * 3: 3}

    @pytest.mark.parametrize("values", [(0, 255), (0, 0), (0, 250), (0, 1)])
    def test_black_and_white(self, tmp_path, values):
        color_map, guessed = guess_colors(self.write(tmp_path, [values] * 4))
        assert color_map == BINARY
        assert not guessed

    def test_class_indices(self, tmp_path):
        color_map, guessed = guess_colors(self.write(tmp_path, [(0, 1), (0, 2), (0, 3)]))
        assert guessed
        assert color_map.num_classes == 4

    def test_predictions_confirm_a_rare_colour_and_bring_none(self, tmp_path):
        masks = self.write(tmp_path / "masks", [(0, 100), (0, 100), (0, 200)])
        predictions = self.write(tmp_path / "predictions", [(0, 200), (0, 150), (0, 150)])
        black, dark, bright = ((value,) * 3 for value in (0, 100, 200))
        assert guess_colors(masks)[0].colors_to_class == {black: 0, dark: 1}
        assert guess_colors(masks, predictions)[0].colors_to_class == {black: 0, dark: 1, bright: 2}

    @pytest.mark.parametrize(
        ("common", "rare"), [((0, 128), (0, 128, 255)), ((0, 255), (0, 100, 255)), ((0, 1), (0, 1, 2))]
    )
    def test_a_class_in_two_of_many_masks_is_not_lost(self, tmp_path, common, rare):
        for number in range(60):
            values = rare if number in (1, 3) else common
            picture = np.repeat(np.repeat(np.array([values], np.uint8), 20, axis=1), 20, axis=0)
            write_image(tmp_path / f"{number:02}.png", picture)
        masks = sorted(tmp_path.iterdir())
        color_map, guessed = guess_colors(masks)
        assert guessed
        assert list(color_map.colors_to_class) == [(value,) * 3 for value in rare]

    def test_small_areas_of_a_colour_in_large_masks_count(self, tmp_path):
        """A square of 7 x 7 pixels, 5 x 5 without its edge, in 2 of 10 masks of 400 x 400."""
        for number in range(10):
            picture = np.zeros((400, 400, 3), np.uint8)
            picture[100:300, 100:300] = (255, 0, 0)
            if number < 2:
                picture[20:27, 20:27] = (0, 0, 255)
            write_image(tmp_path / f"{number}.png", picture)
        color_map, _ = guess_colors(sorted(tmp_path.iterdir()))
        assert color_map.colors_to_class == {(0, 0, 0): 0, (0, 0, 255): 1, (255, 0, 0): 2}

    def test_soft_edges_are_no_classes(self, tmp_path):
        """A blurred disc has many greys, and none of them fills an area."""
        rows, columns = np.mgrid[:100, :100]
        for number in range(10):
            distance = np.hypot(rows - 50, columns - 40 - number)
            picture = np.clip(255 * (25 - distance) / 10, 0, 255).astype(np.uint8)
            write_image(tmp_path / f"{number}.png", picture)
        assert guess_colors(sorted(tmp_path.iterdir())) == (BINARY, False)

    def test_no_masks(self):
        assert guess_colors([]) == (BINARY, False)


def test_the_known_misplaced_masks_of_mini_mias(mammograms, tmp_path):
    names = ["001", "002", "005", "010", "012", "013", "015", "021", "072", "110", "126", "184", "212", "214"]
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
        for name in names:
            source = mammograms / "mini_mias_512" / kind / f"mdb{name}.png"
            if not source.is_file():
                pytest.skip(f"{source} is not here")
            (tmp_path / kind / source.name).symlink_to(source)
    result = audit_dataset(tmp_path, compare=False)
    misplaced = {name for finding in result.with_code("mask-misplaced") for name in finding.files}
    assert misplaced == {"images/mdb212.png", "images/mdb214.png"}
    partly = {name for finding in result.with_code("mask-partly-outside") for name in finding.files}
    assert partly == {"images/mdb072.png", "images/mdb110.png", "images/mdb126.png"}
    assert result.exit_code == 1


def test_shifted_masks_of_inbreast(mammograms, tmp_path):
    images = sorted((mammograms / "flexunet_inbreast" / "images").glob("*.png"))
    (tmp_path / "images").mkdir()
    shifted = []
    for number, path in enumerate(images):
        (tmp_path / "images" / path.name).symlink_to(path)
        mask = (
            cv2.imread(str(mammograms / "flexunet_inbreast" / "masks" / path.name), cv2.IMREAD_GRAYSCALE)
            > 127
        )
        if number % 6 == 0:
            grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            mask = _elsewhere(mask, grey)
            shifted.append(f"images/{path.name}")
        write_mask(tmp_path / "masks" / path.name, mask.astype(np.uint8), BINARY)
    result = audit_dataset(tmp_path, compare=False)
    told = {name for finding in result.with_code("mask-on-ordinary-tissue") for name in finding.files}
    assert told <= set(shifted)
    assert len(told) >= len(shifted) - 1


def _elsewhere(mask, grey):
    """The mask moved to where it lies on tissue that is as bright inside as around."""
    breast = cv2.erode((grey > 40).astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
    best, found = np.inf, mask
    smooth = cv2.GaussianBlur(grey, (0, 0), 12).astype(float)
    for dy in range(-240, 241, 60):
        for dx in range(-240, 241, 60):
            moved = (
                cv2.warpAffine(mask.astype(np.uint8), np.float32([[1, 0, dx], [0, 1, dy]]), mask.shape[::-1])
                > 0
            )
            if moved.sum() < mask.sum() or not breast[moved].all() or (moved & mask).any():
                continue
            ring = cv2.dilate(moved.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
            off = abs(smooth[moved].mean() - smooth[ring & ~moved].mean())
            if off < best:
                best, found = off, moved
    return found


class TestShare:
    """A split of 20 images: how many faulty masks it takes for an error, and what the finding names."""

    @pytest.fixture
    def write(self, tmp_path, scene):
        def write(split, wrong, name="film{}"):
            rng = np.random.default_rng(3)
            for number in range(20):
                grey = np.clip(scene[0] + rng.normal(0, 3, scene[0].shape) * scene[1], 0, 255).astype(
                    np.uint8
                )
                mask = np.zeros(grey.shape, np.uint8)
                top, left = 20 + 7 * number, 150 if number < wrong else 30
                mask[top : top + 20, left : left + 20] = 1
                grey[(mask > 0) & scene[1]] += 40
                stem = name.format(number)
                write_image(tmp_path / split / "images" / f"{stem}.png", grey)
                write_mask(tmp_path / split / "masks" / f"{stem}.png", mask, BINARY)
            return audit_dataset(tmp_path, compare=False)

        return write

    @pytest.mark.parametrize(
        ("split", "wrong", "code"),
        [("train", 1, 0), ("train", 2, 1), ("valid", 1, 0), ("valid", 2, 1), ("test", 1, 1)],
    )
    def test_one_tenth_of_a_split_or_any_in_test(self, write, split, wrong, code):
        result = write(split, wrong)
        assert len(result.with_code("mask-misplaced")) == wrong
        assert result.exit_code == code

    def test_copies_of_one_source_are_one_finding(self, write):
        (finding,) = write("train", 3, "rotated_{}_film").with_code("mask-misplaced")
        assert len(finding.files) == 3
        assert finding.severity == "error"
        assert "2 further copies" in finding.explanation


class TestInverted:
    def test_white_is_zero_is_named(self, tmp_path, scene):
        mask = np.zeros((200, 200), np.uint8)
        mask[60:90, 30:60] = 255
        (tmp_path / "masks").mkdir()
        for name in ("a", "b", "c", "d"):
            write_image(tmp_path / "images" / f"{name}.png", scene[0])
            path = tmp_path / "masks" / f"{name}.tif"
            if name == "b":  # Pillow turns the values round as it writes: stored are 255 for the lesion
                Image.fromarray(255 - mask).save(path, tiffinfo={262: 0})
            else:
                Image.fromarray(mask).save(path)
        assert is_white_zero(tmp_path / "masks" / "b.tif")
        result = audit_dataset(tmp_path, compare=False)
        (finding,) = result.with_code("mask-full")
        assert finding.files == ("images/b.png",)
        assert "WhiteIsZero" in finding.explanation
        assert result.exit_code == 1

    @pytest.mark.parametrize("kind", ["white", "black", "LA", "palette"])
    def test_alpha_alone_is_read(self, tmp_path, scene, kind):
        lesion = np.zeros((200, 200), np.uint8)
        lesion[60:90, 30:60] = 255
        level = np.full_like(lesion, 0 if kind == "black" else 255)
        write_image(tmp_path / "images" / "a.png", scene[0])
        (tmp_path / "masks").mkdir()
        path = tmp_path / "masks" / "a.png"
        if kind == "palette":
            picture = Image.fromarray(lesion // 255).convert("P")
            picture.putpalette([255] * 6)
            picture.save(path, transparency=bytes([0, 255]))
        else:
            Image.fromarray(np.dstack([level] * (1 if kind == "LA" else 3) + [lesion])).save(path)
        result = audit_dataset(tmp_path, compare=False)
        assert [code for code in ("unreadable-mask", "mask-full") if result.with_code(code)] == []
        assert np.array_equal(read_mask(path, ColorMap.binary()), lesion > 0)

    def test_a_class_map_that_fills_the_picture_is_none(self, scene):
        mask = np.ones((200, 200), np.uint8)
        mask[:100] = 2
        colors = ColorMap({(0, 0, 0): 0, (9, 9, 9): 1, (99, 99, 99): 2})
        assert not measure(scene[0], mask, scene[1], colors).looks_inverted
        assert measure(scene[0], np.ones((200, 200), np.uint8), scene[1], colors).looks_inverted


@pytest.mark.parametrize(("orientation", "code"), [(6, "mask-size"), (3, "orientation"), (1, None)])
def test_images_that_a_tag_turns_and_masks_that_none_does(tmp_path, orientation, code):
    """As annotation tools that ignore the tag leave them. Sizes tell of a quarter turn, not of a half."""
    for kind in ("images", "masks"):
        (tmp_path / "test" / kind).mkdir(parents=True)
    for name in "ab":
        phantom = draw_phantom(ord(name), 120, 90, labels=False)
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(phantom.image).convert("L").save(
            tmp_path / "test" / "images" / f"{name}.jpg", exif=exif
        )
        write_mask(tmp_path / "test" / "masks" / f"{name}.png", phantom.mask, ColorMap.binary())
    found = audit_dataset(tmp_path, compare=False)
    told = [finding for finding in found.findings if "orientation tag (EXIF" in finding.explanation]
    assert {finding.code for finding in told} == ({code} if code else set())
    for finding in told:
        assert f"EXIF {orientation}" in finding.explanation
        assert "remove the tag" in finding.explanation
