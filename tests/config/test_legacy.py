"""The published INI dialect, detail by detail."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexunet.config.files import load_config
from flexunet.config.legacy import UnreadableValueError, parse_entries, parse_value
from flexunet.errors import ConfigError

SNIPPETS = [
    "[model]",
    "[mask]",
    "[eval]",
    "[infer]  ",
    "model = 3",
    "num_layers = 10**100",
    "num_layers = 99999999999999999999",
    "image_width = 1e400",
    "metrics = []",
    "metrics = {1: {2}}",
    "rgb_map = {}",
    "rgb_map = {0: 0}",
    "rgb_map = {(0,0,0): 0}",
    "rgb_map = {(0,0,0): 'x', b'': 1}",
    "image_datapath = 7",
    "images_dir = '\x00'",
    "images_dir = ''",
    "  continued",
    "; comment",
    "base_kernels = (1, 2, 3)",
    "base_kernels = 5",
    "patch_size = 'x'",
    "= 3",
]


@pytest.fixture
def load(tmp_path):
    def load(text, **options):
        file = tmp_path / "train_eval_infer.config"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_config(file, **options)

    return load


def test_nothing_is_evaluated(load, tmp_path):
    witness = tmp_path / "executed"
    call = f"__import__('pathlib').Path({str(witness)!r}).touch()"
    config = load(f"[model]\nnum_layers = {call}\nloss = {call}\n[mask]\nrgb_map = {{(0,0,0): {call}}}\n")
    assert not witness.exists()
    assert config.model.num_layers == 6
    assert config.model.loss == "categorical_crossentropy"
    assert len(config.notes) == 3
    assert config.notes[0].startswith("line 2: [model] num_layers = __import__(")
    assert config.notes[0].endswith("not a Python literal; 6 is used instead")


@pytest.mark.parametrize(
    "text",
    [
        "os.getcwd()",
        "1 + 1",
        "[x for x in (1, 2)]",
        "lambda: 0",
        "f'{1}'",
        "(",
        "9" * 5000,
        "[" * 5000,
        "\x00",
    ],
)
def test_what_is_no_literal_is_unreadable(text):
    with pytest.raises(UnreadableValueError):
        parse_value(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("512", 512),
        ("-0.3", -0.3),
        ("512 ; pixels", 512),
        ("512 # pixels", 512),
        ('"a;b"  ; c', "a;b"),
        ('"a#b"', "a#b"),
        ("(9,9)", (9, 9)),
        ("[0.8,]", [0.8]),
        ("{(0,0,0):0, ; black\n(255,255,255):1} ; white", {(0, 0, 0): 0, (255, 255, 255): 1}),
        ("{(0,0,0):0, \\\n(255,255,255):1}", {(0, 0, 0): 0, (255, 255, 255): 1}),
        ("None", None),
    ],
)
def test_literals_with_comments_behind_them(text, value):
    assert parse_value(text) == value


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.integers(), inner) | st.tuples(inner, inner),
        max_leaves=8,
    )
)
def test_every_literal_survives(value):
    assert parse_value(repr(value)) == value


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_never_worse(text):
    try:
        entries = parse_entries(text, "file.config")
    except ConfigError:
        return
    for entry in entries:
        with contextlib.suppress(UnreadableValueError):
            parse_value(entry.text)


def test_windows_paths_keep_their_backslashes(load, tmp_path):
    config = load(
        '[train]\nimages_dir = "..\\new\\train\\images"\nmasks_dir = "..\\\\new\\\\train\\\\masks"\n'
    )
    assert config.train.images_dir == r"..\new\train\images"
    assert config.train.masks_dir == r"..\new\train\masks"
    assert config.resolve(config.train.images_dir) == tmp_path / "../new/train/images"


def test_trailing_blanks_capitals_and_percent_signs(load):
    config = load('[model]   \nOptimizer = "AdamW"\nloss = "a%b%(c)s"\n[infer] \nimages_dir = "./50%/"\n')
    assert config.model.optimizer == "AdamW"
    assert config.model.loss == "a%b%(c)s"
    assert config.infer.images_dir == "./50%/"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_encodings(load, encoding):
    config = load('; größe\n[infer]\nimages_dir = "./prüfung"\n'.encode(encoding))
    assert config.infer.images_dir == "./prüfung"


def test_values_over_several_lines(load):
    config = load(
        "[model]\nnum_classes = 3\n[mask]\nrgb_map = {(0,0,0):0,\n"
        "   ; red\n   (255,0,0):1,\n\n   (0,255,0):2}\n"
    )
    assert config.mask.rgb_map == {(0, 0, 0): 0, (255, 0, 0): 1, (0, 255, 0): 2}


def test_a_key_given_twice_names_both_lines(load, tmp_path):
    with pytest.raises(ConfigError) as error:
        load("[model]\nloss = 'a'\n\n[train]\nLoss = 'c'\nepochs = 3\n\nEPOCHS = 4\n")
    assert str(error.value) == (
        f"{tmp_path / 'train_eval_infer.config'}: [train] epochs is given twice, in lines 6 and 8; "
        "the published reader refuses such a file too. Keep one line of each"
    )


def test_all_keys_given_twice_are_told_at_once(load):
    text = (
        "[model]\nloss = 'a'\nloss = 'b'\n[train]\nmetrics = ['a',\n  'epochs = 3']\nepochs = 1\nepochs = 2\n"
    )
    with pytest.raises(ConfigError) as error:
        load(text)
    assert (
        "[model] loss is given twice, in lines 2 and 3; [train] epochs is given twice, in lines 7 and 8;"
        in str(error.value)
    )


def test_a_section_given_twice(load):
    with pytest.raises(ConfigError, match=r"section \[model\] is given twice, in lines 1 and 3"):
        load("[model]\nnum_layers = 4\n[model]\nnum_classes = 2\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("num_layers = 4\n", "line 1 stands before any [section]"),
        ("[model]\nnum_layers\n", "neither a [section], a key = value nor a comment: line 2"),
        ("", "holds no keys"),
        ("; only a comment\n", "holds no keys"),
    ],
)
def test_files_that_are_no_configuration(load, text, message):
    with pytest.raises(ConfigError, match=message.replace("[", r"\[")):
        load(text)


def test_unknown_keys_and_sections_name_the_nearest(load):
    text = "[model]\nnum_layer = 4\nzzz = 1\n[trian]\nepochs = 3\n[valid]\nbatch_sise = 2\n"
    notes = load(text).notes
    assert notes[0].startswith(
        "line 2: [model] num_layer = 4: there is no key num_layer in [model]; did you mean"
    )
    assert "line 3: [model] zzz = 1: there is no key zzz in [model]; docs/configuration.md" in "\n".join(
        notes
    )
    assert "line 5: [trian] epochs = 3: there is no section [trian]; did you mean [train]?" in notes
    assert "did you mean [train] batch_size?" in notes[3]
    with pytest.raises(ConfigError) as error:
        load(text, strict=True)
    assert str(error.value).count("\n") == 4


def test_words_without_quotes_are_read_as_text_and_told(load):
    config = load("[model]\nloss = dice_loss\ngenerator = true\nnum_layers = four\n")
    assert config.model.loss == "dice_loss"
    assert config.model.generator is True
    assert config.model.num_layers == 6
    assert [note.partition(": not a Python literal; ")[2] for note in config.notes] == [
        "'dice_loss' is used instead",
        "True is used instead",
        "6 is used instead",
    ]


def test_readable_values_that_do_not_fit_are_errors_even_in_the_published_dialect(load):
    with pytest.raises(ConfigError, match=r"line 2: \[model\] num_layers = -1: .*greater than 0"):
        load("[model]\nnum_layers = -1\n")
    with pytest.raises(
        ConfigError, match=r"\[train\] batch_size = \"2\": .*valid integer.*Images per training step"
    ):
        load('[train]\nbatch_size = "2"\n')


def test_none_means_the_default(load):
    config = load("[model]\nactivation = None\nwindow_size = None\n")
    assert config.model.activation == "relu"
    assert config.model.window_size is None
    assert config.notes == [
        "line 2: [model] activation = None: None means the default; 'relu' is used instead"
    ]


def test_of_two_spellings_the_published_name_wins(load):
    config = load("[deformation]\nsigmoid = 4\nsigmoids = [8.0]\n")
    assert config.deformation.sigmoids == [8.0]
    assert "left out" in config.notes[0]
    config = load("[deformation]\nalpha = 1000\nalpah = 1300\n")
    assert config.deformation.alpha == 1000
    assert "line 3: [deformation] alpah = 1300: left out" in config.notes[0]


def test_keys_without_effect_are_told_once_and_are_no_problem(load):
    text = (
        "[train]\ncreate_backups = True\n[mask]\nmask_datatyoe = 'indexed'\n"
        "[dataset]\nclass_name = 'ImageCategorizedMaskDataset'\n"
    )
    config = load(text, strict=True)
    assert config.mask.mask_datatype == "indexed"
    assert len(config.notes) == 2
    assert all("accepted, has no effect, because" in note for note in config.notes)


def test_spellings_of_the_epoch_keys(load):
    config = load(
        "[model]\nnum_infer_images = 3\n"
        "[train]\nepoch_change_tiledinfer = True\nepoch_change_tiledinfer_dir = './t'\n"
    )
    assert config.train.num_infer_images == 3
    assert config.train.epoch_change_tiled_infer
    assert config.train.epoch_change_tiled_infer_dir == "./t"
    assert "belongs to [train]" in config.notes[0]


def test_a_kernel_that_is_not_square_has_its_published_sense(load):
    config = load("[model]\nbase_kernels = (5,3)\n")
    assert config.model.base_kernels == (3, 3)
    assert "the second number is used for both, as published" in config.notes[0]


def test_an_override_of_the_width_moves_the_older_tiles_with_it(load):
    text = "[model]\nimage_width = 512\n[dataset]\ndatasetclass = 'ImageMaskDataset'\n"
    assert load(text).tiledinfer.split_size == 512
    assert load(text, overrides=["model.image_width=64"]).tiledinfer.split_size == 64


def test_metrics_without_a_curve_are_told(load):
    config = load(
        "[model]\nmetrics = ['binary_accuracy']\n[train]\nmetrics = ['dice_coef', 'val_dice_coef']\n"
    )
    assert config.notes == [
        "[train] metrics: dice_coef, val_dice_coef will have no curve, because [model] metrics computes "
        "binary_accuracy only"
    ]


@given(st.binary(max_size=300), st.sampled_from([".toml", ".config"]))
def test_any_bytes_are_a_configuration_or_an_error_of_ours(tmp_path_factory, content, suffix):
    file = tmp_path_factory.getbasetemp() / f"any{suffix}"
    file.write_bytes(content)
    with contextlib.suppress(ConfigError):
        load_config(file)


@given(st.lists(st.sampled_from(SNIPPETS), max_size=8))
def test_any_lines_are_a_configuration_or_an_error_of_ours(tmp_path_factory, lines):
    file = tmp_path_factory.getbasetemp() / "lines.config"
    file.write_text("\n".join(lines))
    with contextlib.suppress(ConfigError):
        load_config(file)


def test_three_dots_are_asked_about(load):
    config = load('[infer]\nimages_dir = ".../../../dataset"\n')
    assert any("is '..' meant?" in note for note in config.notes)


def test_constants_of_opencv_need_no_quotes_and_no_note(tmp_path):
    text = "[infer3d]\nslice_rotation = cv2.ROTATE_90_CLOCKWISE \n;cv2.ROTATE_180\n"
    (tmp_path / "a.config").write_text("[model]\nmodel = 'TensorFlowFlexUNet'\n" + text)
    config = load_config(tmp_path / "a.config")
    assert config.infer3d.slice_rotation == "cv2.ROTATE_90_CLOCKWISE"
    assert not [note for note in config.notes if "slice_rotation" in note]
