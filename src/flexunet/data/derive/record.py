"""What derive remembers: the journal of finished films, the manifests, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from flexunet.data.dataset.identity import identify
from flexunet.data.dataset.manifest import COLUMNS, Manifest, sha256_of
from flexunet.data.derive.film import FAILED, WRITTEN, Row
from flexunet.data.derive.film_masks import EXCLUDED, LABELLED, TO_REVIEW
from flexunet.data.dicom.deidentify import Pseudonyms, is_personal
from flexunet.data.images.files.names import image_stem
from flexunet.data.tables import write_rows
from flexunet.journal import read_journal

EXCLUDED_FILE = "excluded.csv"
_INTERNAL = (
    *("key", "state", "reused", "reason", "note", "personal", "instances"),
    *("file_sha256", "mask_sha256", "instances_sha256"),
)


def finished_rows(path: Path) -> dict[str, Row]:
    """Last row of each raw file in a journal."""
    return {
        row["raw_file"]: {str(name): str(value) for name, value in row.items()}
        for row in read_journal(path)
        if isinstance(row, dict) and "raw_file" in row and "state" in row
    }


def remove_stale(out: Path, previous: Mapping[str, Row], rows: Sequence[Row]) -> list[Path]:
    """Remove files that earlier runs wrote and this one no longer wants, if nobody changed them since."""
    wanted = {row[name] for row in rows for name in WRITTEN if row.get(name)}
    removed = []
    for row in previous.values():
        for name in WRITTEN:
            path = out / row.get(name, "")
            if not row.get(name) or row[name] in wanted or not path.is_file():
                continue
            if sha256_of(path) == row.get(f"{name}_sha256"):
                path.unlink()
                removed.append(path)
    return removed


def write_records(
    out: Path,
    rows: Sequence[Row],
    columns: Mapping[str, Mapping[str, str]],
    pseudonyms: Pseudonyms | None = None,
) -> Manifest:
    """Write `manifest.csv`, `to_review/manifest.csv` and `excluded.csv`; return the first.

    With pseudonyms, the patients of `columns` get theirs, and columns that are named like personal attributes
    are left out; those of the rows have them already.
    """
    manifest, review = Manifest(), Manifest()
    for row in rows:
        stem = image_stem(Path(row["raw_file"]))
        # What is told of this very file counts more than its header; a table of names counts less.
        of_file = columns.get(row["raw_file"]) if row["raw_file"] != stem else None
        told = columns.get(stem, {}) if of_file is None else of_file
        further = {name: value for name, value in told.items() if name not in COLUMNS[:4]}
        facts = {name: value for name, value in row.items() if name not in _INTERNAL}
        if pseudonyms:
            further = {name: value for name, value in further.items() if not is_personal(name)}
            further["patient"] = pseudonyms.patient(further.get("patient", ""))
        recorded = further.pop("patient", "") or row.get("patient", "")
        identity = identify(Path(row["raw_file"]), {**row, "patient": recorded})
        facts |= further if of_file else {}
        facts |= {"sha256": row.get("file_sha256", ""), "patient": identity.known_patient}
        if row["state"] == LABELLED:
            manifest.append({**further, **facts})
        elif row["state"] == TO_REVIEW:
            facts |= {name: facts[name].removeprefix("to_review/") for name in ("file", "mask")}
            review.append({**further, **facts, "reason": row["reason"]})
    left_out = [row for row in rows if row["state"] in (EXCLUDED, FAILED)]
    if left_out:
        reasons = ([row["raw_file"], row["state"], row["reason"]] for row in left_out)
        write_rows(out / EXCLUDED_FILE, ("raw_file", "state", "reason"), reasons)
    else:
        (out / EXCLUDED_FILE).unlink(missing_ok=True)
    if review.rows or (out / "to_review" / "manifest.csv").exists():
        review.write(out / "to_review")
    manifest.write(out)
    return manifest
