"""How sure a model was of each image, as a page: the least certain first.

<output_dir>_lesions/images.html       beside images.csv; one file, pictures by their path
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flexunet.errors import counted
from flexunet.files import templates_of, write_text
from flexunet.version import __version__

PAGE = "images.html"


def doubt_of(record: dict[str, Any]) -> float:
    """How much a person is needed: the entropy of a draft or what its confidence lacks, whichever is more.

    Images of a record of an earlier version, which tells neither, come first.
    """
    confidence, entropy = record.get("confidence"), record.get("entropy")
    if confidence is None or entropy is None:
        return 1.0
    return max(1 - confidence, entropy)


def write_doubt_page(path: Path, records: Iterable[dict[str, Any]], overlays: Path) -> None:
    """Write the page; it appears whole or not at all.

    Args:
        path: The file.
        records: What came of each image, as `Outputs.write` gives it.
        overlays: Folder of the overlays.
    """
    environment = templates_of("flexunet.inference.outputs")
    folder = Path(os.path.relpath(overlays, path.parent)).as_posix()
    rows = [
        {
            "file": record["file"],
            "picture": quote(f"{folder}/{record['mask']}"),
            "lesions": len(record["lesions"]),
            "confidence": record.get("confidence"),
            "entropy": record.get("entropy"),
            "unlike": record.get("unlike_training", ""),
        }
        for record in sorted(records, key=lambda record: (-doubt_of(record), record["file"]))
    ]
    environment.globals["counted"] = counted
    page = environment.get_template("images.html.jinja").render(rows=rows, version=__version__)
    write_text(path, page)
