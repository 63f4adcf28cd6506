"""Weights files of every kind: read exactly, refused with a remedy, never executed."""

import io
import json
import marshal
import pickle
import types
import zipfile

import h5py
import keras
import numpy as np
import pytest

from flexunet.config.files import load_config
from flexunet.config.schema import Config
from flexunet.errors import PathError, WeightsError
from flexunet.models.initial import draw_initial_weights
from flexunet.models.registry import build_model
from flexunet.models.weights.file import open_weights
from flexunet.models.weights.load import describe_weights, load_weights, save_weights
from flexunet.training.checkpoint.state import prepare
from flexunet.training.compiling import compile_model

CASES = [
    "a_k5_L3_c2",
    "b_k9_L4_c2_seedlike",
    "c_k5_L5_d2_c3_miaslike",
    "d_k3_L4_d3_bn_mish_c6",
    "e_gray_k5_L3_c1",
]
KINDS = ["best_model_keras2.h5", "weights_keras2.h5", "best_model_keras3.h5", "keras3.weights.h5"]
SMALL = {"image_width": 16, "image_height": 16, "num_layers": 3, "base_filters": 4, "base_kernels": (5, 5)}


def small(seed: int = 1, **model) -> keras.Model:
    built = build_model(Config(model={**SMALL, **model}))
    draw_initial_weights(built, seed)
    return built


def values(model) -> list[np.ndarray]:
    return [
        keras.ops.convert_to_numpy(variable.value)
        for variable in model.variables
        if "seed" not in variable.path
    ]


def assert_equal(first: list[np.ndarray], second: list[np.ndarray]) -> None:
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def assert_published(model, recorded) -> float:
    """Probabilities within the tolerance of the reference's README; equal classes where it asks for them.

    Gives the largest difference.
    """
    probabilities = keras.ops.convert_to_numpy(model(recorded["x"].astype("float32"), training=False))
    wanted = recorded["y"]
    np.testing.assert_allclose(probabilities[1], wanted[1], atol=1e-4, rtol=0)
    np.testing.assert_allclose(probabilities[0], wanted[0], atol=1e-3, rtol=0)
    if wanted.shape[-1] > 1:
        ordered = np.sort(wanted, axis=-1)
        certain = ordered[..., -1] - ordered[..., -2] >= 1e-3
        assert (probabilities.argmax(-1) == recorded["argmax"])[certain].all()
    return float(np.abs(probabilities - wanted).max())


@pytest.mark.parametrize("case", CASES)
def test_every_kind_of_file_gives_the_published_probabilities(reference, case):
    model = build_model(load_config(reference / f"model/{case}.config"))
    with np.load(reference / f"model/{case}.io.npz") as recorded:
        for kind in KINDS:
            model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
            load_weights(model, reference / f"model/{case}.{kind}")
            assert_published(model, recorded)


@pytest.mark.engines
@pytest.mark.parametrize("case", CASES)
def test_published_probabilities_on_every_engine(reference, record_property, case):
    model = build_model(load_config(reference / f"model/{case}.config"))
    load_weights(model, reference / f"model/{case}.keras3.weights.h5")
    with np.load(reference / f"model/{case}.io.npz") as recorded:
        record_property("parameters", model.count_params())
        record_property("difference", assert_published(model, recorded))


def test_a_trained_file_with_its_optimizer(reference):
    """run/: exact targets for the model that the published Trainer wrote."""
    project = reference / "run/project"
    config = load_config(next(project.glob("*.config")))
    model = build_model(config)
    load_weights(model, project / "models/best_model.h5")
    with np.load(reference / "run/trained_test_io.npz") as recorded:
        probabilities = keras.ops.convert_to_numpy(model(recorded["X"].astype("float32"), training=False))
        np.testing.assert_allclose(probabilities, recorded["P"], atol=1e-4, rtol=0)


@pytest.mark.engines
@pytest.mark.parametrize("suffix", [".keras", ".weights.h5", ".h5"])
def test_what_we_save_we_load(tmp_path, suffix):
    model = small(1, normalization=True, dropout_rate=0.2)
    path = tmp_path / f"folder/best{suffix}"
    save_weights(model, path)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    other = small(2, normalization=True, dropout_rate=0.2)
    load_weights(other, path)
    assert_equal(values(model), values(other))


def test_plain_keras_loads_what_we_save(tmp_path):
    model = small(1, normalization=True)
    for name in ("best.keras", "best.weights.h5", "best.h5"):
        save_weights(model, tmp_path / name)
    whole = keras.models.load_model(tmp_path / "best.keras")
    assert_equal(values(model), values(whole))
    for name in ("best.weights.h5", "best.h5"):
        other = small(2, normalization=True)
        other.load_weights(tmp_path / name)
        assert_equal(values(model), values(other))


