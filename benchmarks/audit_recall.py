"""How many planted leaks the audit finds, by operation, and how many it sees where there are none.

    python benchmarks/audit_recall.py --data ../shared/data/cdd_cesm
    python benchmarks/audit_recall.py --data ../shared/data/mini_mias_512 --limit 60 --isolated

Three experiments on the images of one folder, by pictures alone (names are numbers, there is no manifest):

    leaking   every published operation is applied to every image, and all files are split at random
    isolated  each original and each copy alone with one other copy of it: nothing connects the two but
              themselves (pairs of random operations; the hardest case)
    clean     the originals, split by patient: whatever is found across splits is a false alarm

A leak pair is two files of one original in two splits. Files of one patient that are not of one original (the
two exposures of CDD-CESM, say) count neither as found nor as false.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import shutil
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flexunet.config.files import load_config
from flexunet.data.audit.examine import examine_all
from flexunet.data.audit.files import take_inventory
from flexunet.data.audit.leak_findings import group_copies
from flexunet.data.augment.operations import planned
from flexunet.data.copies.find import find_copies, inliers_needed
from flexunet.data.copies.store import FingerprintStore
from flexunet.data.dataset.names import patient_of, source_of
from flexunet.data.images.files.listing import list_images
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.reader import MaskReader
from flexunet.data.split.groups import deal_groups

CONFIG = """
[augmentor]
vflip = true
hflip = true
rotation = true
angles = [5, 30, 60, 90, 180, 270, 350]
shrinks = [0.6, 0.8]
shears = [0.1, 0.2]
deformation = true
distortion = true
barrdistortion = true
pincdistortion = true
sharpening = true
brightening = true
[deformation]
alpah = 1300
sigmoids = [8, 10]
[distortion]
gaussian_filter_rsigma = 40
gaussian_filter_sigma = 0.5
distortions = [0.02, 0.03]
[barrdistortion]
radius = 0.3
amount = 0.3
centers = [[0.3, 0.3], [0.7, 0.3], [0.5, 0.5], [0.3, 0.7], [0.7, 0.7]]
cumulative = true
[pincdistortion]
radius = 0.3
amount = -0.3
centers = [[0.3, 0.3], [0.7, 0.3], [0.5, 0.5], [0.3, 0.7], [0.7, 0.7]]
cumulative = true
[sharpening]
k = 1.0
[brightening]
alpha = 1.2
beta = 10
"""
SHARES = {"train": 0.8, "valid": 0.15, "test": 0.05}


@dataclass(frozen=True)
class File:
    """One file of the leaking data set."""

    source: str
    patient: str
    operation: str
    split: str


def patient(data: Path, stem: str) -> str:
    """Patient of an image, as SOURCE.md of each data set says."""
    if data.name == "mini_mias_512":
        return str((int(re.findall(r"\d+", stem)[0]) + 1) // 2)
    if data.name.startswith("csaw_s"):
        return stem[:3]
    return patient_of(stem) or source_of(stem)


def copies_of(image: np.ndarray, stem: str, steps: list) -> dict[str, np.ndarray]:
    """The image itself and each of its copies, by operation."""
    height, width = image.shape[:2]
    made = {"original": image}
    for step in steps:
        made[step.prefix.rstrip("_")] = step.seeded(137, stem).change(height, width).image(image)
    return made


def write_files(
    originals: list[Path], data: Path, root: Path, rng: np.random.Generator, isolated: bool
) -> list[File]:
    """Write a data set split at random by file; the names say nothing."""
    steps = planned(load_config(config_file(root)))
    files: list[File] = []
    with ThreadPoolExecutor(2) as pool:
        for path in originals:
            image = read_image(path, 1)
            made = copies_of(image, path.stem, steps)
            names = list(made)
            if isolated:
                names = [names[i] for i in rng.choice(len(names), 2, replace=False)]
                splits = ["train", "test"]
            else:
                splits = rng.choice(list(SHARES), len(names), p=list(SHARES.values())).tolist()
            start = len(files)
            for name, split in zip(names, splits, strict=True):
                files.append(File(source_of(path.stem), patient(data, path.stem), name, split))
            targets = [
                root / file.split / "images" / f"{start + i:06d}.png" for i, file in enumerate(files[start:])
            ]
            list(pool.map(write_image, targets, [made[name] for name in names]))
    return files


def config_file(root: Path) -> Path:
    """The configuration with all operations on."""
    path = root.parent / "operations.toml"
    path.write_text(CONFIG)
    return path


def look(root: Path) -> tuple[np.ndarray, list[str], dict[str, float]]:
    """Group of each picture as the audit finds it by pictures alone, file stems, and what it took."""
    entries = take_inventory(root).entries
    started, used = time.time(), time.process_time()
    with tempfile.TemporaryDirectory() as folder, FingerprintStore(Path(folder) / "new.sqlite") as store:
        examined = examine_all(entries, MaskReader(), store=store)
    middle, middle_used = time.time(), time.process_time()
    pairs = find_copies([e.fingerprint for e in examined])
    took = {
        "images": len(entries),
        "examine_s": middle - started,
        "compare_s": time.time() - middle,
        "cpu_s": time.process_time() - used,
        "examine_cpu_s": middle_used - used,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "inliers_needed": inliers_needed(len(entries)),
        "fewest_inliers": min((p.match.inliers for p in pairs), default=0),
    }
    return group_copies(examined, pairs, use_names=False).labels, [e.stem for e in entries], took


def leaking(originals: list[Path], data: Path, rng: np.random.Generator, isolated: bool) -> dict:
    """Plant leaks, look for them, count by operation."""
    folder = Path(tempfile.mkdtemp())
    try:
        files = write_files(originals, data, folder / "dataset", rng, isolated)
        labels, stems, took = look(folder / "dataset")
    finally:
        shutil.rmtree(folder)
    ordered = [files[int(stem)] for stem in stems]
    source = np.array([f.source for f in ordered])
    person = np.array([f.patient for f in ordered])
    split = np.array([f.split for f in ordered])
    across = np.triu(split[:, None] != split[None], 1)
    planted = across & (source[:, None] == source[None])
    found = labels[:, None] == labels[None]
    false = across & found & (person[:, None] != person[None])
    by_operation: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for i, j in zip(*np.nonzero(planted), strict=True):
        for name in {ordered[i].operation, ordered[j].operation}:
            by_operation[name][0] += int(found[i, j])
            by_operation[name][1] += 1
    others = int((across & (person[:, None] != person[None])).sum())
    return {
        "found": int((planted & found).sum()),
        "planted": int(planted.sum()),
        "by_operation": dict(by_operation),
        "false_pairs": int(false.sum()),
        "other_pairs": others,
        **took,
    }


def clean(originals: list[Path], data: Path, seed: int) -> dict:
    """Look for leaks among originals split by patient, where there are none."""
    people = [patient(data, path.stem) for path in originals]
    _, groups = np.unique(people, return_inverse=True)
    dealt = deal_groups(np.bincount(groups), ["all"] * (groups.max() + 1), list(SHARES.values()), seed)
    split = np.array(list(SHARES))[dealt[groups]]
    folder = Path(tempfile.mkdtemp())
    try:
        for i, (path, name) in enumerate(zip(originals, split, strict=True)):
            write_image(folder / name / "images" / f"{i:06d}.png", read_image(path, 1))
        labels, stems, took = look(folder)
    finally:
        shutil.rmtree(folder)
    order = [int(stem) for stem in stems]
    across = np.triu(split[order][:, None] != split[order][None], 1)
    person = np.array(people)[order]
    apart = np.triu(person[:, None] != person[None], 1)
    joined = labels[:, None] == labels[None]
    return {
        "false_pairs": int((across & joined).sum()),
        "pairs": int(across.sum()),
        "false_pairs_any": int((apart & joined).sum()),
        "pairs_any": int(apart.sum()),
        **took,
    }


def main() -> None:
    """Run and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/cdd_cesm"))
    parser.add_argument("--limit", type=int, help="use only so many images, spread over the folder")
    parser.add_argument("--isolated", action="store_true", help="only pairs that nothing else connects")
    parser.add_argument("--repeats", type=int, default=1, help="of isolated pairs")
    parser.add_argument("--seed", type=int, default=137)
    parser.add_argument("--skip-clean", action="store_true")
    parser.add_argument("--json", type=Path, help="write all figures here")
    given = parser.parse_args()
    originals = list_images(given.data / "images")
    if given.limit:
        chosen = np.linspace(0, len(originals) - 1, min(given.limit, len(originals))).round().astype(int)
        originals = [originals[i] for i in chosen]
    rng = np.random.default_rng(given.seed)
    results: dict[str, dict] = {}
    if not given.skip_clean:
        results["clean"] = clean(originals, given.data, given.seed)
    if given.isolated:
        for number in range(given.repeats):
            results[f"isolated {number + 1}"] = leaking(originals, given.data, rng, isolated=True)
    else:
        results["leaking"] = leaking(originals, given.data, rng, isolated=False)
    print(f"{given.data.name}: {len(originals)} images, pictures alone")
    for name, result in results.items():
        if name == "clean":
            print(
                f"clean     false alarms across splits {result['false_pairs']} of {result['pairs']} pairs; "
                f"between any two patients {result['false_pairs_any']} of {result['pairs_any']}"
            )
            continue
        print(
            f"{name:<9} found {result['found']} of {result['planted']} planted "
            f"({result['found'] / max(1, result['planted']):.2%}); false {result['false_pairs']} of "
            f"{result['other_pairs']} other pairs"
        )
        print(
            f"          {result['images']} files: examine {result['examine_s']:.0f} s, compare "
            f"{result['compare_s']:.0f} s (processor {result['cpu_s']:.0f} s), peak "
            f"{result['peak_mib']:.0f} MiB, inliers needed {result['inliers_needed']}, fewest found "
            f"{result['fewest_inliers']}"
        )
    table: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for result in results.values():
        for operation, (found, planted) in result.get("by_operation", {}).items():
            table[operation][0] += found
            table[operation][1] += planted
    for operation, (found, planted) in sorted(table.items()):
        print(f"  {operation:<34} {found:>6} / {planted:<6} {found / planted:.2%}")
    if given.json:
        given.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
