"""How the images of a configuration or data set are read: window of DICOM files, range of 16-bit files."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from flexunet.data.images.files.header import is_deep_file
from flexunet.data.images.files.read import read_image
from flexunet.data.images.grey_range import range_of_highest, say_range
from flexunet.errors import InputError


@dataclass(frozen=True)
class ImageReader:
    """Reads images.

    Attributes:
        dicom_window: As in `read_image`.
        grey_range: As in `read_image`.
    """

    dicom_window: str = "auto"
    grey_range: str = "full"

    def read(self, path: Path | str, channels: int | None = 3) -> np.ndarray:
        """The image, as `read_image` gives it."""
        return read_image(path, channels, dicom_window=self.dicom_window, grey_range=self.grey_range)


@dataclass(frozen=True)
class RangeSurvey:
    """The range that the 16-bit images of a set use, DICOM files left aside.

    Attributes:
        count: How many there are.
        highest: Their highest value; where one needs all 16 bits, no other is looked at.
    """

    count: int = 0
    highest: int = 0

    @property
    def rule(self) -> str:
        """Their range; `auto` where there is none to learn it from."""
        return range_of_highest(self.highest) if self.count else "auto"

    def note(self, rule: str, where: str) -> str:
        """A sentence, where they do not use their range; see `say_range`."""
        return say_range(rule, self.highest, self.count, where) if self.count else ""


def survey_range(images: Iterable[Path], workers: int = 2) -> RangeSurvey:
    """Look at the values of 16-bit images; files that cannot be read are left to others."""
    deep = [path for path in images if is_deep_file(path)]
    survey = RangeSurvey(len(deep))
    with ThreadPoolExecutor(workers) as pool:
        for first in range(0, len(deep), 2 * workers):
            for highest in pool.map(_highest, deep[first : first + 2 * workers]):
                survey = replace(survey, highest=max(survey.highest, highest))
            if range_of_highest(survey.highest) == "full":
                break
    return survey


def _highest(path: Path) -> int:
    try:
        return int(read_image(path, None).max())
    except InputError:
        return 0
