"""Probabilities of a predicted image as a DICOM Parametric Map (PS3.3 A.75).

A projection has no place in space, and a Parametric Map wants one. So the map lies in a frame of reference of
its own, the plane of its image with the first pixel at the origin, and claims no relation to any other.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from flexunet.errors import ImageError
from flexunet.inference.outputs.dicom_objects.source import SourceImage, made_by_highdicom

if TYPE_CHECKING:
    from pydicom import Dataset

_SERIES = 3000  # added to the source's SeriesNumber
_HIGHEST = 65535  # what a probability of 1 is stored as


def make_parametric_map(
    source: SourceImage, probabilities: np.ndarray, class_names: Sequence[str]
) -> Dataset:
    """The probabilities of each class above background, 16 bits deep, with the mapping to 0..1.

    Args:
        source: The image; its spacing must be known.
        probabilities: Float32 `(H, W, classes)`.
        class_names: Names of classes 1 and up.

    Raises:
        ImageError: if the pixel spacing is unknown, or the header is one that highdicom refuses.
    """
    if source.spacing is None:
        raise ImageError(
            f"{source.path} has no pixel spacing, which a Parametric Map must state: none is written. "
            '[infer] probabilities = "png" writes them without.'
        )
    return made_by_highdicom("Parametric Map", source, partial(_map, source, probabilities, class_names))


def _map(source: SourceImage, probabilities: np.ndarray, class_names: Sequence[str]) -> Dataset:
    import highdicom
    from highdicom.pm import ParametricMap, RealWorldValueMapping
    from pydicom.sr.codedict import codes

    shares = probabilities[..., -len(class_names) :]
    stored = np.rint(np.clip(shares, 0, 1) * np.float32(_HIGHEST)).astype(np.uint16)
    series = source.series("parametric map", _SERIES, stored.tobytes())
    header = copy.deepcopy(source.header)
    header.FrameOfReferenceUID = source.uid("plane", series["sop_instance_uid"])
    header.PositionReferenceIndicator = ""
    header.ImagePositionPatient = [0, 0, 0]
    header.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    header.PixelSpacing = [f"{side:.8g}" for side in source.spacing or ()]
    header.SliceThickness = None
    written = ParametricMap(
        [header],
        stored[np.newaxis],
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[
            [
                RealWorldValueMapping(
                    lut_label=name[:16],
                    lut_explanation=f"Probability of {name}"[:64],
                    unit=codes.UCUM.NoUnits,
                    value_range=(0, _HIGHEST),
                    slope=1 / _HIGHEST,
                    intercept=0,
                    quantity_definition=codes.DCM.Probability,
                )
            ]
            for name in class_names
        ],
        voi_lut_transformations=[
            highdicom.VOILUTTransformation(window_center=(_HIGHEST + 1) / 2, window_width=_HIGHEST + 1)
        ],
        content_label="PROBABILITIES",
        content_description="Probabilities predicted by FlexUNet",
        series_description="FlexUNet probabilities",
        **series,
        **source.equipment(),
    )
    written.Laterality = source.laterality
    return written
