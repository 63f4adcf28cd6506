"""Leakage: originals, patients and pictures that stand in training and in the scored split."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flexunet.config.checks import untrue_scores
from flexunet.data.configured import keep_pictures, pairs_or_none
from flexunet.data.copies.known import Pictures, find_known, read_pictures
from flexunet.data.dataset.manifest import sha256_of
from flexunet.data.dataset.pairs import Pair
from flexunet.errors import DatasetError, PathError, counted
from flexunet.progress import Progress, silent
from flexunet.run_folder import RunFolder

if TYPE_CHECKING:
    from flexunet.config.schema import Config

_EXAMPLES = 5
_MOST_PLAIN = 0.05  # share of images that could not be compared, from which nothing is known


def look_for_leaks(
    config: Config,
    split: str,
    scored: Sequence[Pair],
    audit: dict[str, Any] | None = None,
    *,
    look: bool = True,
    jobs: int | None = None,
    progress: Progress = silent,
) -> dict[str, Any] | None:
    """What is known of leaks from the training of a run into images that are scored.

    Args:
        config: The configuration of the run.
        split: The split that is scored; training images cannot leak into themselves.
        scored: The images that are scored.
        audit: Summary of an audit, from `read_audit`; that of the data set's own `audit.json` by default,
            of which only leaks count: it may be older than the data set.
        look: Whether pictures are compared.
        jobs: Threads.
        progress: Told how far the look is.

    Returns:
        What `verdict.leaking` reads; None if nothing at all is known.
    """
    if split == "train":
        return {"untrue": ["these are the training images themselves"], **(audit or {})}
    if audit is None and scored and (path := find_audit(scored[0].image_path.parent)):
        audit = read_audit(path) | {"pictures_compared": False}
    seen_in = ("train",) if split == "valid" else ("train", "valid")
    training = pairs_or_none(config, "train")
    facts: dict[str, Any] = dict(audit or {})
    if too_good := untrue_scores(config, split):
        facts["untrue"] = [*too_good, *facts.get("untrue", ())]
    if training:
        facts = join_facts(facts, shared_origins(training, scored))
    if look and (known := pictures_of_run(config, jobs=jobs, progress=progress)):
        images = [pair.image_path for pair in scored]
        found = shared_pictures(known.of_splits(seen_in), images, jobs=jobs, progress=progress)
        facts = join_facts(facts, found)
    return facts or None


def join_facts(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Facts of two looks: what was checked by either, and the greater number of what both counted."""
    facts = {**first, **second}
    if untrue := dict.fromkeys([*first.get("untrue", ()), *second.get("untrue", ())]):
        facts["untrue"] = list(untrue)
    for key in ("shared_sources", "shared_patients"):
        if key in first and key in second:
            facts[key] = max(int(first[key] or 0), int(second[key] or 0))
    facts["checked"] = ", ".join(one["checked"] for one in (first, second) if one.get("checked"))
    facts["examples"] = [*first.get("examples", ()), *second.get("examples", ())]
    facts["pictures_compared"] = any(one.get("pictures_compared") for one in (first, second))
    return facts if facts["examples"] else {key: facts[key] for key in facts if key != "examples"}


def pictures_of_run(
    config: Config, *, jobs: int | None = None, progress: Progress = silent
) -> Pictures | None:
    """What the training and validation images of a run look like, from its file or from the images.

    The file is made where it is missing and the training images are at hand.

    Returns:
        The pictures; None where there are neither the file nor the images.
    """
    known = read_pictures(RunFolder.of(config).pictures)
    if known is None and pairs_or_none(config, "train"):
        known = keep_pictures(config, jobs=jobs, progress=progress)
    return known


