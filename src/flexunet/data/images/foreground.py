"""Where the picture is, and where only black film: the breast outline as the audit needs it."""

import cv2
import numpy as np

from flexunet.data.images.regions import fill_holes, find_regions

DARK_SHARE = 0.2  # the darker class is background only if its median lies in the lowest fifth of the range
DARK_RATIO = 0.5  # and is less than half as bright as the rest
MAJOR_SHARE = 0.25  # components smaller than this share of the largest are labels and scanner edges
EVEN = 2  # grey levels within 3 x 3 pixels
SMALLEST_FILLING = 0.01  # of the picture
_COARSE = 256  # side at which the breast is looked for
FLAT_RANGE = 8  # grey levels; a picture flatter than this has no background to find


def find_foreground(grey: np.ndarray) -> np.ndarray:
    """Largest bright parts of a picture, holes filled; everything where there is no black background.

    Otsu's threshold on the *logarithm* of the grey level: on the grey level itself it would part dense from
    fatty tissue, on the logarithm it parts tissue from black.

    Args:
        grey: uint8 array `(H, W)`, about 256 pixels a side (the sizes of the filters assume it).

    Returns:
        Boolean array `(H, W)`; all true if no part of the picture is black background.

    Source: Otsu, N. (1979), IEEE Trans. Systems, Man, and Cybernetics 9(1), 62-66.
    """
    everything = np.ones(grey.shape, bool)
    smooth = cv2.GaussianBlur(grey, (0, 0), 1.5).astype(np.float32)
    low, high = np.percentile(smooth, [0.5, 99.5])
    if high - low < FLAT_RANGE:
        return everything
    levels = np.log1p(np.clip((smooth - low) / (high - low), 0, 1) * 255) * (255 / np.log(256))
    threshold, _ = cv2.threshold(levels.astype(np.uint8), 0, 255, cv2.THRESH_OTSU)
    bright = levels > threshold
    if bright.all() or not bright.any():
        return everything
    dark, light = float(np.median(smooth[~bright])), float(np.median(smooth[bright]))
    if dark > low + DARK_SHARE * (high - low) or dark > DARK_RATIO * light:
        return everything
    opened = cv2.morphologyEx(bright.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    regions = find_regions(opened)
    if not len(regions):
        return everything
    major = regions.where(regions.areas >= MAJOR_SHARE * regions.areas.max())
    return fill_holes(major.view(np.uint8), connectivity=8) > 0


def breast_share(grey: np.ndarray) -> float:
    """Share of a picture that is not black background, from above 0 to 1.

    Args:
        grey: uint8 array `(H, W)` of any size.
    """
    scale = _COARSE / max(grey.shape)
    size = max(8, round(grey.shape[1] * scale)), max(8, round(grey.shape[0] * scale))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return float(find_foreground(small).mean())


def without_filling(grey: np.ndarray) -> np.ndarray:
    """The picture with every even area along its border turned black.

    Rotation, shear and shrinking uncover corners and frames, which the published tools fill with the grey of
    the pixel at row 2, column 2. Where that is tissue, the filling would count as part of the breast.

    Args:
        grey: uint8 array `(H, W)`, about 256 pixels a side.
    """
    kernel = np.ones((3, 3), np.uint8)
    even = (cv2.dilate(grey, kernel) - cv2.erode(grey, kernel)) <= EVEN
    regions = find_regions(even, connectivity=4)
    border = np.ones(grey.shape, bool)
    border[1:-1, 1:-1] = False
    filling = regions.where(regions.touching(border) & (regions.areas >= SMALLEST_FILLING * grey.size))
    # The edge of a filling is not even; what is left of it would frame the picture with a bright line.
    chosen = cv2.dilate(filling.view(np.uint8), np.ones((7, 7), np.uint8)) > 0
    return np.where(chosen, grey.min(), grey)
