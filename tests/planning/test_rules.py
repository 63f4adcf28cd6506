"""The rules of a plan, worked by hand and as properties."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexunet.machine import Machine
from flexunet.planning.dataset_facts import DatasetFacts
from flexunet.planning.rules import Draft, decide, first_size

LAPTOP = Machine(cores=2, memory=8.0, has_gpu=False)
FACTS = DatasetFacts(
    root="dataset",
    splits={"train": 40, "valid": 8, "test": 12},
    folders={split: (f"{split}/images", f"{split}/masks") for split in ("train", "valid", "test")},
    patients=20,
    patients_known=1.0,
    colors={"0,0,0": 0, "255,255,255": 1},
    width=480,
    height=960,
    same_size=True,
    shape_spread=1.0,
    is_grey=True,
    foreground=0.03,
    without_lesion=0.2,
    kept_with_lesion=32,
    kept_without_lesion=8,
    class_shares=(0.97, 0.03),
    lesion_diameter=90.0,
    small_lesion=200.0,
    sides=0.5,
    spacing=None,
    spacing_spread=None,
)


def planned(pixels=2**16, machine=LAPTOP, **changes):
    return decide(Draft(replace(FACTS, **changes), machine, pixels, 24)).decisions


def decided(pixels=2**16, machine=LAPTOP, **changes):
    return {f"{d.section}.{d.key}": d.value for d in planned(pixels, machine, **changes)}


def reasons(pixels=2**16, machine=LAPTOP, **changes):
    return {f"{d.section}.{d.key}": d.reason for d in planned(pixels, machine, **changes)}


def test_an_upright_film_keeps_its_proportions():
    """480 x 960 at 65,536 pixels is 181 x 362; six levels halve five times: multiples of 32."""
    values = decided()
    assert (values["model.image_width"], values["model.image_height"]) == (192, 352)
    assert values["model.num_layers"] == 6


@given(
    width=st.integers(16, 6000),
    height=st.integers(16, 6000),
    pixels=st.sampled_from([2**13, 2**16, 2**19]),
)
def test_every_size_can_be_halved_and_is_near_what_was_asked_for(width, height, pixels):
    values = decided(pixels, width=width, height=height, foreground=0.5)
    step = 2 ** (values["model.num_layers"] - 1)
    sides = values["model.image_width"], values["model.image_height"]
    assert all(side % step == 0 and side > 0 for side in sides)
    if max(width, height) < 4 * min(width, height):
        assert min(sides) // step >= 3  # 4, rounded to whole cells
        asked = min(pixels, width * height)
        assert asked / 1.6 < sides[0] * sides[1] < asked * 1.6
        assert sides[0] / sides[1] == pytest.approx(width / height, rel=0.3)


@pytest.mark.parametrize(
    ("sides", "flip"), [(0.5, "horizontal"), (1.0, "never"), (0.15, "never"), (None, "horizontal")]
)
def test_mirrored_only_where_both_sides_occur(sides, flip):
    assert decided(sides=sides)["random_transform.flip"] == flip


def test_small_lesions_are_trained_on_crops_and_in_every_batch():
    """A lesion of 30 pixels of 480 x 960 is 11 pixels wide at 192 x 352."""
    values = decided(lesion_diameter=30.0)
    assert values["train.crop"] == "random"
    # As many pixels as a whole image would have: the side is the root of 65,536.
    assert values["model.image_width"] == values["model.image_height"] == 256
    assert values["model.num_layers"] == 7
    assert values["train.lesion_share"] == 0.5
    assert "train.crop" not in decided(lesion_diameter=90.0)


@pytest.mark.parametrize("pixels", [2**16, 2**17, 2**19])
def test_rare_lesions_are_trained_on_crops_of_half_a_side(pixels):
    """512 x 512 with lesions 24 pixels wide: 18 at 384 x 384, which is enough where they are not rare."""
    rare = {"width": 512, "height": 512, "lesion_diameter": 24.0, "without_lesion": 0.63}
    values = decided(pixels, **rare)
    assert values["train.crop"] == "random"
    assert values["model.image_width"] == values["model.image_height"] == 256
    assert values["train.lesion_share"] == 0.5
    told = reasons(pixels, **rare)
    assert told["train.crop"].startswith("63% of the images hold no lesion")
    assert "half the shorter side" in told["model.image_width"] or pixels == 2**16
    assert "train.crop" not in decided(2**17, **rare | {"without_lesion": 0.5})
    small = rare | {"width": 250, "height": 250}
    assert "train.crop" not in decided(pixels, **small)  # crops of half a side would be too small


def test_regions_are_no_lesions():
    """Tissue covers half of the film, and its masks have crumbs; whole images are trained on."""
    values = decided(foreground=0.5, lesion_diameter=5.0, without_lesion=0.0)
    assert "train.crop" not in values
    assert "train.lesion_share" not in values


def test_without_a_valid_folder_a_fifth_is_held_back():
    values = decided(splits={"all": 30}, folders={"all": ("images", "masks")})
    assert values["train.images_dir"] == "images"
    assert values["train.dataset_splitter"] is True
    assert "test.images_dir" not in values


@pytest.mark.parametrize(("images", "steps"), [(12, 1000), (40, 1000), (60, 1500), (4000, 2000)])
def test_few_images_are_not_shown_for_ever(images, steps):
    """100 times at most, in batches of 4, but 1,000 steps at least and 2,000 without a budget."""
    values = decided(splits={"train": images, "valid": 8})
    assert values["train.epochs"] * values["train.steps_per_epoch"] == steps


def test_colours_of_the_masks_are_the_classes():
    colors = {"64,64,64": 0, "128,128,128": 1, "192,192,192": 2}
    values = decided(colors=colors)
    assert values["mask.rgb_map"] == colors
    assert values["model.num_classes"] == 3


def test_lesions_are_not_asked_for_where_training_has_none():
    assert "train.lesion_share" not in decided(without_lesion=1.0, kept_with_lesion=0, lesion_diameter=None)
    # All with a lesion, or all without one, are held back.
    assert "train.lesion_share" not in decided(without_lesion=0.5, kept_with_lesion=0, kept_without_lesion=8)
    assert "train.lesion_share" not in decided(without_lesion=0.5, kept_with_lesion=8, kept_without_lesion=0)
    assert decided(without_lesion=0.5)["train.lesion_share"] == 0.5


def test_crops_have_reasons_of_their_own():
    told = reasons(lesion_diameter=30.0, without_lesion=0.0)
    assert "0% of the images" not in told["train.lesion_share"]
    assert "cropped round one" in told["train.lesion_share"]
    assert "256 x 256" in told["model.image_width"]
    assert "65,536" in told["model.image_width"]
    assert told["model.num_layers"].startswith("the coarsest level is 4 x 4")
    assert "30 pixels wide at full resolution" in told["model.loss"]
    assert "11 with whole images at 192 x 352" in told["train.crop"]
    assert "two crops per validation image" in told["train.monitor"]


def test_crops_are_no_larger_than_the_images_and_fit_the_levels():
    """4000 x 200 pixels: crops of 200 and fewer; six levels halve five times, and 192 is a multiple of 32."""
    values = decided(width=4000, height=200, lesion_diameter=10.0)
    assert values["train.crop"] == "random"
    assert values["model.image_width"] == values["model.image_height"] == 192
    assert values["model.num_layers"] == 6


def test_what_rounding_takes_is_no_reason_for_crops():
    """100 x 100 becomes 96 x 96: a scale of 0.96."""
    values = decided(width=100, height=100, lesion_diameter=10.0)
    assert "train.crop" not in values
    assert (values["model.image_width"], values["model.num_layers"]) == (96, 5)


def test_reasons_say_of_which_images_nine_of_ten_are_and_what_is_not_limited_by_time():
    told = reasons()
    assert told["model.loss"].startswith("nine of ten images with a lesion have one at least")
    assert "time" not in told["model.image_width"]


@pytest.mark.parametrize(
    ("sides", "told"),
    [
        (0.82, "82% of the breasts looked at lie on the left: mirror images would be of what is rare"),
        (0.0, "100% of the breasts looked at lie on the right: mirror images would be of what is rare"),
        (0.4, "60% of the breasts looked at lie on the right: a mirrored one may come"),
        (None, "no breast was made out in most images"),
    ],
)
def test_the_share_of_sides_is_told_as_it_is(sides, told):
    assert reasons(sides=sides)["random_transform.flip"].startswith(told)


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (1.0, "a fifth of the patients is held back"),
        (0.0, "a fifth of the source images, whose patients are unknown, is held back"),
        (0.5, "a fifth of the patients, or of the source images where the patient is unknown, is held back"),
    ],
)
def test_what_is_held_back_is_called_patients_only_where_they_are_known(known, words):
    told = reasons(splits={"all": 30}, folders={"all": ("images", "masks")}, patients_known=known)
    assert told["train.dataset_splitter"].endswith(words)


def test_specks_are_smaller_than_a_quarter_of_a_small_lesion():
    assert decided(small_lesion=200.0)["infer.min_lesion_pixels"] == 50
    assert "infer.min_lesion_pixels" not in decided(small_lesion=5.0)  # a pixel may be all of it
    assert "infer.min_lesion_pixels" not in decided(foreground=0.5, small_lesion=200.0)


@pytest.mark.parametrize(
    ("memory", "pixels", "batch", "reason"),
    [
        # One image of 2**19 pixels and 32 filters takes 110 bytes for each, 1.72 GiB; a fifth of the memory
        # and 1 GiB are left to others.
        (24.0, 2**19, 8, "two or more"),  # 18.2 GiB are left for 10 images
        (8.0, 2**19, 3, "a GPU of 8 GiB holds"),  # 5.4 for 3
        (4.0, 2**18, 2, "a GPU of 4 GiB holds"),  # 2.2 for 1; of half the pixels for 2
        (1.0, 2**16, 2, "a GPU of 1 GiB holds"),  # for none
        (None, 2**19, 8, "two or more"),
    ],
)
def test_batches_fit_into_the_memory_of_a_gpu(memory, pixels, batch, reason):
    machine = Machine(cores=8, memory=64.0, has_gpu=True, gpu_memory=memory)
    assert first_size(machine) == (pixels, 32)
    decisions = decide(Draft(replace(FACTS, width=2000, height=3000), machine, pixels, 32)).decisions
    told = {decision.key: (decision.value, decision.reason) for decision in decisions}
    assert told["batch_size"][0] == batch
    assert reason in told["batch_size"][1]
    assert ("" if memory is None else f"on a GPU of {memory:g} GiB") in told["image_width"][1]
    assert told["max_filters"][0] == 512


def test_a_processor_has_its_own_size():
    assert first_size(LAPTOP) == (2**16, 16)
