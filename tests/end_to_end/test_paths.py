"""Folders and files in other scripts, composed and not: every step finds and writes them, on every engine."""

import json
import unicodedata

import numpy as np
import pytest

from flexunet.data.images.files.write import write_image

# The character 表 ends in the byte of a backslash in Shift-JIS; é is an e with a combining accent.
FOLDER = f"乳房表示/{unicodedata.normalize('NFD', 'é ö')}"
NAMES = [f"{unicodedata.normalize('NFD', 'é')}_表_{number}" for number in range(2)]
CONFIG = """
[model]
image_width = 16
image_height = 16
num_layers = 2
base_filters = 2
[train]
images_dir = "./表/images"
masks_dir = "./表/masks"
run_dir = "./走行é"
epochs = 1
[test]
images_dir = "./表/images"
masks_dir = "./表/masks"
[evaluate]
bootstrap_samples = 20
[infer]
images_dir = "./表/images"
output_dir = "予測表"
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory, flexunet):
    """A run that was trained there."""
    folder = tmp_path_factory.mktemp("names") / FOLDER
    rng = np.random.default_rng(0)
    for name in NAMES:
        image = rng.integers(0, 256, (24, 20), np.uint8)
        write_image(folder / "表" / "images" / f"{name}.png", image)
        write_image(folder / "表" / "masks" / f"{name}.png", np.where(image > 128, 255, 0).astype(np.uint8))
    (folder / "設定表.toml").write_text(CONFIG, encoding="utf-8")
    flexunet("train", folder / "設定表.toml")
    return folder


@pytest.mark.engines
def test_a_run_is_evaluated_and_predicts(project, flexunet):
    run = project / "走行é"
    flexunet("evaluate", project / "設定表.toml", "--no-look")
    assert json.loads((run / "evaluation" / "scores.json").read_text(encoding="utf-8"))["images"] == 2
    flexunet("infer", run)
    assert sorted(path.name for path in (run / "予測表").iterdir()) == [f"{name}.png" for name in NAMES]
    assert NAMES[0] in (run / "予測表_lesions" / "images.csv").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["openvino", "onnx", "litert"])
def test_exports_are_written_and_predict(project, flexunet, form):
    pytest.importorskip({"openvino": "openvino", "onnx": "onnxruntime", "litert": "ai_edge_litert"}[form])
    exported = project / f"輸出表é_{form}"
    flexunet("export", project / "走行é", "--to", form, "--out", exported)
    out = project / f"予測_{form}"
    flexunet("infer", exported, project / "表" / "images", "--out", out, "--engine", form)
    assert sorted(path.name for path in out.iterdir()) == [f"{name}.png" for name in NAMES]


def test_weights_are_exported_and_imported(project, flexunet):
    config = project / "設定表.toml"
    flexunet("export", project / "走行é", "--to", "h5", "--out", project / "重み表é.h5")
    flexunet("import-weights", project / "重み表é.h5", config, project / "輸入表é")
    flexunet("infer", project / "輸入表é", project / "表" / "images", "--out", project / "予測_輸入")
    assert len(list((project / "予測_輸入").iterdir())) == 2