def shared_pictures(
    known: Pictures, images: Sequence[Path], *, jobs: int | None = None, progress: Progress = silent
) -> dict[str, Any]:
    """Which images show a picture that the run has seen.

    Args:
        known: The pictures.
        images: The images that are scored.
        jobs: Threads.
        progress: Told how far the look is.

    Returns:
        `shared_pictures` (images that show one), `pictures_compared`, `checked`, and `examples` if any.
    """
    seen = find_known(known, images, jobs=jobs, progress=progress)
    facts: dict[str, Any] = {
        "shared_pictures": len(seen.matches),
        "pictures_compared": seen.plain <= _MOST_PLAIN * len(images),
        "checked": f"the look of {counted(seen.looked_at, 'picture')} beside {len(known)} of training and "
        "validation",
    }
    if seen.plain:
        facts["too_plain_to_compare"] = seen.plain
    if seen.matches:
        facts["examples"] = [f"{name} shows {other}" for name, other in seen.matches[:_EXAMPLES]]
    return facts


def shared_origins(training: Sequence[Pair], scored: Sequence[Pair]) -> dict[str, Any]:
    """Originals and patients in both, as far as manifest and file names tell.

    Pictures are not compared; `shared_pictures` does that. Where files of one name differ in content, the
    splits each count from one and names tell nothing; then only files of equal content count.

    Args:
        training: Pairs of the training split.
        scored: Pairs that are scored.

    Returns:
        `shared_sources` and `shared_patients` (numbers), `examples` where there are any, and `checked`.
    """
    trained = {pair.stem: pair for pair in training}
    twins = [(trained[pair.stem], pair) for pair in scored if pair.stem in trained]
    equal = [two for one, two in twins if _same_content(one.image_path, two.image_path)]
    if len(equal) < len(twins):
        sources, patients = {pair.source for pair in equal}, set[str]()
        checked = "file contents (names repeat with different pictures, so they prove nothing)"
    else:
        sources = {pair.source for pair in training} & {pair.source for pair in scored}
        patients = _known_patients(training) & _known_patients(scored)
        checked = "file names and manifest"
    found: dict[str, Any] = {
        "shared_sources": len(sources),
        "shared_patients": len(patients - sources),
        "checked": checked,
    }
    if examples := sorted(sources | patients)[:5]:
        found["examples"] = examples
    return found


def _known_patients(pairs: Sequence[Pair]) -> set[str]:
    return {pair.patient for pair in pairs if pair.identity.patient_known}


def _same_content(first: Path, second: Path) -> bool:
    same_file = first.resolve() == second.resolve()
    return same_file or (
        first.stat().st_size == second.stat().st_size and sha256_of(first) == sha256_of(second)
    )


def read_audit(path: Path) -> dict[str, Any]:
    """Summary of an audit from the file that `flexunet audit --json` wrote.

    Args:
        path: The file.

    Returns:
        The keys that `verdict.leaking` understands, and the audit's own summary.

    Raises:
        PathError: if the file is missing.
        DatasetError: if it is not such a file.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PathError(f"cannot read the audit {path}: {error.strerror}.") from error
    except ValueError as error:
        raise DatasetError(f"{path} is not JSON: {error}. Write it with `flexunet audit --json`.") from error
    if not isinstance(document, dict) or "scores_hold" not in document:
        raise DatasetError(f"{path} is not the output of `flexunet audit --json`.")
    return audit_summary(document)


def audit_summary(document: dict[str, Any]) -> dict[str, Any]:
    """An audit in short: what the verdict needs, and how many findings of each kind there are.

    Args:
        document: What `flexunet audit --json` prints.
    """
    kept = ("dataset", "leak_pairs", "shared_patients", "untrue", "checked")
    compared = document.get("figures", {}).get("compared", False)
    kinds = Counter(
        (str(finding.get("severity")), str(finding.get("code"))) for finding in document.get("findings", ())
    )
    return {
        **{key: document[key] for key in kept if key in document},
        "pictures_compared": bool(compared),
        "findings": [
            {"severity": severity, "code": code, "count": count} for (severity, code), count in kinds.items()
        ],
    }


def find_audit(images_dir: Path) -> Path | None:
    """The audit.json of the data set that a folder of images belongs to, if there is one."""
    root = images_dir.resolve().parent.parent
    places = (root / "audit.json", root / "audit" / "audit.json")
    return next((path for path in places if path.is_file()), None)
