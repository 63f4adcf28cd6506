"""Operations against what the published tools wrote (shared/reference/augment; see its README)."""

import json
from pathlib import Path

import numpy as np
import pytest

from flexunet.config.augment_sections import OperationSections
from flexunet.config.files import load_config
from flexunet.config.schema import Config
from flexunet.data.augment.fields import slopes
from flexunet.data.augment.operations import OPERATIONS, planned, register_operation
from flexunet.data.augment.steps import Operation, Step
from flexunet.data.augment.warps import Displace
from flexunet.data.dataset.names import operation_of, source_of
from flexunet.errors import ConfigError

CENTERS = [(0.3, 0.3), (0.7, 0.3), (0.5, 0.5), (0.3, 0.7), (0.7, 0.7)]
SECTIONS = set(OperationSections.model_fields)
DOCS = Path(__file__).parents[3] / "docs"


def configured(**sections):
    """A configuration with these keys, and nothing else switched on."""
    off = {"hflip": False, "vflip": False, "rotation": False, "shrinks": []}
    config = Config.model_validate({**sections, "augmentor": off | sections.get("augmentor", {})})
    for name in SECTIONS & sections.keys():
        setattr(config.augmentor, name, True)
    return config


def everything():
    """Every operation, with several variants where it has them."""
    several = {
        "augmentor": {"hflip": True, "vflip": True, "rotation": True, "angles": [10.5], "shears": [0.2, -1.5]}
        | {"shrinks": [0.8, 1.0]},
        "deformation": {"sigmoids": [8.0, 10]},
        "distortion": {"distortions": [0.02, 0.03]},
        "barrdistortion": {"centers": CENTERS},
        "pincdistortion": {"centers": CENTERS},
        "sharpening": {"k": 1},
        "brightening": {"beta": -10},
    }
    return configured(**{key: {} for key in SECTIONS} | several)


def changed(config, image, seed=137):
    """The image after each step of a configuration."""
    return [step.with_seed(seed).change(*image.shape[:2]).image(image) for step in planned(config)]


def differences(found, expected):
    assert np.shape(found) == np.shape(expected)
    return np.abs(np.asarray(found, np.int32) - np.asarray(expected, np.int32))


@pytest.fixture(scope="module")
def published(reference):
    def load(name):
        with np.load(reference / "augment" / f"{name}.npz", allow_pickle=False) as arrays:
            return dict(arrays)

    return load


EXACT = {
    "hflip": {"augmentor": {"hflip": True}},
    "vflip": {"augmentor": {"vflip": True}},
    "sharpen": {"sharpening": {"k": 1.0}},
    "sharpen_k03": {"sharpening": {"k": 0.3}},
    "brighten": {"brightening": {"alpha": 1.2, "beta": 10}},
}
WARPED = {
    "rotate": {"augmentor": {"rotation": True, "angles": [30, 90, 180, 270, 350]}},
    "shear": {"augmentor": {"shears": [0.2, 0.1]}},
    "shear_hv": {"augmentor": {"shears": [0.2], "hflip": True, "vflip": True}},
    "barrel": {"barrdistortion": {"radius": 0.3, "amount": 0.3, "centers": CENTERS, "cumulative": True}},
    "barrel_one": {"barrdistortion": {"radius": 0.5, "amount": 0.5, "centers": [(0.5, 0.5)]}},
    "pincushion": {"pincdistortion": {"radius": 0.3, "amount": -0.3, "centers": CENTERS, "cumulative": True}},
}


@pytest.mark.parametrize("name", EXACT)
def test_equal_to_published(published, name):
    arrays = published(f"online_{name}")
    assert differences(changed(configured(**EXACT[name]), arrays["image_in"]), arrays["images"]).max() == 0


@pytest.mark.parametrize("name", WARPED)
def test_within_a_grey_level_of_published(published, name):
    arrays = published(f"online_{name}")
    assert differences(changed(configured(**WARPED[name]), arrays["image_in"]), arrays["images"]).max() <= 1


@pytest.mark.parametrize("name", ["hflip", "vflip", "rotate", "shear_hv", "barrel", "pincushion"])
def test_masks_are_the_published_ones_but_for_interpolated_borders(published, name):
    arrays = published(f"online_{name}")
    config = configured(**{**EXACT, **WARPED}[name])
    mask = (arrays["mask_in"].max(axis=2) > 127).astype(np.uint8)
    for step, expected in zip(planned(config), arrays["masks"], strict=True):
        found = step.change(*mask.shape).mask(mask)
        assert set(np.unique(found)) <= {0, 1}
        assert (found == (expected.max(axis=2) > 127)).mean() > 0.98


