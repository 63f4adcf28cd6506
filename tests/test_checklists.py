"""The checklists of CONTRIBUTING.md are whole: to edit the files that they name adds the thing.

All additions go into one copy of the package, which one process then looks at.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import flexunet

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path(flexunet.__file__).parent

# Checklist: file that it names, then what is written where in it ("" for the end of the file).
ADDITIONS = {
    "A loss or metric.": {
        "training/objectives/lesion_losses.py": (
            "",
            '''

@loss(ignored="zeroed")
def half_dice(y_true: Any, y_pred: Any) -> Any:
    """Half of soft Dice, `(N,)`."""
    return 0.5 * dice(y_true, y_pred)
''',
        )
    },
    "An augmentation operation.": {
        "data/augment/operations.py": (
            "_ROWS = (\n",
            """    Operation(
        "darken",
        lambda config: iter([{"beta": -9.0}] if config.augmentor.darken else []),
        lambda p, h, w: warps.Brighten(1, p["beta"]),
    ),
""",
        ),
        "config/augment_sections.py": (
            '    """Augmentation: which operations are applied, and their parameters."""\n',
            '\n    darken: bool = False\n    """Whether images are darkened."""\n',
        ),
    },
    "A score.": {
        "evaluation/scores/pixels.py": (
            "PIXEL_SCORES = (\n",
            """    ImageScore(
        name="meeting",
        column="meeting_per_image",
        label="meeting",
        better="higher",
        definition="Common pixels over the larger of truth and prediction.",
        undefined="class in neither",
        summaries=(Summary("mean", ("console",)),),
        terms=lambda correct, truth, predicted: (correct, np.maximum(truth, predicted)),
        empty_rule=True,
    ),
""",
        )
    },
    "An architecture.": {
        "config/architectures.py": (
            "ARCHITECTURES: tuple[Architecture, ...] = (\n",
            '    Architecture("one-layer", (), "one_layer", "One layer", "ours", (), "any"),\n',
        ),
        "models/zoo/one_layer.py": (
            "",
            """import keras


def build(config):
    image = keras.Input((config.model.image_height, config.model.image_width, config.model.image_channels))
    return keras.Model(image, keras.layers.Conv2D(config.model.num_classes, 1, activation="softmax")(image))
""",
        ),
    },
    "A data set.": {
        "data/collections/registry.py": ("    dmid,\n    inbreast,\n", "    toy,\n"),
        "data/collections/outlined/toy.py": (
            "",
            """from flexunet.data.collections.collection import Collection, Contents


def read_toy(download):
    return Contents([])


ROW = Collection(
    "toy", "Toy", "films for a test", "mask files", "CC0", "nowhere", r"toy\\.txt", read_toy, "toy.txt"
)
""",
        ),
    },
    "A configuration key.": {
        "config/run_sections.py": (
            '    """Training: images, length, learning rate, and the files that are written."""\n',
            '\n    cups_of_tea: int = 2\n    """Cups of tea until the training ends."""\n',
        )
    },
}
# `_MODULES` of the registry is a second place in the same file.
SECOND = {"data/collections/registry.py": ("    dmid,\n    curated,\n", "    toy,\n")}

LOOK = """
import json
import sys
from pathlib import Path

import numpy as np

import flexunet
from flexunet.config.page import renewed
from flexunet.data.augment.operations import planned
from flexunet.data.collections.page import renewed as renewed_sets
from flexunet.data.collections.registry import COLLECTIONS
from flexunet.evaluation.tables.document import json_schema, with_score_table
from flexunet.training.objectives.named import get_loss

docs = Path(sys.argv[1])
config = flexunet.Config(
    model={"model": "one-layer", "image_width": 16, "image_height": 16, "loss": "half_dice"},
    augmentor={"darken": True},
)
truth = np.zeros((1, 4, 4, 2), "float32")
truth[..., 0] = 1
wrong = truth[..., ::-1].copy()
mask, half = np.zeros((8, 8), "uint8"), np.zeros((8, 8), "uint8")
mask[:4], half[:2] = 1, 1
print(json.dumps({
    "loss": np.asarray(get_loss("half_dice", 2)(wrong, truth)).round(3).tolist(),
    "operation": [step.prefix for step in planned(config)][0],
    "in the schema": "meeting_per_image_mean" in json.dumps(json_schema()),
    "in the table": "meeting_per_image" in with_score_table((docs / "scores-schema.md").read_text()),
    "layers": len(flexunet.build_model(config).layers),
    "data set": COLLECTIONS["toy"].about,
    "sets page": "`toy`" in renewed_sets((docs / "datasets.md").read_text()),
    "key": config.train.cups_of_tea,
    "keys page": [key in renewed((docs / "configuration.md").read_text()) for key in ("cups_of", "darken")],
}))
"""


@pytest.fixture(scope="module")
def answer(tmp_path_factory):
    """What the copy with all additions says."""
    folder = tmp_path_factory.mktemp("copy")
    copy = folder / "flexunet"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "static"))
    for additions in ADDITIONS.values():
        for name, (after, text) in additions.items():
            insert(copy / name, after, text)
    for name, (after, text) in SECOND.items():
        insert(copy / name, after, text)
    environment = os.environ | {"PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", LOOK, str(ROOT / "docs")]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr[-3000:]
    return json.loads(said.stdout.splitlines()[-1])


def insert(path, after, text):
    """Write a text after another one, or at the end of a file that may be new."""
    old = path.read_text(encoding="utf-8") if path.is_file() else ""
    assert old.count(after) == 1 or not after, (path, after)
    path.write_text(old.replace(after, after + text) if after else old + text, encoding="utf-8")


@pytest.mark.parametrize("checklist", ADDITIONS)
def test_the_checklist_names_every_file_that_was_edited(checklist):
    text = (
        (ROOT / "CONTRIBUTING.md")
        .read_text(encoding="utf-8")
        .partition(f"**{checklist}**")[2]
        .partition("\n\n**")[0]
    )
    named = re.findall(r"`src/flexunet/([\w./]+)`", text)
    for path in ADDITIONS[checklist]:
        assert any(path == name or (name.endswith("/") and path.startswith(name)) for name in named), path


def test_the_loss_is_computed(answer):
    # Nothing of 16 pixels is right: soft Dice with its smoothing of 1 is 1 - 1 / 17.
    assert answer["loss"] == pytest.approx(8 / 17, abs=0.001)


def test_the_operation_makes_copies_with_a_name(answer):
    assert answer["operation"].startswith("aug-darken-")


def test_the_score_is_in_schema_and_table(answer):
    assert answer["in the schema"]
    assert answer["in the table"]


def test_the_architecture_is_built(answer):
    assert answer["layers"] == 2


def test_the_data_set_is_known(answer):
    assert answer["data set"] == "films for a test"
    assert answer["sets page"]


def test_the_keys_are_read_and_explained(answer):
    assert answer["key"] == 2
    assert answer["keys page"] == [True, True]
