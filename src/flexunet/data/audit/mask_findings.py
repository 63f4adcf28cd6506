"""Findings about masks: colours, emptiness, place, and whether they mark anything visible."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flexunet.data.audit.examine import Examined
from flexunet.data.audit.findings import SCORED_SPLITS, Finding
from flexunet.data.dataset.matching import listed

MISPLACED = 0.5  # share of a lesion outside the breast from which its mask counts as misplaced
PARTLY = 0.15
TOO_FAINT = 2.5  # robust standard deviations below the data set's usual contrast
_FAINT_SHARE = 0.35  # of the usual contrast, above which a lesion is not faint, however tight the others are
_FEWEST_LESIONS = 10
_TISSUE = 0.3  # median foreground from which classes are tissue, not lesions
_MANY_FAINT = 0.1
_NEARLY_ALL = 0.95


def mask_findings(examined: Sequence[Examined]) -> list[Finding]:
    """Findings about the masks of a data set."""
    findings = []
    for e in examined:
        if e.mask_error and e.entry.mask is not None:
            findings.append(_unfit(e))
        elif e.mask_size and not e.image_error and e.mask_size != (e.width, e.height):
            findings.append(_other_size(e))
    measured = [e for e in examined if e.mask is not None]
    findings += _antialiased(measured)
    findings += _empty_and_full(measured)
    findings += _misplaced(measured)
    findings += _faint(measured)
    return findings


def usual_contrast(contrasts: np.ndarray) -> tuple[float, float]:
    """Median contrast, and its robust deviation taken from the side away from 0.

    Misplaced masks all lie on the other side; they would widen the usual median absolute deviation until
    they hide in it (on a set with 7 of 24 masks misplaced they do).
    """
    middle = float(np.median(contrasts))
    sign = 1.0 if middle >= 0 else -1.0
    beyond = (contrasts - middle) * sign
    return middle, 1.4826 * float(np.median(beyond[beyond >= 0]))


def _severity(split: str) -> str:
    return "error" if split in SCORED_SPLITS else "warning"


def _unfit(e: Examined) -> Finding:
    code = "mask-off-map" if e.mask is not None else "unreadable-mask"
    remedy = (
        "Give the colours with --rgb-map or --config, or correct the mask."
        if e.mask is not None
        else "Write the mask again, or remove the pair."
    )
    return Finding(code, _severity(e.entry.split), (e.entry.name,), e.mask_error, remedy)


def _other_size(e: Examined) -> Finding:
    width, height = e.mask_size or (0, 0)
    return Finding(
        "mask-size",
        _severity(e.entry.split),
        (e.entry.name,),
        f"the image is {e.width} x {e.height}, its mask {width} x {height} pixels.",
        "Write the mask at the size of the image; check that they belong together.",
    )


def _antialiased(measured: Sequence[Examined]) -> list[Finding]:
    soft = [e for e in measured if e.mask and e.mask.between > 0 and not e.mask_error]
    if not soft:
        return []
    share = float(np.median([e.mask.between for e in soft if e.mask]))
    return [
        Finding(
            "mask-antialiased",
            "note",
            tuple(e.entry.name for e in soft),
            f"{len(soft)} of {len(measured)} masks have colours between those of the map (typically "
            f"{share:.2%} of the pixels): antialiased or JPEG. Each such pixel is read as the nearest class.",
            "Nothing, if the outlines may be off by a pixel. Tools that take every colour above 0 for lesion "
            "draw it larger.",
            {"median_share": share},
        )
    ]


def _empty_and_full(measured: Sequence[Examined]) -> list[Finding]:
    findings = []
    for split in dict.fromkeys(e.entry.split for e in measured):
        inside = [e for e in measured if e.entry.split == split]
        empty = tuple(e.entry.name for e in inside if e.mask and e.mask.is_empty)
        where = f" in {split}" if split else ""
        if empty and len(empty) == len(inside):
            findings.append(
                Finding(
                    "no-lesion",
                    _severity(split),
                    empty,
                    f"all {len(empty)} masks{where} are empty: there is nothing to score.",
                    "Check the colours (--rgb-map); add images with lesions.",
                )
            )
        elif empty:
            findings.append(
                Finding(
                    "mask-empty",
                    "note",
                    empty,
                    f"{len(empty)} of {len(inside)} masks{where} are empty: {listed(_names(empty))}.",
                    "Right for images without a lesion. Per-image scores of such images are 0, 1 or left "
                    "out, depending on the rule: state it.",
                )
            )
        full = tuple(e.entry.name for e in inside if e.mask and e.mask.foreground > _NEARLY_ALL)
        if full and len(full) < len(inside):
            findings.append(
                Finding(
                    "mask-full",
                    "warning",
                    full,
                    f"{len(full)} mask(s){where} mark nearly the whole picture: {listed(_names(full))}.",
                    "Check for swapped or inverted colours.",
                )
            )
    return findings


def _misplaced(measured: Sequence[Examined]) -> list[Finding]:
    findings = []
    for e in measured:
        if e.mask is None or e.mask.worst_outside < PARTLY:
            continue
        wrong = e.mask.worst_outside >= MISPLACED
        severity = _severity(e.entry.split) if wrong else "warning"
        findings.append(
            Finding(
                "mask-misplaced" if wrong else "mask-partly-outside",
                severity,
                (e.entry.name,),
                f"{e.mask.worst_outside:.0%} of a marked area of {e.entry.image.name} lies on black "
                "background or outside the breast.",
                "Correct the mask, or remove the pair; a model can only memorise it.",
                {"outside": round(e.mask.worst_outside, 4)},
            )
        )
    return findings


def _faint(measured: Sequence[Examined]) -> list[Finding]:
    with_lesion = [e for e in measured if e.mask and np.isfinite(e.mask.contrast)]
    contrasts = np.array([e.mask.contrast for e in with_lesion if e.mask])
    if len(contrasts) < _FEWEST_LESIONS:
        return []
    if np.median([e.mask.foreground for e in with_lesion if e.mask]) > _TISSUE:
        return []
    middle, deviation = usual_contrast(contrasts)
    sign = 1.0 if middle >= 0 else -1.0
    score = sign * (contrasts - middle) / max(deviation, 1e-3)
    faint = (score < -TOO_FAINT) & (sign * contrasts < _FAINT_SHARE * abs(middle))
    chosen = [(e, float(s)) for e, s, is_faint in zip(with_lesion, score, faint, strict=True) if is_faint]
    findings = []
    for split in dict.fromkeys(e.entry.split for e, _ in chosen):
        inside = [(e, s) for e, s in chosen if e.entry.split == split]
        total = sum(e.entry.split == split for e in with_lesion)
        many = len(inside) >= max(3, _MANY_FAINT * total)
        names = tuple(e.entry.name for e, _ in inside)
        findings.append(
            Finding(
                "mask-on-ordinary-tissue",
                "error" if many and split in SCORED_SPLITS else "warning",
                names,
                f"{len(inside)} of {total} masks{f' in {split}' if split else ''} mark what looks like the "
                f"tissue around it, unlike the rest of the data set: {listed(_names(names))}.",
                "Look at them: a mask may be misplaced, belong to another image, or be mirrored.",
                {
                    "usual_contrast": round(middle, 3),
                    "robust_z": {e.entry.name: round(s, 2) for e, s in inside},
                },
            )
        )
    return findings


def _names(files: Sequence[str]) -> list[str]:
    return [name.split("/")[-1] for name in files]
