"""What keeps a request of a reader from being answered."""

from __future__ import annotations

from flexunet.errors import InputError


class MissingError(InputError):
    """There is no such image, version or file."""


class StaleError(InputError):
    """Somebody changed the mask since the reader saw it.

    Attributes:
        version: The newest version.
        reader: Who made it.
        at: When.
    """

    def __init__(self, version: int, reader: str, at: str):
        super().__init__(
            f"the mask is at version {version}, made by {reader}: fetch it, keep yours as a new version, or "
            "merge both."
        )
        self.version, self.reader, self.at = version, reader, at


class ChangedImageError(InputError):
    """The file of an image is not the one that the review began with."""


class NoModelError(InputError):
    """There is no model to ask, or it is not to be asked yet."""


class BusyError(InputError):
    """Too much was asked; it may be asked again later."""


class ForbiddenError(InputError):
    """The reader may not do this, or not yet."""
