"""Why a person should look: what `infer` wrote beside its masks, and what an audit found."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flexunet.data.audit.findings import SEVERITIES
from flexunet.data.tables import read_own_rows
from flexunet.errors import DatasetError, PathError
from flexunet.files import cannot_read

# Where an audit finding of a severity stands among doubts, which go from 0 to 1.
WEIGHTS = dict(zip(SEVERITIES, (1.0, 0.6, 0.3), strict=True))
_LESIONS = "_lesions"  # what `infer` adds to the name of its folder of masks
_TABLE = "images.csv"


@dataclass(frozen=True)
class AuditDoubt:
    """What an audit found in an image.

    Attributes:
        weight: Of its worst finding; see `WEIGHTS`.
        reasons: A sentence a finding.
    """

    weight: float
    reasons: tuple[str, ...]


def predictions_table(masks: Path) -> dict[str, dict[str, str]]:
    """Rows of the table that `infer` wrote beside its masks, by name of the mask; none where there is none.

    Raises:
        DatasetError: if the table is not readable.
    """
    path = masks.with_name(masks.name + _LESIONS) / _TABLE
    try:
        columns, rows = read_own_rows(path)
    except FileNotFoundError:
        return {}
    told = [dict(zip(columns, row, strict=False)) for row in rows]
    return {row["mask"]: row for row in told if row.get("mask")}


def audit_doubts(path: Path) -> dict[str, AuditDoubt]:
    """What `flexunet audit --json` wrote, by image file of the data set.

    Raises:
        PathError: if the file cannot be read.
        DatasetError: if it is none of an audit.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        findings = told["findings"]
        by_file: dict[str, list[Mapping[str, str]]] = defaultdict(list)
        for finding in findings:
            for file in finding["files"]:
                by_file[str(file)].append(finding)
        return {
            file: AuditDoubt(
                max(WEIGHTS[finding["severity"]] for finding in several),
                tuple(f"audit: {finding['explanation']}" for finding in several),
            )
            for file, several in by_file.items()
        }
    except OSError as error:
        raise PathError(cannot_read(path, error)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{path} is no audit: expected what `flexunet audit DATASET --json` prints."
        ) from error
