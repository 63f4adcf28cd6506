import pytest

from flexunet.config.checks import advice, check_config, check_image_size, untrue_scores
from flexunet.config.schema import Config
from flexunet.errors import ConfigError


def config(**sections):
    return Config.model_validate(sections)


def test_sizes_that_fit():
    check_image_size(config(model={"image_width": 512, "image_height": 384, "num_layers": 8}))
    check_image_size(config(model={"image_width": 7, "image_height": 7, "num_layers": 1}))


@pytest.mark.parametrize(
    ("width", "layers", "remedy"),
    [
        (500, 8, r"multiple of 128. The nearest that fit: 384 or 512"),
        (60, 5, r"multiple of 16. The nearest that fit: 48 or 64"),
        (10, 5, r"multiple of 16. The nearest that fit: 16;"),
    ],
)
def test_sizes_that_do_not_fit_name_those_that_do(width, layers, remedy):
    with pytest.raises(ConfigError, match=remedy):
        check_image_size(config(model={"image_width": width, "num_layers": layers}))


def test_the_height_is_checked_too():
    with pytest.raises(ConfigError, match=r"image_height = 500 cannot be halved 5 times"):
        check_image_size(config(model={"image_height": 500}))


def test_other_models_have_rules_of_their_own():
    check_image_size(config(model={"model": "TensorFlowFlexDeepLabV3Plus", "image_width": 500}))


def test_dilation_is_square():
    with pytest.raises(ConfigError, match=r"dilation = \(1, 2\) is not square; give .* \(1, 1\)"):
        check_image_size(config(model={"dilation": (1, 2)}))


def test_dropout_stays_below_one_at_the_deepest_level():
    check_image_size(config(model={"dropout_rate": 0.19, "num_layers": 6}))
    with pytest.raises(ConfigError, match=r"times level 4 is 1\.2, and must stay below 1; .* below 0\.25"):
        check_image_size(config(model={"dropout_rate": 0.3, "num_layers": 5}))


BLACK, WHITE, RED = (0, 0, 0), (255, 255, 255), (255, 0, 0)


@pytest.mark.parametrize(
    ("num_classes", "rgb_map"),
    [
        (1, {BLACK: 0, WHITE: 1}),
        (2, {BLACK: 0, WHITE: 1}),
        (2, {BLACK: 0, WHITE: 1, RED: 1}),
        (3, {RED: 2, WHITE: 1, BLACK: 0}),
    ],
)
def test_classes_and_colours_that_agree(num_classes, rgb_map):
    check_config(config(model={"num_classes": num_classes}, mask={"rgb_map": rgb_map}))


@pytest.mark.parametrize(
    ("num_classes", "rgb_map"),
    [
        (1, {BLACK: 0, WHITE: 1, RED: 2}),
        (1, {BLACK: 0}),
        (3, {BLACK: 0, WHITE: 1}),
        (2, {BLACK: 0, WHITE: 1, RED: 2}),
    ],
)
def test_classes_and_colours_at_odds_name_both_keys(num_classes, rgb_map):
    with pytest.raises(
        ConfigError, match=rf"\[mask\] rgb_map .* \[model\] num_classes = {num_classes} .*; set"
    ):
        check_config(config(model={"num_classes": num_classes}, mask={"rgb_map": rgb_map}))


@pytest.mark.parametrize("rgb_map", [{BLACK: 0, WHITE: 255}, {BLACK: 1, WHITE: 2}])
def test_class_indices_count_from_zero_without_gaps(rgb_map):
    with pytest.raises(ConfigError, match=r"class indices \d, \d+; they must count from 0 without gaps"):
        check_config(config(mask={"rgb_map": rgb_map}))


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["mass"], "has 1 name, and .* num_classes = 3 asks for 2"),
        (["mass", "Mass"], "a name of its own"),
        (["mass", "background"], "a name of its own"),
        (["mass", " "], "of 1 to 64 letters"),
        (["mass", "x" * 65], "of 1 to 64 letters"),
        (["mass", "a\nb"], "on one line"),
    ],
)
def test_each_class_has_a_name_of_its_own(names, told):
    colors = {BLACK: 0, WHITE: 1, RED: 2}
    check_config(config(model={"num_classes": 3}, mask={"rgb_map": colors, "class_names": ["mass", "Kalk"]}))
    with pytest.raises(ConfigError, match=rf"\[mask\] class_names.*{told}"):
        check_config(config(model={"num_classes": 3}, mask={"rgb_map": colors, "class_names": names}))