def test_shrink_is_that_of_the_generator(published):
    arrays = published("inbreast_images")
    for ratio in (0.7, 0.9):
        (found,) = changed(configured(augmentor={"shrinks": [ratio]}), arrays["0.png"])
        assert differences(found, arrays[f"shrinked_{ratio}_0.png"]).max() <= 1


def test_deformation_equals_the_middle_channel(published):
    """Each published channel is bent by a field of its own; ours is that of the middle one, for all."""
    arrays = published("inbreast_images")
    found = changed(configured(deformation={"sigmoids": [8, 10]}), arrays["0.png"])
    for sigma, image in zip((8, 10), found, strict=True):
        expected = arrays[f"deformed_alpha_1300_sigmoid_{sigma}_0.png"]
        assert differences(image[..., 1], expected[..., 1]).max() <= 1
        assert (differences(image, expected) <= 2).mean() > 0.96
    online = published("online_deform")["images"][0]
    assert differences(found[0][..., 1], online[..., 1]).max() <= 1


def test_brightening_does_not_weaken_deformation():
    """Published, the two share `alpha`, and a deformation of 1.2 instead of 1300 does next to nothing."""
    both = configured(deformation={}, brightening={"alpha": 1.2})
    assert planned(both)[0].parameters == {"alpha": 1300, "sigma": 8, "draw": 0}


@pytest.mark.parametrize(
    ("archive", "name", "draw", "size"),
    [
        ("inbreast_masks", "0", 0, 0.02),
        ("inbreast_masks", "0", 0, 0.03),
        ("inbreast_images", "1", 3, 0.02),
        ("inbreast_images", "1", 3, 0.03),
        ("offline_train_images", "1001", 0, 0.02),
    ],
)
def test_distortion_follows_the_published_landscape(published, archive, name, draw, size):
    """Same noise, same slopes. What is left out: the published tools divide by the largest *positive* slope,
    and where that is tiny or below 0, pixels come from hundreds of pixels away or the field is turned over.
    """
    arrays = published(archive)
    draws = np.random.RandomState(123)
    noise = [draws.normal(size=(128, 128)) for _ in range(draw + 1)][draw]
    along_x, along_y = (slope * (int(128 * size) / slope.max()) for slope in slopes(noise, 40))
    down, across = np.indices((128, 128), np.float32)
    found = Displace((across - along_x, down - along_y)).image(arrays[f"{name}.png"])
    expected = arrays[f"distorted_{size}_rsigma0.5_sigma40_{name}.png"]
    assert (differences(found, expected) <= 2).mean() > 0.99


def test_file_names_are_those_of_the_offline_tool(reference):
    config = load_config(reference / "augment" / "offline_generator.config")
    listed = json.loads((reference / "augment" / "meta.json").read_text())["offline"]["filenames"]
    ours = {step.prefix + "1001.png" for step in planned(config)}
    assert ours == set(listed["train/images"]) - {"1001.png"}


def test_barrel_names_are_those_of_the_generator(reference):
    listed = json.loads((reference / "augment" / "meta.json").read_text())["inbreast"]["filenames_images"]
    chosen = {"radius": 0.3, "centers": CENTERS}
    config = configured(
        barrdistortion=chosen | {"amount": 0.3},
        pincdistortion=chosen | {"amount": -0.3},
        deformation={"sigmoids": [8, 10]},
        distortion={"distortions": [0.02, 0.03]},
    )
    assert {step.prefix + "0.png" for step in planned(config)} <= set(listed)
    assert len(planned(config)) == 14


@pytest.mark.parametrize("stem", ["1001", "P34_R_DM_MLO", "5_x", "20"])
def test_names_parse_back(stem):
    steps = planned(everything())
    assert {step.operation.name for step in steps} == set(OPERATIONS)
    for step in steps:
        assert source_of(step.prefix + stem) == stem
        assert operation_of(step.prefix + stem) == step.label


def test_published_defaults():
    found = [step.prefix for step in planned(Config())]
    rotations = ["rotated_90_", "rotated_180_", "rotated_270_"]
    assert found == ["hfliped_", "vfliped_", *rotations, "shrinked_0_8_"]


