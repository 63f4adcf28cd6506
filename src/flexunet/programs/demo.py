"""The demo: raw films, pseudo-labels, split, augmentation, training, evaluation and inference on phantoms.

It goes the published way: masks come from a model trained elsewhere, here on phantoms of other patients. A
person corrects those of the test patients, without which no score would mean anything; true masks stand in.
Every step is a command line of `flexunet`, as a user would type it.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from flexunet.data.dataset.manifest import Manifest
from flexunet.data.dataset.status import ANNOTATOR, STATUS
from flexunet.errors import FlexUNetError, PathError
from flexunet.evaluation.report.outputs import read_scores
from flexunet.evaluation.summary.verdict import in_words
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
normalization_layer = "batch"
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
{drafts}epochs = {epochs}
batch_size = 4
patience = {epochs}
monitor = "val_dice_per_image_mean"
learning_rate_schedule = "cosine"
warmup_steps = {warmup}
ema_momentum = 0.95
statistics_batches = 10
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

_PAGE = "index.html"
_SIZE = "--width 128 --height 128"
# Title, epochs (the second data set is larger by its augmented copies), and what is said of drafts.
_PLANS = {
    "elsewhere": ("A model of another hospital, whose masks were drawn by hand.", 14, ""),
    "mammogram": (
        "Our own.",
        3,
        "# Drafts of the other hospital's model, which no person has checked.\ndrafts = true\n",
    ),
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
        folder: Must not exist, or be empty.
        seed: Seed of the phantoms.
        quick: Whether to show the path alone, on few images for one epoch.
        announce: Called with a title and a command line before each step.
        command_line: Runs `flexunet` with these arguments, in the current folder and in this process, which
            starts its engine once; its exit code.

    Returns:
        What to look at: a few words, and the file.

    Raises:
        PathError: if the folder holds something.
        FlexUNetError: if a step fails.
    """
    if (folder / _PAGE).is_file() and (folder / "elsewhere.toml").is_file():
        raise PathError(
            f"{folder} holds an earlier demo: look at {folder / _PAGE}, or remove the folder and run again."
        )
    if folder.exists() and any(folder.iterdir()):
        raise PathError(f"{folder} is not empty: name another folder, 'flexunet demo FOLDER', or remove it.")
    for name, (title, epochs, drafts) in _PLANS.items():
        text = _CONFIG.format(
            title=title,
            data="elsewhere" if name == "elsewhere" else "augmented",
            run=f"run-{name}",
            drafts=drafts,
            epochs=1 if quick else epochs,
            warmup=0 if quick else 20,
        )
        write_text(folder / f"{name}.toml", text)
    theirs, ours = ("4", "4") if quick else ("36", "36")
    easy = "--mass-contrast 3.5"
    raw = f"derive raw {{}} {_SIZE} {{}} --table raw_masks/manifest.csv --jobs 2"
    drafting = [
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
            raw.format("derived", "--masks-from run-elsewhere"),
        ),
        ("split by patient", "split derived split --by patient --ratios 0.55,0.15,0.3 --drafts"),
        (
            "a person corrects the drafts of the test patients (flexunet review); their true masks stand in",
            raw.format("truth", "--masks raw_masks"),
        ),
    ]
    training = [
        (
            "copies of the training images",
            "augment split augmented --config mammogram.toml --jobs 2 --drafts",
        ),
        ("does anything leak?", "audit augmented --out augmented/audit"),
        ("what is in the data set", "stats augmented --out stats"),
        ("train", "train mammogram.toml"),
        ("measure on the test patients", "evaluate mammogram.toml"),
        ("masks and overlays of the test images", "infer mammogram.toml"),
    ]

    def run_steps(steps: list[tuple[str, str]]) -> None:
        for title, command in steps:
            announce(title, f"flexunet {command}")
            # An audit that finds something exits 1: drafts of training images are worth a warning.
            if (code := command_line(shlex.split(command))) > command.startswith("audit "):
                raise FlexUNetError(f"'flexunet {command}' ended with exit code {code}")

    with contextlib.chdir(folder):
        run_steps(drafting)
        _sign(Path("split"), Path("truth"))
        run_steps(training)
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
    return {"all of it on one page": _write_page(folder, [*drafting, *training], made), **made}


def _sign(split: Path, truth: Path) -> None:
    """Put the true masks in the place of the drafts of test images, as if a person had corrected them."""
    true, manifest = (Manifest.read(folder) or Manifest() for folder in (truth, split))
    masks = {Path(row["file"]).name: truth / row["mask"] for row in true.rows}
    for row in manifest.rows:
        if row["split"] == "test":
            shutil.copyfile(masks[Path(row["file"]).name], split / row["mask"])
            row |= {STATUS: "corrected", ANNOTATOR: "true mask of the phantom"}
    manifest.write(split)


def _write_page(folder: Path, steps: list[tuple[str, str]], made: dict[str, Path]) -> Path:
    """The page that links what was made, with some of the predicted outlines; its path."""

    def linked(path: Path) -> str:
        return quote(path.resolve().relative_to(folder.resolve()).as_posix())

    overlays = sorted((folder / "run-mammogram" / "predictions_overlay").glob("*.png"))
    page = templates_of("flexunet.programs").get_template("demo.html.jinja")
    path = folder / _PAGE
    scores = read_scores(folder / "run-mammogram" / "evaluation")
    text = page.render(
        dice=in_words(scores.foreground.dice_per_image_mean),
        scores=scores,
        steps=steps,
        links=[(what, linked(file)) for what, file in made.items()],
        pictures=[linked(file) for file in overlays[:: max(1, len(overlays) // 4)][:4]],
    )
    write_text(path, text)
    return path