def test_tiles_overlap_less_than_their_size():
    with pytest.raises(ConfigError, match=r"overlapping = 64 must be less than split_size = 64"):
        check_config(config(tiledinfer={"split_size": 64, "overlapping": 64}))


@pytest.mark.parametrize(
    ("train", "named"),
    [
        ({"warmup_steps": 3, "warmup_epochs": 0.5}, r"warmup_steps = 3 and warmup_epochs = 0\.5 both"),
        (
            {"learning_rate_reducer": True, "learning_rate_schedule": "cosine"},
            r"learning_rate_reducer = true cannot go with .*schedule = 'cosine'.*reducer = false, or",
        ),
        (
            {"learning_rate_reducer": True, "warmup_steps": 3},
            r"cannot go with .*warmup_steps = 3 and",
        ),
        (
            {"learning_rate_schedule": "polynomial", "learning_rate_end": 0.5},
            r"learning_rate_end = 0\.5, which is more; take an end from 0 to 0\.0001",
        ),
    ],
)
def test_what_sets_the_learning_rate_is_one_thing(train, named):
    with pytest.raises(ConfigError, match=named):
        check_config(config(train=train))


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("crop_size", 64, 'crop = "none"'),
        ("learning_rate_end", 1e-6, 'learning_rate_schedule = "constant"'),
        ("schedule_power", 2.0, 'learning_rate_schedule = "constant"'),
        ("mlflow_uri", "http://localhost:5000", "mlflow = false"),
        ("mlflow_experiment", "breasts", "mlflow = false"),
    ],
)
def test_a_key_that_counts_for_nothing_is_noted(key, value, reason):
    (note,) = advice(config(train={key: value}))
    assert note.startswith(f"[train] {key} has no effect: {reason}; set ")


@pytest.mark.parametrize(
    "train",
    [
        {"crop": "random", "crop_size": 64},
        {"learning_rate_schedule": "cosine", "learning_rate_end": 1e-6},
        {"learning_rate_schedule": "polynomial", "schedule_power": 2.0},
        {"mlflow": True, "mlflow_uri": "http://localhost:5000", "mlflow_experiment": "breasts"},
    ],
)
def test_a_key_that_counts_is_not(train):
    assert advice(config(train=train)) == []


def test_folders_of_two_splits_are_named_with_what_follows_and_what_to_do(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    a, same, other = f"{tmp_path}/a", f"{tmp_path}/b/../link/", f"{tmp_path}/c"
    honest = config(train={"images_dir": a}, valid={"images_dir": other}, test={"images_dir": a + "/test"})
    assert advice(honest) == []
    one = config(train={"images_dir": other}, valid={"images_dir": a}, test={"images_dir": same})
    [note] = advice(one)
    assert note.startswith(
        "[valid] and [test] images_dir are one folder: the best epoch is chosen on the test"
    )
    assert "or [train] dataset_splitter = true" in note
    assert untrue_scores(one, "test") == [
        "[valid] and [test] images_dir are one folder: the best epoch is chosen on the test images"
    ]
    assert untrue_scores(one, "valid") == []
    three = config(**{split: {"images_dir": a} for split in ("train", "valid", "test")})
    assert len(advice(three)) == 3
    assert len(untrue_scores(three, "test")) == 2


def test_a_splitter_without_effect_is_named():
    split = config(train={"dataset_splitter": True}, valid={"images_dir": "v"})
    assert advice(split) == [
        "[train] dataset_splitter has no effect: [valid] images_dir = 'v' names the validation images"
    ]
    assert advice(config(train={"dataset_splitter": True})) == []


@pytest.mark.parametrize("text", ["\0", "~nobody-of-this-name/images"])
def test_folders_that_are_no_paths_are_no_obstacle_to_advice(text):
    assert advice(config(valid={"images_dir": text}, test={"images_dir": text})) == []


@pytest.mark.parametrize(
    ("flip", "passes", "told"),
    [
        ("never", None, "averages nothing"),
        ("never", 2, "trained on 1 of these"),
        ("horizontal", None, ""),
        ("horizontal", 2, ""),
        ("horizontal", 8, "trained on 2 of these"),
        ("both", None, ""),
    ],
)
def test_flips_at_prediction_that_training_never_showed_are_named(flip, passes, told):
    settings = {"enabled": True, "flip": flip}
    infer = {"test_time_augmentation": True, "test_time_passes": passes}
    notes = advice(config(infer=infer, random_transform=settings))
    assert [told in note for note in notes] == ([True] if told else [])
    assert advice(config(random_transform=settings)) == []