def test_copies_asked_for_twice_are_made_once():
    config = configured(augmentor={"rotation": True, "angles": [90, 90.0, 45]})
    assert [step.prefix for step in planned(config)] == ["rotated_90_", "rotated_45_"]


def test_centres_are_distorted_one_by_one_unless_cumulative():
    chosen = {"radius": 0.2, "centers": [(0.25, 0.25), (0.75, 0.75)]}
    single = planned(configured(barrdistortion=chosen))
    both = planned(configured(barrdistortion=chosen | {"cumulative": True}))
    assert [len(step.parameters["centers"]) for step in single] == [1, 1]
    assert [len(step.parameters["centers"]) for step in both] == [1, 2]
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 1), np.uint8)
    second = single[1].change(64, 64).image(image)
    np.testing.assert_array_equal(second[:32, :32], image[:32, :32])
    second = both[1].change(64, 64).image(image)
    assert (second[:32, :32] != image[:32, :32]).any()


def test_black_fill_leaves_no_frame_of_tissue():
    """Where the breast lies in the corner, the published fill paints a grey frame."""
    image, mask = np.full((40, 40, 1), 200, np.uint8), np.ones((40, 40), np.uint8)
    chosen = {"rotation": True, "angles": [45], "shrinks": [0.5], "shears": [0.5]}
    for fill, value, label in (("corner", 200, 1), ("black", 0, 0)):
        for step in planned(configured(augmentor=chosen | {"fill": fill})):
            change = step.change(40, 40)
            assert change.image(image).min() == value
            assert change.mask(mask).min() == label


def test_keys_of_the_barrel_distortion_tool():
    tool = {"centers": [(0.3, 0.3), (0.5, 0.5)], "radii": [0.2, 0.4], "amounts": [0.7, -0.7]}
    found = [step.prefix for step in planned(configured(augmentor=tool))]
    settings = ["0.2_0.7", "0.2_-0.7", "0.4_0.7", "0.4_-0.7"]
    assert found == [f"barrdistorted_{index}_{each}_" for each in settings for index in (1001, 1002)]
    single = planned(configured(augmentor={"centers": [(0.5, 0.5)], "radius": 0.3, "amount": 0.4}))
    assert [step.prefix for step in single] == ["barrdistorted_1001_0.3_0.4_"]


def test_parameters_are_json_and_determine_the_change():
    image = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
    for step in planned(everything()):
        seeded = step.seeded(137, "a")
        read_back = json.loads(json.dumps(seeded.parameters))
        assert read_back == seeded.parameters
        again = step.operation.change(read_back, 48, 48)
        np.testing.assert_array_equal(again.image(image), seeded.change(48, 48).image(image))


def test_distortion_differs_from_image_to_image_and_deformation_does_not():
    deformation, distortion = planned(configured(deformation={}, distortion={}))
    assert deformation.seeded(137, "a") == deformation.seeded(137, "b")
    assert distortion.seeded(137, "a") != distortion.seeded(137, "b")
    assert distortion.seeded(137, "a") == distortion.seeded(137, "a")
    assert distortion.seeded(137, "a") != distortion.seeded(138, "a")


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"augmentor": {"shrinks": [1.2]}}, "shrinks"),
        ({"augmentor": {"shrinks": [0.0]}}, "shrinks"),
        ({"deformation": {"sigmoids": [0.0]}}, "sigmoids"),
        ({"distortion": {"distortions": [1.5]}}, "distortions"),
        ({"pincdistortion": {"amount": -1.0}}, "amount"),
    ],
)
def test_values_out_of_range_are_refused_by_key(sections, key):
    with pytest.raises(ConfigError, match=key):
        planned(configured(**sections))


def test_every_section_is_that_of_an_operation():
    assert set(OPERATIONS) >= SECTIONS


def test_the_page_lists_every_published_name():
    """Operations without a published name are listed with their keys, in the page made from the schema."""
    page = (DOCS / "augmentation.md").read_text()
    table = page[page.index("## The operations") : page.index("Keys and names are")]
    begins = [
        line.rsplit("|", 2)[1].replace("`", "").replace(" ", "").split(",")
        for line in table.splitlines()[4:]
        if line
    ]
    patterns = {operation_of(f"{prefix}x") for prefixes in begins for prefix in prefixes if "…" not in prefix}
    named = {step.label for step in planned(everything()) if step.operation.prefix}
    assert patterns <= named
    assert {name.partition("+")[0] for name in named} == {name.partition("+")[0] for name in patterns}


