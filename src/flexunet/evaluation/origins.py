"""What tables say of an image: whose it is, and what the manifest says of it besides."""

from __future__ import annotations

from pathlib import Path

from flexunet.data.dataset.identity import Identity
from flexunet.data.dataset.matching import stem_of
from flexunet.data.images.spacing import SPACING_COLUMNS
from flexunet.evaluation.tables.rows import ImageOrigin

_NOT_ATTRIBUTES = {"file", "mask", "split", "source", "patient", "parameters", "sha256", *SPACING_COLUMNS}


def origin_of(path: Path, identity: Identity) -> ImageOrigin:
    """Origin of an image or mask file, with the further columns of the manifest as attributes."""
    attributes = {
        name: value for name, value in identity.row.items() if name not in _NOT_ATTRIBUTES and value
    }
    attributes["operation"] = identity.operation or "original"
    return ImageOrigin(stem_of(path), identity.source, identity.patient, attributes)
