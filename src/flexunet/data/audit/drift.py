"""How the splits differ: share of images with lesions, lesion sizes, classes, grey levels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from flexunet.data.audit.examine import Examined
from flexunet.data.audit.findings import Finding

# A difference is told if it is both unlikely to be chance and large enough to matter.
P_VALUE = 0.01
INTENSITY_EFFECT = 0.35  # Kolmogorov-Smirnov distance
SIZE_EFFECT = 0.35
SHARE_EFFECT = 0.5  # Cohen's h
_FEWEST = 5


def split_figures(examined: Sequence[Examined], num_classes: int) -> dict[str, dict[str, Any]]:
    """Counts and figures of each split, ready for a table."""
    figures = {}
    for split in dict.fromkeys(e.entry.split for e in examined):
        inside = [e for e in examined if e.entry.split == split]
        masks = [e.mask for e in inside if e.mask]
        pixels = np.sum([m.class_pixels for m in masks], axis=0) if masks else np.zeros(num_classes)
        areas = _lesion_areas(inside)
        figures[split or "all"] = {
            "images": len(inside),
            "masks": sum(e.entry.mask is not None for e in inside),
            "empty_masks": sum(m.is_empty for m in masks),
            "lesions": len(areas),
            "median_lesion_area": float(np.median(areas)) if len(areas) else None,
            "patients": len({e.entry.identity.patient for e in inside if e.entry.identity.patient_known})
            or None,
            "sources": len({e.entry.identity.source for e in inside}),
            "class_shares": [float(share) for share in pixels / max(1, pixels.sum())],
            "median_intensity": float(np.median([e.mean for e in inside if not e.image_error] or [np.nan])),
        }
    return figures


def drift_findings(examined: Sequence[Examined], num_classes: int) -> list[Finding]:
    """Findings about differences between splits; none in a folder without splits."""
    splits = [s for s in dict.fromkeys(e.entry.split for e in examined) if s]
    by_split = {s: [e for e in examined if e.entry.split == s] for s in splits}
    findings = []
    for first, second in combinations(splits, 2):
        findings += _compare(first, by_split[first], second, by_split[second])
    return findings + _missing_classes(by_split, num_classes)


def ks_distance(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Two-sample Kolmogorov-Smirnov distance and p-value."""
    from scipy.stats import ks_2samp

    result = ks_2samp(first, second)
    return float(result.statistic), float(result.pvalue)


def _lesion_areas(inside: Sequence[Examined]) -> np.ndarray:
    return np.array([area for e in inside if e.mask for area in e.mask.lesion_areas])


def _compare(first: str, ones: Sequence[Examined], second: str, others: Sequence[Examined]) -> list[Finding]:
    findings = []
    levels = [np.array([e.mean for e in part if not e.image_error]) for part in (ones, others)]
    if min(map(len, levels)) >= _FEWEST:
        distance, p = ks_distance(*levels)
        if p < P_VALUE and distance > INTENSITY_EFFECT:
            findings.append(
                Finding(
                    "intensity-drift",
                    "warning",
                    (),
                    f"images of {second} have other grey levels than those of {first} (medians "
                    f"{np.median(levels[1]):.0f} and {np.median(levels[0]):.0f}; KS {distance:.2f}, "
                    f"p {p:.1g}).",
                    "Check that both come from the same machines and were processed alike.",
                    {"ks": distance, "p": p, "splits": [first, second]},
                )
            )
    areas = [_lesion_areas(ones), _lesion_areas(others)]
    if min(map(len, areas)) >= _FEWEST:
        distance, p = ks_distance(*areas)
        if p < P_VALUE and distance > SIZE_EFFECT:
            findings.append(
                Finding(
                    "lesion-size-drift",
                    "warning",
                    (),
                    f"lesions in {second} have other sizes than those in {first} (medians "
                    f"{np.median(areas[1]):.3%} and {np.median(areas[0]):.3%} of the "
                    f"picture; KS {distance:.2f}, p {p:.1g}).",
                    "Split again with `--stratify lesion-area`, or report scores by lesion size.",
                    {"ks": distance, "p": p, "splits": [first, second]},
                )
            )
    return findings + _lesion_share(first, ones, second, others)


def _lesion_share(
    first: str, ones: Sequence[Examined], second: str, others: Sequence[Examined]
) -> list[Finding]:
    from scipy.stats import fisher_exact

    counts = [
        (sum(not e.mask.is_empty for e in part if e.mask), sum(e.mask is not None for e in part))
        for part in (ones, others)
    ]
    if min(total for _, total in counts) < _FEWEST:
        return []
    shares = [lesion / total for lesion, total in counts]
    effect = abs(2 * np.arcsin(np.sqrt(shares[0])) - 2 * np.arcsin(np.sqrt(shares[1])))
    p = float(fisher_exact([[lesion, total - lesion] for lesion, total in counts]).pvalue)
    if p >= P_VALUE or effect < SHARE_EFFECT:
        return []
    return [
        Finding(
            "balance-drift",
            "warning",
            (),
            f"{shares[1]:.0%} of the images of {second} have a lesion, {shares[0]:.0%} of those of {first} "
            f"(Cohen's h {effect:.2f}, p {p:.1g}).",
            "Split again with `--stratify lesion-area` or `--stratify class`.",
            {"cohen_h": float(effect), "p": p, "splits": [first, second]},
        )
    ]


def _missing_classes(by_split: dict[str, list[Examined]], num_classes: int) -> list[Finding]:
    findings = []
    present = {}
    for split, inside in by_split.items():
        masks = [e.mask for e in inside if e.mask]
        if masks:
            present[split] = np.sum([m.class_pixels for m in masks], axis=0) > 0
    for split, has in present.items():
        others = np.any([h for s, h in present.items() if s != split], axis=0) if len(present) > 1 else has
        for index in range(1, num_classes):
            if others[index] and not has[index] and has[1:].any():  # all empty: told by `no-lesion`
                findings.append(
                    Finding(
                        "class-missing",
                        "error" if split == "test" else "warning",
                        (),
                        f"no mask of {split} has class {index}, but masks of other splits have.",
                        "Split again, so that each class is in every split.",
                    )
                )
    return findings