@pytest.fixture
def own():
    """An operation of a user: columns moved to the right, by one parameter each."""

    def variants(config):
        yield from ({"by": by} for by in (1, 2.5))

    def change(parameters, height, width):
        down, across = np.indices((height, width), np.float32)
        return Displace((across - np.float32(parameters["by"]), down), border="nearest")

    yield register_operation(Operation("push", variants, change))
    del OPERATIONS["push"]


def test_an_operation_of_ones_own_is_planned_named_and_recorded(own):
    steps = [step for step in planned(Config()) if step.operation is own]
    assert [step.prefix for step in steps] == ["aug-push-1_", "aug-push-2.5_"]
    assert (source_of("aug-push-2.5_P34_R_DM_MLO"), operation_of("aug-push-2.5_x")) == (
        "P34_R_DM_MLO",
        "push",
    )
    image = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
    pushed = steps[0].seeded(1, "x").change(3, 4).image(image)
    assert pushed[0, :, 0].tolist() == [0, 0, 1, 2]


def test_names_that_cannot_be_are_refused(own):
    with pytest.raises(ConfigError, match="'push' is there already"):
        register_operation(own)
    with pytest.raises(ConfigError, match="lower-case letters"):
        register_operation(Operation("Push-2", own.variants, own.change))


def test_a_seed_is_no_part_of_the_name(own):
    random = Operation("push", own.variants, own.change, "image")
    step = Step(random, {"by": 1}).seeded(137, "a")
    assert "seed" in step.parameters
    assert step.prefix == "aug-push-1_"


def crop(seed, smallest, height, width):
    (step,) = planned(configured(cropping={"smallest": smallest}))
    return step.with_seed(seed).change(height, width)


def test_a_crop_is_enlarged_to_the_whole_image():
    """A picture of coordinates shows which part was taken: of the image's shape, inside it, large enough."""
    height, width = 120, 200
    down, across = np.indices((height, width), np.float32)
    sides, lefts = [], []
    for seed in range(40):
        change = crop(seed, 0.4, height, width)
        xs, ys = change.image(across[..., None])[60, :, 0], change.image(down[..., None])[:, 100, 0]
        side = (xs[150] - xs[50]) / 100
        assert (ys[90] - ys[30]) / 60 == pytest.approx(side, abs=0.01)
        assert 0 <= xs.min() < xs.max() <= width - 1
        assert 0 <= ys.min() < ys.max() <= height - 1
        sides.append(side)
        lefts.append(xs[100] - side * 100)
    assert 0.4 - 0.01 <= min(sides) < 0.5
    assert 0.9 < max(sides) <= 1 + 0.01
    assert np.std(lefts) > 10


def test_the_whole_image_is_the_largest_crop():
    image = np.random.default_rng(0).integers(0, 256, (30, 44, 3), np.uint8)
    mask = (image[..., 0] > 99).astype(np.uint8)
    change = crop(3, 1.0, 30, 44)
    np.testing.assert_array_equal(change.image(image), image)
    np.testing.assert_array_equal(change.mask(mask), mask)


def test_image_and_mask_are_cropped_together():
    mask = np.zeros((256, 256), np.uint8)
    mask[90:170, 60:200] = 1
    for seed in range(10):
        change = crop(seed, 0.5, 256, 256)
        image, moved = change.image(mask[..., None] * np.uint8(255))[..., 0] > 127, change.mask(mask) > 0
        assert (image != moved).mean() < 0.01
        assert moved.mean() > (mask > 0).mean()


def test_crops_are_off_unless_asked_for_and_differ_from_image_to_image():
    assert "cropping" not in {step.operation.name for step in planned(Config())}
    steps = planned(configured(cropping={"copies": 3, "smallest": 0.7}))
    assert [step.prefix for step in steps] == [
        "aug-cropping-0.7-1_",
        "aug-cropping-0.7-2_",
        "aug-cropping-0.7-3_",
    ]
    seeds = {step.seeded(137, stem).parameters["seed"] for step in steps for stem in ("a", "b")}
    assert len(seeds) == 6
    assert steps[0].seeded(137, "a") == steps[0].seeded(137, "a")
    with pytest.raises(ValueError, match="smallest"):
        configured(cropping={"smallest": 0.0})
