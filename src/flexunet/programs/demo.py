"""The demo: raw films, pseudo-labels, split, augmentation, training, evaluation and inference on phantoms.

It goes the published way: masks come from a model trained elsewhere, here on phantoms of other patients.
Every step is a command line of `flexunet`, as a user would type it.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from flexunet.errors import FlexUNetError, PathError
from flexunet.files import templates_of, write_text
from flexunet.run_folder import RunFolder

_CONFIG = """\
# {title}
# Written by `flexunet demo`.

[model]
model = "flexunet"
image_width = 128
image_height = 128
image_channels = 1
num_classes = 2
base_filters = 8
max_filters = 64
base_kernels = [3, 3]
num_layers = 5
dropout_rate = 0.0
normalization = true
# Without running averages, which lag behind in a run of so few steps.
normalization_layer = "group"
deep_supervision = true
optimizer = "AdamW"
learning_rate = 0.002
weight_decay = 0.01
clipvalue = 1.0
loss = "dice + categorical_crossentropy"
metrics = ["dice_coef_multiclass", "dice_coef_foreground"]

[train]
images_dir = "{data}/train/images"
masks_dir = "{data}/train/masks"
run_dir = "{run}"
epochs = {epochs}
batch_size = 4
patience = {epochs}
monitor = "val_dice_per_image_mean"
learning_rate_schedule = "cosine"
warmup_steps = {warmup}
ema_momentum = 0.95
num_infer_images = 6
epoch_change_images_dir = "{data}/valid/images"

[valid]
images_dir = "{data}/valid/images"
masks_dir = "{data}/valid/masks"

[test]
images_dir = "{data}/test/images"
masks_dir = "{data}/test/masks"

[infer]
images_dir = "{data}/test/images"
output_dir = "predictions"

[augmentor]
hflip = true
vflip = false
rotation = true
angles = [350, 10]
shrinks = []
shears = []
deformation = false
distortion = true

[distortion]
distortions = [0.02]
"""

_SIZE = "--width 128 --height 128"
# Title, and epochs: the second data set is larger by its augmented copies.
_PLANS = {
    "elsewhere": ("A model of another hospital, whose masks were drawn by hand.", 12),
    "mammogram": ("Our own.", 5),
}


def run_demo(
    folder: Path,
    *,
    seed: int = 137,
    quick: bool = False,
    announce: Callable[[str, str], None],
    command_line: Callable[[list[str]], int],
) -> dict[str, Path]:
    """Run the demo into a new folder.

    Args:
        folder: Must not exist, or be a demo's that was begun before; nothing else is written to.
        seed: Seed of the phantoms.
        quick: Whether to show the path alone, on few images for one epoch.
        announce: Called with a title and a command line before each step.
        command_line: Runs `flexunet` with these arguments, in the current folder and in this process, which
            starts its engine once; its exit code.

    Returns:
        What to look at: a few words, and the file.

    Raises:
        PathError: if the folder holds something else.
        FlexUNetError: if a step fails.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / "mammogram.toml").is_file():
        raise PathError(f"{folder} is not empty and no demo's folder: name another, 'flexunet demo FOLDER'")
    for name, (title, epochs) in _PLANS.items():
        text = _CONFIG.format(
            title=title,
            data="elsewhere" if name == "elsewhere" else "augmented",
            run=f"run-{name}",
            epochs=1 if quick else epochs,
            warmup=0 if quick else 20,
        )
        write_text(folder / f"{name}.toml", text)
    theirs, ours = ("4", "4") if quick else ("36", "36")
    easy = "--mass-contrast 2.5"
    steps = [
        (
            "films of another hospital, with masks",
            f"phantom elsewhere --patients {theirs} {easy} {_SIZE} --seed {seed}",
        ),
        ("train a model there", "train elsewhere.toml"),
        (
            "our own raw films, 1920 x 1080, no masks",
            f"phantom raw --raw --patients {ours} {easy} --seed {seed + 1}",
        ),
        (
            "crop to the breast; the other hospital's model drafts the masks",
            f"derive raw derived {_SIZE} --masks-from run-elsewhere --table raw_masks/manifest.csv --jobs 2",
        ),
        (
            "split by patient; a person would review the drafts first (flexunet review derived)",
            "split derived split --by patient --ratios 0.55,0.15,0.3 --drafts",
        ),
        (
            "copies of the training images",
            "augment split augmented --config mammogram.toml --jobs 2 --drafts",
        ),
        ("does anything leak?", "audit augmented --out augmented/audit"),
        ("what is in the data set", "stats augmented --out stats"),
        ("train", "train mammogram.toml --set train.drafts=true"),
        ("measure on the test patients", "evaluate mammogram.toml"),
        ("masks and overlays of the test images", "infer mammogram.toml"),
    ]
    with contextlib.chdir(folder):
        for title, command in steps:
            announce(title, f"flexunet {command}")
            code = command_line(shlex.split(command))
            # An audit that finds something exits 1; drafted masks give it reason to, and the demo shows them.
            if code > command.startswith("audit "):
                raise FlexUNetError(f"'flexunet {command}' ended with exit code {code}")
    run = RunFolder.at(folder / "run-mammogram")
    made = {
        "report: how good it is, and how sure we are": run.report,
        "masks outlined on the test images": run.path / "predictions_overlay",
        "curves of the training": run.curves / "train_losses.png",
        "predictions after each epoch": run.epoch_predictions,
        "audit: leaks, misplaced masks": folder / "augmented" / "audit" / "audit.html",
        "contact sheets of the data set": folder / "stats",
        "configuration, to start your own from": folder / "mammogram.toml",
    }
    return {"all of it on one page": _write_page(folder, steps, made), **made}


def _write_page(folder: Path, steps: list[tuple[str, str]], made: dict[str, Path]) -> Path:
    """The page that links what was made, with some of the predicted outlines; its path."""

    def linked(path: Path) -> str:
        return quote(path.resolve().relative_to(folder.resolve()).as_posix())

    overlays = sorted((folder / "run-mammogram" / "predictions_overlay").glob("*.png"))
    page = templates_of("flexunet.programs").get_template("demo.html.jinja")
    path = folder / "index.html"
    text = page.render(
        steps=steps,
        links=[(what, linked(file)) for what, file in made.items()],
        pictures=[linked(file) for file in overlays[:: max(1, len(overlays) // 4)][:4]],
    )
    write_text(path, text)
    return path
