"""A configuration that `init` wrote earlier: whether it is of this data set, and whether that still holds.

`flexunet train DATASET` uses the file that lies there. It is named after the folder alone, and the data set
may have changed since.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from flexunet.config.files import load_config
from flexunet.config.schema import Config
from flexunet.data.audit import audit_dataset
from flexunet.data.audit.findings import AuditResult
from flexunet.data.configured import mask_reader
from flexunet.data.dataset.digests import digest_of_text
from flexunet.data.dataset.layouts import find_layout
from flexunet.data.dataset.manifest import FILE_NAME
from flexunet.errors import ConfigError, DatasetError, typed
from flexunet.progress import Progress, silent

_SHOWN = 3  # findings of an audit that a refusal quotes


def plan_file(configuration: Path) -> Path:
    """The plan that lies beside a configuration: `NAME.plan.json` beside `NAME.toml`."""
    return configuration.with_suffix(".plan.json")


def listing_digest(root: Path) -> str:
    """Digest of the images, masks and manifest of a data set: their names, sizes and times of change.

    No file is read, so what was only copied or touched counts as changed.

    Raises:
        PathError: if there is no data set.
    """
    folders = {folder for pair in find_layout(root) for folder in (pair.images, pair.masks) if folder}
    files = [path for folder in sorted(folders) for path in sorted(folder.iterdir()) if path.is_file()]
    lines = []
    for path in [*files, root / FILE_NAME]:
        if path.is_file():
            status = path.stat()
            lines.append(f"{path.relative_to(root).as_posix()}\t{status.st_size}\t{status.st_mtime_ns}")
    return digest_of_text("\n".join(lines))


def check_written(root: Path, file: Path, progress: Progress = silent) -> None:
    """Refuse a configuration that lies there where it is of another data set, or the audit refuses this one.

    The audit is run again where files of the data set changed since the plan was made, or no plan tells.

    Args:
        root: Folder of the data set.
        file: The configuration.
        progress: Told how far the audit is.

    Raises:
        ConfigError: if the configuration cannot be read, or trains on other folders.
        DatasetError: if the audit finds an error that was not accepted when the plan was made.
        PathError: if there is no data set.
    """
    config = load_config(file)
    _check_folders(root, config, file)
    plan = _plan_of(file)
    if plan.get("listing") == listing_digest(root):
        return
    audit = audit_dataset(root, masks=mask_reader(config), progress=progress)
    accepted = plan.get("accepted_errors", [])
    if any(explanation not in accepted for explanation in error_explanations(audit)):
        since = "is not as it was" if "listing" in plan else "may not be as it was"
        raise DatasetError(
            f"{refusal(audit, file)} The data set {since} when {file} was written. After a look at the "
            f"errors, `flexunet train {typed(file)}` trains nevertheless."
        )


def _check_folders(root: Path, config: Config, file: Path) -> None:
    own = {pair.images.resolve() for pair in find_layout(root)}
    named = {path.resolve() for path in config.input_folders("train", "images_dir")}
    if others := sorted(named - own):
        raise ConfigError(
            f"{file} is there already and trains on {', '.join(map(os.fspath, others))}, which is not of the "
            f"data set {root.resolve()}. Write another file with `flexunet init {typed(root)} --out "
            f"OTHER.toml` and train that, or remove {file}."
        )


def _plan_of(file: Path) -> dict[str, Any]:
    """The plan of a configuration; empty where none can be read."""
    try:
        document = json.loads(plan_file(file).read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def error_explanations(audit: AuditResult) -> list[str]:
    """What the errors of an audit say."""
    return [finding.explanation for finding in audit.findings if finding.severity == "error"]


def refusal(audit: AuditResult, config: Path | None = None) -> str:
    """Why a data set is not planned for, or trained on: the errors of its audit, and what to do.

    Args:
        audit: The audit.
        config: The configuration by which it read the masks; the audit would guess their colours without.
    """
    errors = error_explanations(audit)
    quoted = "; ".join(explanation.rstrip(".") for explanation in errors[:_SHOWN])
    more = f"; and {len(errors) - _SHOWN} more" if len(errors) > _SHOWN else ""
    read_by = f" --config {typed(config)}" if config else ""
    return (
        f"{audit.root}: the audit found what makes a test score untrue: {quoted}{more}. Mend it "
        f"first (`flexunet audit {typed(audit.root)}{read_by}` says how)."
    )
