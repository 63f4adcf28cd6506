"""Findings about masks: colours, emptiness, place, and whether they mark anything visible."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from flexunet.data.audit.examine import Examined
from flexunet.data.audit.findings import SCORED_SPLITS, Finding, severity_of_share
from flexunet.data.dataset.matching import listed
from flexunet.data.dataset.status import is_unchecked
from flexunet.data.images.files.header import is_white_zero, turned_alone

MISPLACED = 0.5  # share of a lesion outside the breast from which its mask counts as misplaced
PARTLY = 0.15
TOO_FAINT = 2.5  # robust standard deviations below the data set's usual contrast
_FAINT_SHARE = 0.35  # of the usual contrast, above which a lesion is not faint, however tight the others are
_FEWEST_LESIONS = 10
_TISSUE = 0.3  # median foreground from which classes are tissue, not lesions
_MANY_FAINT = 0.1


def mask_findings(examined: Sequence[Examined]) -> list[Finding]:
    """Findings about the masks of a data set."""
    findings: list[Finding] = []
    unfit: list[Examined] = []
    for e in examined:
        if e.mask_error and e.entry.mask is not None:
            unfit.append(e)
        elif e.mask_size and not e.image_error and e.mask_size != (e.width, e.height):
            findings.append(_other_size(e))
    totals = _by_split([e for e in examined if e.entry.mask is not None])
    for split, inside in _by_split(unfit).items():
        severity = severity_of_share(split, len(inside), len(totals[split]))
        findings += [_unfit(e, severity) for e in inside]
    measured = [e for e in examined if e.mask is not None]
    findings += _drafts(measured)
    findings += _turned(measured)
    findings += _antialiased(measured)
    findings += _empty(measured)
    findings += _full(measured)
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


def _unfit(e: Examined, severity: str) -> Finding:
    code = "mask-off-map" if e.mask is not None else "unreadable-mask"
    remedy = (
        "Give the colours with --rgb-map or --config, or correct the mask."
        if e.mask is not None
        else "Write the mask again, or remove the pair."
    )
    return Finding(code, severity, (e.entry.name,), e.mask_error, remedy)


def _other_size(e: Examined) -> Finding:
    width, height = e.mask_size or (0, 0)
    return Finding(
        "mask-size",
        _severity(e.entry.split),
        (e.entry.name,),
        f"{e.entry.name} is {e.width} x {e.height}, its mask {width} x {height} pixels."
        f"{turned_alone(e.entry.image, e.entry.mask) if e.entry.mask else ''}",
        "Write the mask at the size of the image; check that they belong together.",
    )


def _drafts(measured: Sequence[Examined]) -> list[Finding]:
    findings = []
    for split, inside in _by_split(measured).items():
        drafts = tuple(e.entry.name for e in inside if is_unchecked(e.entry.identity.row))
        if drafts:
            where = f" in {split}" if split else ""
            findings.append(
                Finding(
                    "mask-draft",
                    # Of a folder without splits, drafts are looked at before any score is made of it.
                    "error" if split == "test" else "warning",
                    drafts,
                    f"{len(drafts)} of {len(inside)} masks{where} are drafts that no person has "
                    f"accepted: {listed(_names(drafts))}.",
                    "Look at them and sign them (flexunet review). A score against drafts says how far one "
                    "model agrees with another.",
                )
            )
    return findings


def _turned(measured: Sequence[Examined]) -> list[Finding]:
    """Images that a tag turns, with masks of the same size that none does: the sizes do not tell."""
    findings = []
    for split, inside in _by_split(measured).items():
        turned = [
            e
            for e in inside
            if e.entry.mask and e.mask_size == (e.width, e.height)
            if turned_alone(e.entry.image, e.entry.mask)
        ]
        if turned:
            first, where = turned[0].entry, f" in {split}" if split else ""
            hint = turned_alone(first.image, first.mask) if first.mask else ""
            findings.append(
                Finding(
                    "orientation",
                    "warning",
                    tuple(e.entry.name for e in turned),
                    f"{len(turned)} of {len(inside)} images{where} have an "
                    f"orientation tag, their masks have none.{hint}",
                    "Look whether the masks lie on the lesions (flexunet audit --out).",
                )
            )
    return findings


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


def _empty(measured: Sequence[Examined]) -> list[Finding]:
    findings = []
    for split, inside in _by_split(measured).items():
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
    return findings


def _full(measured: Sequence[Examined]) -> list[Finding]:
    findings = []
    for split, inside in _by_split(measured).items():
        full = [e for e in inside if e.mask and e.mask.looks_inverted]
        if not full:
            continue
        names = tuple(e.entry.name for e in full)
        turned = [e.entry.mask.name for e in full if e.entry.mask and is_white_zero(e.entry.mask)]
        cause = (
            f" {len(turned)} of them are TIFF files whose tag PhotometricInterpretation is 0 (WhiteIsZero): "
            f"their values are turned round on reading: {listed(turned)}."
            if turned
            else ""
        )
        where = f" in {split}" if split else ""
        findings.append(
            Finding(
                "mask-full",
                severity_of_share(split, len(full), len(inside)),
                names,
                f"{len(full)} of {len(inside)} masks{where} mark nearly the whole picture, or all around an "
                f"area that they leave out: {listed(_names(names))}.{cause}",
                "Check for swapped or inverted colours; write the masks as PNG, 0 for background."
                if turned
                else "Check for swapped or inverted colours.",
            )
        )
    return findings


def _misplaced(measured: Sequence[Examined]) -> list[Finding]:
    findings = []
    for split, inside in _by_split(measured).items():
        marked = [e for e in inside if e.mask and not e.mask.is_empty and not e.mask.looks_inverted]
        wrong = [e for e in marked if _outside(e) >= MISPLACED]
        severity = severity_of_share(split, len(wrong), len(marked))
        share = f" {len(wrong)} of {len(marked)} masks{f' in {split}' if split else ''} are so misplaced."
        findings += [_outside_breast("mask-misplaced", severity, group, share) for group in _by_source(wrong)]
        partly = [e for e in marked if PARTLY <= _outside(e) < MISPLACED]
        findings += [
            _outside_breast("mask-partly-outside", "warning", group, "") for group in _by_source(partly)
        ]
    return findings


def _outside(e: Examined) -> float:
    """Share of the worst area that lies outside the breast, in the per cent that the message shows."""
    return round(e.mask.worst_outside, 2) if e.mask else 0.0


def _outside_breast(code: str, severity: str, group: Sequence[Examined], share: str) -> Finding:
    """One finding for all copies of one source, told by the worst of them."""
    worst = max(group, key=_outside)
    copies = len(group) - 1
    among = f" So it is in {copies} further cop{'y' if copies == 1 else 'ies'} of it." if copies else ""
    return Finding(
        code,
        severity,
        tuple(e.entry.name for e in group),
        f"{_outside(worst):.0%} of a marked area of {worst.entry.image.name} lies on black background or "
        f"outside the breast.{among}{share}",
        "Correct the mask, or remove the pair; a model can only memorise it.",
        {"outside": max(round(e.mask.worst_outside, 4) for e in group if e.mask)},
    )


def _by_split(examined: Sequence[Examined]) -> dict[str, list[Examined]]:
    groups: dict[str, list[Examined]] = defaultdict(list)
    for e in examined:
        groups[e.entry.split].append(e)
    return groups


def _by_source(examined: Sequence[Examined]) -> list[list[Examined]]:
    groups: dict[tuple[str, str], list[Examined]] = defaultdict(list)
    for e in examined:
        groups[e.entry.class_name, e.entry.identity.source].append(e)
    return list(groups.values())


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
