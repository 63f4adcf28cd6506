"""A quick look for leakage by name: originals and patients that stand in training and in the scored split."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flexunet.data.dataset.manifest import sha256_of
from flexunet.data.dataset.pairs import Pair
from flexunet.errors import DatasetError, PathError


def shared_origins(training: Sequence[Pair], scored: Sequence[Pair]) -> dict[str, Any]:
    """Originals and patients in both, as far as manifest and file names tell.

    Pictures are not compared; `flexunet audit` does that. Where files of one name differ in content, the
    splits each count from one and names tell nothing; then only files of equal content count.

    Args:
        training: Pairs of the training split.
        scored: Pairs that are scored.

    Returns:
        `shared_sources` and `shared_patients` (numbers), `examples` where there are any, and `checked`.
    """
    trained = {pair.image_path.stem: pair for pair in training}
    twins = [(trained[pair.image_path.stem], pair) for pair in scored if pair.image_path.stem in trained]
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
        "checked": f"{checked}; pictures were not compared (`flexunet audit` does that)",
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
    kinds = Counter(
        (str(finding.get("severity")), str(finding.get("code"))) for finding in document.get("findings", ())
    )
    return {
        **{key: document[key] for key in kept if key in document},
        "findings": [
            {"severity": severity, "code": code, "count": count} for (severity, code), count in kinds.items()
        ],
    }


def find_audit(images_dir: Path) -> Path | None:
    """The audit.json of the data set that a folder of images belongs to, if there is one."""
    root = images_dir.resolve().parent.parent
    places = (root / "audit.json", root / "audit" / "audit.json")
    return next((path for path in places if path.is_file()), None)
