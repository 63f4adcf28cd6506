"""Whether exchanging left and right can matter: not where `derive` brings every breast to one side."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from flexunet.data.copies.fingerprints import grey_of
from flexunet.data.dataset.identity import Identity
from flexunet.data.derive.breast import find_breast
from flexunet.errors import ImageError, counted


@dataclass
class SideCheck:
    """What is seen of the sides of images, one after the other.

    Attributes:
        images: How many were looked at.
        recorded: Values of the column `mirrored` of their manifests.
        sides: Values of the column `side`.
        restored: Images which, flipped, the rule of `derive --orient` would mirror back.
    """

    images: int = 0
    recorded: set[str] = field(default_factory=set)
    sides: set[str] = field(default_factory=set)
    restored: int = 0

    def look(self, image: np.ndarray, identity: Identity) -> None:
        """Note an image `(H, W, C)` and what its manifest says."""
        self.images += 1
        self.recorded.add(identity.row.get("mirrored", ""))
        self.sides.add(identity.row.get("side", "") or identity.row.get("laterality", ""))
        side, flipped = (_side_of(picture) for picture in (image, image[:, ::-1]))
        self.restored += side is not None and flipped is not None and side != flipped

    @property
    def normalised(self) -> bool | None:
        """Whether `derive` brought the breasts to one side; None where the manifest does not tell."""
        if "1" in self.recorded:
            return True
        return False if self.recorded == {"0"} and len(self.sides - {""}) > 1 else None

    @property
    def reason(self) -> str:
        """By what that is known."""
        return {
            True: "the manifest has mirrored images",
            False: "the manifest has films of both sides, and none is mirrored",
            None: "no manifest tells whether images were mirrored",
        }[self.normalised]

    @property
    def answer(self) -> str:
        """What follows for a film whose sides are exchanged."""
        if self.normalised:
            restored = (
                f"`derive` would mirror {self.restored} of {counted(self.images, 'flipped image')} back to "
                "the same picture"
            )
            if self.restored == self.images:
                return f"an exchange does not matter: {restored}"
            return f"an exchange may matter: {restored}, the others not"
        known = "were not normalised" if self.normalised is False else "are not known to be normalised"
        return f"the scores of flipped images tell what an exchange does, because sides {known}"


def _side_of(image: np.ndarray) -> str | None:
    try:
        return find_breast(grey_of(np.ascontiguousarray(image))).side
    except ImageError:
        return None
