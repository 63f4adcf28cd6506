"""Train other systems on the folds of a table, for as long as ours: nnU-Net's 2-D U-Net and MONAI's DynUNet.

    python -m venv /tmp/peers
    /tmp/peers/bin/python -m pip install torch==2.13.0 nnunetv2==2.8.1 monai==1.6.1 opencv-python-headless
    /tmp/peers/bin/python benchmarks/accuracy/peers.py nnunet FOLD OUT --size 128 256 --epochs 16
    /tmp/peers/bin/python benchmarks/accuracy/peers.py dynunet FOLD OUT --size 128 256 --epochs 16
    flexunet score --truth FOLD/test/masks --prediction OUT/masks --config configs/tissue.toml --out SCORES

FOLD is a folder with train|valid|test/{images,masks}, as run.py makes it (--work). Images are scaled to
--size, because no system trains on whole films in half an hour on one core; probabilities are scaled back to
the size of each mask before the largest is taken, as ours are. nnU-Net plans for itself; only the number of
epochs, the steps of one, and the number of its helper processes are set. DynUNet has the recipe of MONAI's
pipeline for it: SGD with Nesterov momentum 0.99, learning rate 0.01 with a polynomial decay, Dice and
cross-entropy with deep supervision, rotation, zoom, noise, blur, brightness, contrast. OUT/time.json
tells the seconds by the clock and of the processor, and the greatest memory. This file runs in an environment
of its own and imports nothing of FlexUNet.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

SPLITS = ("train", "valid", "test")
# Grey values of the masks by class: the tissue set, and lesions.
GREYS = {"tissue": (64, 128, 192, 255), "lesions": (0, 255)}


def main() -> None:
    """Prepare, train, predict."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("system", choices=("nnunet", "dynunet"))
    parser.add_argument("fold", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--table", choices=GREYS, default="tissue")
    parser.add_argument("--size", type=int, nargs=2, default=(128, 256), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--steps", type=int, default=50, help="Steps of an epoch.")
    parser.add_argument("--seed", type=int, default=137)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True)
    {"nnunet": run_nnunet, "dynunet": run_dynunet}[arguments.system](arguments)


def read_pairs(arguments: argparse.Namespace, split: str) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Stem, image (H, W) uint8 and labels (H, W) uint8 of a split, at --size."""
    greys = np.asarray(GREYS[arguments.table])
    masks = {file.stem: file for file in (arguments.fold / split / "masks").iterdir()}
    pairs = []
    for file in sorted((arguments.fold / split / "images").iterdir()):
        image = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        mask = cv2.imread(str(masks[file.stem]), cv2.IMREAD_GRAYSCALE)
        image = cv2.resize(image, arguments.size, interpolation=cv2.INTER_AREA)
        mask = cv2.resize(mask, arguments.size, interpolation=cv2.INTER_NEAREST)
        labels = np.abs(mask[..., None].astype(int) - greys).argmin(-1).astype(np.uint8)
        pairs.append((file.stem, image, labels))
    return pairs


def write_mask(arguments: argparse.Namespace, stem: str, probabilities: np.ndarray) -> None:
    """Write the mask of an image at its full size from probabilities (classes, H, W)."""
    file = next((arguments.fold / "test" / "masks").glob(f"{stem}.*"))
    height, width = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE).shape
    whole = np.stack([cv2.resize(each.astype(np.float32), (width, height)) for each in probabilities])
    grey = np.asarray(GREYS[arguments.table], np.uint8)[whole.argmax(0)]
    folder = arguments.out / "masks"
    folder.mkdir(exist_ok=True)
    cv2.imwrite(str(folder / f"{stem}.png"), grey)


def write_time(arguments: argparse.Namespace, began: tuple[float, float], **facts: Any) -> None:
    """Write how long training took, and how much memory at the most."""
    seconds = {
        "clock_s": round(time.perf_counter() - began[0], 1),
        "processor_s": round(time.process_time() - began[1], 1),
        "memory_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }
    (arguments.out / "time.json").write_text(json.dumps(seconds | facts, indent=1))


def run_nnunet(arguments: argparse.Namespace) -> None:
    """nnU-Net: its own fingerprint, plan, augmentation, training and mirrored prediction."""
    work, name = arguments.out.resolve(), "Dataset001_fold"
    for kind in ("raw", "preprocessed", "results"):
        os.environ[f"nnUNet_{kind}"] = str(work / kind)
    os.environ |= {"nnUNet_n_proc_DA": "1", "nnUNet_compile": "f"}
    raw = work / "raw" / name
    splits = {}
    for split in SPLITS:
        images = raw / ("imagesTs" if split == "test" else "imagesTr")
        labels = raw / ("labelsTs" if split == "test" else "labelsTr")
        for folder in (images, labels):
            folder.mkdir(parents=True, exist_ok=True)
        pairs = read_pairs(arguments, split)
        splits[split] = [stem for stem, _, _ in pairs]
        for stem, image, mask in pairs:
            cv2.imwrite(str(images / f"{stem}_0000.png"), image)
            cv2.imwrite(str(labels / f"{stem}.png"), mask)
    classes = len(GREYS[arguments.table])
    dataset = {
        "channel_names": {"0": "mammogram"},
        "labels": {"background": 0} | {f"class {index}": index for index in range(1, classes)},
        "numTraining": len(splits["train"]) + len(splits["valid"]),
        "file_ending": ".png",
    }
    (raw / "dataset.json").write_text(json.dumps(dataset))

    import torch
    from nnunetv2.experiment_planning.plan_and_preprocess_api import (
        extract_fingerprints,
        plan_experiments,
        preprocess,
    )
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    extract_fingerprints([1], num_processes=1, check_dataset_integrity=True)
    plan_experiments([1])
    preprocess([1], configurations=["2d"], num_processes=[1])
    prepared = work / "preprocessed" / name
    (prepared / "splits_final.json").write_text(
        json.dumps([{"train": splits["train"], "val": splits["valid"]}])
    )
    plans = json.loads((prepared / "nnUNetPlans.json").read_text())
    plans["continue_training"] = False
    trainer = nnUNetTrainer(plans, "2d", 0, dataset, torch.device("cpu"))
    trainer.num_epochs = arguments.epochs
    trainer.num_iterations_per_epoch = arguments.steps
    trainer.num_val_iterations_per_epoch = 5
    # Augmentation in this process, so that its time is counted and one core is one core.
    os.environ |= {"nnUNet_n_proc_DA": "0"}
    began = time.perf_counter(), time.process_time()
    trainer.run_training()
    network = trainer.network
    write_time(
        arguments,
        began,
        parameters=sum(weights.numel() for weights in network.parameters()),
        patch=plans["configurations"]["2d"]["patch_size"],
        batch=plans["configurations"]["2d"]["batch_size"],
    )
    predictor = nnUNetPredictor(
        device=torch.device("cpu"), perform_everything_on_device=False, allow_tqdm=False
    )
    predictor.initialize_from_trained_model_folder(str(Path(trainer.output_folder).parent), use_folds=(0,))
    predictor.predict_from_files(
        str(raw / "imagesTs"),
        str(work / "predicted"),
        save_probabilities=True,
        num_processes_preprocessing=1,
        num_processes_segmentation_export=1,
    )
    for file in sorted((work / "predicted").glob("*.npz")):
        write_mask(arguments, file.stem, np.load(file)["probabilities"][:, 0])


def run_dynunet(arguments: argparse.Namespace) -> None:
    """MONAI's DynUNet with the recipe of its pipeline."""
    import torch
    from monai.losses import DeepSupervisionLoss, DiceCELoss
    from monai.networks.nets import DynUNet
    from monai.transforms import (
        Compose,
        RandAdjustContrastd,
        RandGaussianNoised,
        RandGaussianSmoothd,
        RandRotated,
        RandScaleIntensityd,
        RandZoomd,
    )
    from monai.utils import set_determinism

    torch.set_num_threads(1)
    set_determinism(arguments.seed)
    classes = len(GREYS[arguments.table])

    def tensors(split: str) -> list[dict[str, Any]]:
        """Images scaled to mean 0 and deviation 1, as the pipeline does, and labels."""
        return [
            {
                "stem": stem,
                "image": torch.from_numpy((image - image.mean()) / max(image.std(), 1e-8)).float()[None],
                "label": torch.from_numpy(labels).float()[None],
            }
            for stem, image, labels in read_pairs(arguments, split)
        ]

    train, valid, test = (tensors(split) for split in SPLITS)
    both = ["image", "label"]
    change = Compose(
        [
            RandRotated(both, range_x=0.26, prob=0.2, mode=["bilinear", "nearest"]),
            RandZoomd(both, min_zoom=0.7, max_zoom=1.4, prob=0.2, mode=["bilinear", "nearest"]),
            RandGaussianNoised("image", std=0.1, prob=0.15),
            RandGaussianSmoothd("image", sigma_x=(0.5, 1.15), sigma_y=(0.5, 1.15), prob=0.15),
            RandScaleIntensityd("image", factors=0.3, prob=0.15),
            RandAdjustContrastd("image", gamma=(0.7, 1.5), prob=0.15),
        ]
    )
    levels = 1
    while min(arguments.size) / 2**levels >= 8 and levels < 7:
        levels += 1
    network = DynUNet(
        spatial_dims=2,
        in_channels=1,
        out_channels=classes,
        kernel_size=[3] * levels,
        strides=[1] + [2] * (levels - 1),
        upsample_kernel_size=[2] * (levels - 1),
        norm_name="instance",
        deep_supervision=True,
        deep_supr_num=min(3, levels - 2),
    )
    loss_of = DiceCELoss(to_onehot_y=True, softmax=True, include_background=False)
    deep_loss_of = DeepSupervisionLoss(loss_of)
    optimizer = torch.optim.SGD(
        network.parameters(), lr=0.01, momentum=0.99, weight_decay=3e-5, nesterov=True
    )
    steps = arguments.epochs * arguments.steps
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1 - step / steps) ** 0.9)
    random = np.random.default_rng(arguments.seed)
    began = time.perf_counter(), time.process_time()
    best, kept = -1.0, None
    for step in range(steps):
        network.train()
        chosen = [change(train[index]) for index in random.choice(len(train), 2, replace=False)]
        labels = torch.stack([each["label"] for each in chosen])
        outputs = network(torch.stack([each["image"] for each in chosen]))
        loss = deep_loss_of(list(torch.unbind(outputs, dim=1)), labels)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 12)
        optimizer.step()
        schedule.step()
        if (step + 1) % arguments.steps == 0:
            dice = np.mean([dice_of(probabilities(network, each), each["label"][0]) for each in valid])
            print(f"step {step + 1}: loss {loss.item():.3f}, validation Dice {dice:.3f}", flush=True)
            if dice > best:
                best = dice
                kept = {name: value.clone() for name, value in network.state_dict().items()}
    write_time(
        arguments, began, parameters=sum(weights.numel() for weights in network.parameters()), valid_dice=best
    )
    network.load_state_dict(kept)
    for each in test:
        write_mask(arguments, each["stem"], probabilities(network, each))


def probabilities(network: Any, case: dict[str, Any]) -> np.ndarray:
    """Probabilities (classes, H, W) of one image."""
    import torch

    network.eval()
    with torch.no_grad():
        return torch.softmax(network(case["image"][None]), 1)[0].numpy()


def dice_of(prediction: np.ndarray, labels: Any) -> float:
    """Mean Dice of the classes without the background, of one image."""
    predicted, true = prediction.argmax(0), np.asarray(labels)
    scores = []
    for index in range(1, len(prediction)):
        size = (predicted == index).sum() + (true == index).sum()
        if size:
            scores.append(2 * ((predicted == index) & (true == index)).sum() / size)
    return float(np.mean(scores)) if scores else 1.0


if __name__ == "__main__":
    main()