def test_saving_a_compiled_model_keeps_its_weights_loadable(tmp_path):
    model = small(1)
    model.compile(optimizer="adam", loss="categorical_crossentropy")
    model.train_on_batch(np.zeros((1, 16, 16, 3)), np.ones((1, 16, 16, 2)) / 2)
    for name in ("best.keras", "best.weights.h5"):
        save_weights(model, tmp_path / name)
        other = small(2)
        load_weights(other, tmp_path / name)
        assert_equal(values(other)[:4], values(model)[:4])


@pytest.mark.parametrize("name", ["best.keras", "best.weights.h5"])
def test_a_saved_model_holds_nothing_of_its_training(tmp_path, name):
    """Neither moments, which are twice the weights, nor classes of ours that plain Keras does not know."""
    model, path = small(1), tmp_path / name
    save_weights(model, path)
    size = path.stat().st_size
    compile_model(Config(model=SMALL), model)
    prepare(model)
    save_weights(model, path)
    assert path.stat().st_size == pytest.approx(size, rel=0.01)
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as file:
            assert b"flexunet.training" not in file.read("config.json")


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "best.weights.h5"
    save_weights(small(1), path)
    before = path.read_bytes()

    class Failing:
        def save_weights(self, target):
            target.write_bytes(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(PathError, match="the disk is full"):
        save_weights(Failing(), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(PathError, match=r"\.keras"):
        save_weights(small(), tmp_path / "best.pt")


def test_counters_may_start_anywhere(tmp_path):
    """A session that built other models first saves conv2d_38, conv2d_39, ..."""
    model = small(1)
    save_weights(model, tmp_path / "best.h5")
    with h5py.File(tmp_path / "best.h5") as old, h5py.File(tmp_path / "late.h5", "w") as new:
        renamed = []
        for name in [text.decode() for text in old.attrs["layer_names"]]:
            kind, _, counter = name.rpartition("_") if name[-1].isdigit() else (name, "", "0")
            kind, counter = (name, "0") if name in {"conv2d"} else (kind, counter)
            late = f"{kind}_{int(counter) + 38}"
            renamed.append(late.encode())
            group = new.create_group(late)
            weights = [text.decode() for text in old[name].attrs["weight_names"]]
            group.attrs["weight_names"] = np.array(
                [w.replace(name, late, 1).encode() for w in weights], dtype=bytes
            )
            for weight in weights:
                group[weight.replace(name, late, 1)] = old[name][weight][()]
        new.attrs["layer_names"] = np.array(renamed)
    other = small(2)
    load_weights(other, tmp_path / "late.h5")
    assert_equal(values(model), values(other))


@pytest.mark.parametrize("kind", [".h5", ".weights.h5"])
@pytest.mark.parametrize(
    ("configured", "words"),
    [
        ({"base_kernels": (9, 9)}, ["layer conv2d ", "5x5x3x4", "9x9x3x4", "base_kernels = (5, 5)"]),
        ({"base_filters": 8}, ["5x5x3x4", "5x5x3x8", "base_filters = 4"]),
        ({"num_layers": 4}, ["num_layers = 3", "configured: num_layers = 4"]),
        ({"num_layers": 2}, ["num_layers = 3", "configured: num_layers = 2"]),
        ({"normalization": True}, ["BatchNormalization", "normalization = False"]),
        ({"num_classes": 3}, ["layer conv2d_10", "1x1x4x2", "1x1x4x3", "num_classes = 2"]),
        ({"image_channels": 1}, ["5x5x3x4", "5x5x1x4", "image_channels = 3"]),
        ({"num_layers": 2, "base_filters": 8}, ["num_layers = 3, base_filters = 4"]),
    ],
)
def test_what_does_not_fit_names_the_key_that_would(tmp_path, kind, configured, words):
    path = tmp_path / f"best{kind}"
    save_weights(small(), path)
    model = small(2, **configured)
    before = values(model)
    with pytest.raises(WeightsError) as caught:
        load_weights(model, path)
    for word in [str(path), *words]:
        assert word in str(caught.value)
    assert_equal(before, values(model))


def test_another_architecture_is_said_to_be_one(tmp_path, reference):
    with pytest.raises(WeightsError, match="another architecture"):
        load_weights(small(), reference / "zoo/U2Net.weights_keras2.h5")
    image = keras.Input((16, 16, 3))
    plain = keras.Model(image, keras.layers.Conv2D(2, 1)(image))
    save_weights(small(), tmp_path / "best.h5")
    with pytest.raises(WeightsError, match=r"num_layers = 3.*set \[model\] model = 'flexunet'"):
        load_weights(plain, tmp_path / "best.h5")


def test_a_file_describes_itself(reference):
    found = describe_weights(reference / "model/d_k3_L4_d3_bn_mish_c6.best_model_keras2.h5")
    assert found.parameters == 122_278
    assert found.form == "full model, HDF5, Keras 2.21.0"
    assert found.layers[0] == ("conv2d", [(3, 3, 3, 8), (8,)])
    assert found.settings == {
        "num_layers": 4,
        "base_filters": 8,
        "base_kernels": (3, 3),
        "normalization": True,
        "image_channels": 3,
        "num_classes": 6,
    }
    assert describe_weights(reference / "zoo/U2Net.weights_keras2.h5").settings is None


def test_damaged_and_foreign_files(tmp_path):
    whole = tmp_path / "best.h5"
    save_weights(small(), whole)
    content = whole.read_bytes()
    model = small(2)
    before = values(model)

    def refused(name: str, data: bytes, words: str, error=WeightsError) -> None:
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(error, match=words) as caught:
            load_weights(model, path)
        assert str(path) in str(caught.value)

    for share in (0.05, 0.3, 0.6, 0.95):
        refused("cut.h5", content[: int(len(content) * share)], "damaged|cut short")
    refused("empty.h5", b"", "empty")
    refused("text.h5", b"these are not weights", "neither an HDF5 file")
    model.save(tmp_path / "whole.keras")
    refused("half.keras", (tmp_path / "whole.keras").read_bytes()[:2000], "was cut short")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("readme.txt", "nothing")
    refused("other.keras", archive.getvalue(), "not a .keras file")
    with h5py.File(tmp_path / "table.h5", "w") as file:
        file["numbers"] = np.arange(3)
    with pytest.raises(WeightsError, match="holds no Keras weights"):
        load_weights(model, tmp_path / "table.h5")
    with pytest.raises(PathError, match="no weights file"):
        load_weights(model, tmp_path / "absent.h5")
    (tmp_path / "saved_model").mkdir()
    with pytest.raises(PathError, match="SavedModel"):
        load_weights(model, tmp_path / "saved_model")
    assert_equal(before, values(model))


def test_weights_that_diverged_are_refused(tmp_path):
    model = small()
    model.get_layer("conv2d_3").kernel.assign(np.full((3, 3, 8, 8), np.nan, "float32"))
    save_weights(model, tmp_path / "best.h5")
    with pytest.raises(WeightsError, match=r"conv2d_3/kernel holds values that are infinite or not a number"):
        load_weights(small(2), tmp_path / "best.h5")


class SideEffect:
    """Unpickling this would write a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return (exec, (f"open({self.path!r}, 'w').close()",))


def test_nothing_in_a_file_is_executed(tmp_path):
    """Bytecode and pickles that write a file when run by hand do not when the weights are loaded."""
    marker = tmp_path / "executed"
    code = compile(f"lambda x: open({str(marker)!r}, 'w').close() or x", "<payload>", "eval").co_consts[0]
    types.FunctionType(marshal.loads(marshal.dumps(code)), {"__builtins__": __builtins__})(1)
    assert marker.exists()
    marker.unlink()
    import base64

    payload = base64.b64encode(marshal.dumps(code)).decode()
    pickled = pickle.dumps(SideEffect(str(marker)))
    lambda_layer = {
        "class_name": "Lambda",
        "config": {"name": "lambda", "function": [payload, None, None], "function_type": "lambda"},
    }
    architecture = json.dumps({"class_name": "Functional", "config": {"layers": [lambda_layer]}})

    model = small(1)
    save_weights(model, tmp_path / "good.h5")
    with h5py.File(tmp_path / "good.h5") as good, h5py.File(tmp_path / "evil.h5", "w") as evil:
        group = evil.create_group("model_weights")
        for key, value in good.attrs.items():
            group.attrs[key] = value
        for name in good:
            good.copy(name, group)
        evil.attrs["model_config"] = architecture
        evil.attrs["training_config"] = np.void(pickled)
        evil.create_dataset("model_weights/pickle", data=np.void(pickled))
    save_weights(model, tmp_path / "good.keras")
    with (
        zipfile.ZipFile(tmp_path / "good.keras") as good,
        zipfile.ZipFile(tmp_path / "evil.keras", "w") as evil,
    ):
        evil.writestr("config.json", architecture)
        evil.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        evil.writestr("model.weights.h5", good.read("model.weights.h5"))
        evil.writestr("assets/payload.pkl", pickled)
    for name in ("evil.h5", "evil.keras"):
        other = small(2)
        load_weights(other, tmp_path / name)
        assert_equal(values(model), values(other))
        describe_weights(tmp_path / name)
    assert not marker.exists()


def test_links_out_of_the_file_are_not_followed(tmp_path):
    """Nor soft links, external files, virtual datasets or arrays of Python objects."""
    save_weights(small(1), tmp_path / "good.h5")
    kernel = "conv2d/conv2d/kernel:0"

    def with_kernel(name: str, put) -> None:
        path = tmp_path / name
        path.write_bytes((tmp_path / "good.h5").read_bytes())
        with h5py.File(path, "r+") as file:
            array = file[kernel][()]
            del file[kernel]
            put(file, array)

    def external(file, array):
        file[kernel] = h5py.ExternalLink(str(tmp_path / "good.h5"), kernel)

    def soft(file, array):
        file["hidden"] = array
        file[kernel] = h5py.SoftLink("/hidden")

    def outside(file, array):
        (tmp_path / "raw.bin").write_bytes(array.tobytes())
        file.create_dataset(
            kernel, array.shape, array.dtype, external=[(str(tmp_path / "raw.bin"), 0, array.nbytes)]
        )

    def virtual(file, array):
        layout = h5py.VirtualLayout(array.shape, array.dtype)
        layout[...] = h5py.VirtualSource(str(tmp_path / "good.h5"), kernel, array.shape)
        file.create_virtual_dataset(kernel, layout)

    def objects(file, array):
        file.create_dataset(kernel, data=np.array(["x"], dtype=object), dtype=h5py.string_dtype())

    model = small(2)
    before = values(model)
    for name, put, words in [
        ("external.h5", external, "links are not followed"),
        ("soft.h5", soft, "links are not followed"),
        ("outside.h5", outside, "lies in another file"),
        ("virtual.h5", virtual, "lies in another file"),
        ("objects.h5", objects, "not an array of numbers"),
    ]:
        with_kernel(name, put)
        with pytest.raises(WeightsError, match=words):
            load_weights(model, tmp_path / name)
    assert_equal(before, values(model))


def test_a_group_that_contains_itself_ends(tmp_path):
    with h5py.File(tmp_path / "loop.weights.h5", "w") as file:
        layers = file.create_group("layers")
        layers["conv2d"] = layers
        layers["conv2d_1"] = layers
    with pytest.raises(WeightsError, match=r"deeper|more groups"):
        describe_weights(tmp_path / "loop.weights.h5")


def test_an_archive_that_swells_is_not_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(80 << 20))
    with pytest.raises(WeightsError, match="swells"):
        describe_weights(tmp_path / "bomb.keras")


@pytest.mark.engines
def test_layers_within_layers_come_back(tmp_path):
    def attending(seed: int) -> keras.Model:
        image = keras.Input((4, 8))
        attended = keras.layers.MultiHeadAttention(2, 4)(image, image)
        model = keras.Model(image, keras.layers.Dense(3)(attended))
        draw_initial_weights(model, seed)
        return model

    model, other = attending(1), attending(2)
    for name in ("best.weights.h5", "best.keras"):
        save_weights(model, tmp_path / name)
        load_weights(other, tmp_path / name)
        assert_equal(values(model), values(other))
    image = keras.Input((4, 8))
    wider = keras.layers.MultiHeadAttention(3, 4)(image, image)
    unfit = keras.Model(image, keras.layers.Dense(3)(wider))
    before = values(unfit)
    with pytest.raises(WeightsError, match="does not fit"):
        load_weights(unfit, tmp_path / "best.weights.h5")
    assert_equal(before, values(unfit))


@pytest.mark.parametrize("name", ["null.h5", "time.h5", "weirdfloat2.h5", "varsbig.weights.h5", "hang61.h5"])
def test_a_damaged_file_is_named_and_never_hangs(shared, name):
    """Found by fuzzing; `hang61.h5` keeps the HDF5 library busy for ever."""
    path = shared / "cases" / "damaged" / name

    def read():
        with open_weights(path) as stored:
            return [array.read(path) for layer in stored.layers for array in layer.arrays]

    with pytest.raises(WeightsError, match=name.replace(".", r"\.")):
        read()


def test_an_array_larger_than_its_file_is_refused(tmp_path):
    path = tmp_path / "bomb.weights.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("layers/conv2d/vars")
        group.create_dataset("0", shape=(1 << 40,), dtype="f4", chunks=(1 << 20,), fillvalue=0)
    with pytest.raises(WeightsError, match=r"declares 4398046511104 bytes"), open_weights(path):
        pass


def test_an_encrypted_archive_is_named(tmp_path):
    path = tmp_path / "best_model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.weights.h5", b"secret")
    content = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1  # the flag of encryption
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"best_model\.keras.*damaged"), open_weights(path):
        pass
