"""Look at one image and its mask, once, and keep what the audit needs of them: figures, not pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from flexunet.cluster import work_on_cluster
from flexunet.data.audit.mask_measures import MaskMeasures, measure_mask
from flexunet.data.copies.fingerprints import Fingerprint, grey_of, take_fingerprint
from flexunet.data.copies.store import FingerprintStore
from flexunet.data.dataset.digests import digest_of
from flexunet.data.dataset.listing import ListedImage
from flexunet.data.images.appearance import is_nearly_constant
from flexunet.data.images.files.header import is_deep_file
from flexunet.data.images.files.read import read_image
from flexunet.data.images.foreground import find_foreground
from flexunet.data.images.grey_range import apply_range
from flexunet.data.images.masks.colors import fit_colors
from flexunet.data.images.masks.reader import MaskReader
from flexunet.data.images.pixels import to_model_range
from flexunet.errors import ImageError, MaskError
from flexunet.progress import Progress, silent

_COARSE = 256
_COLOURED = 8  # grey levels between the channels of a pixel that count as colour


@dataclass
class Examined:
    """What an image and its mask are like.

    Attributes:
        entry: Which ones.
        image_error: Why the image cannot be read; "" if it can.
        mask_error: Why the mask cannot be read or does not fit the map; "" if it does.
        width: Pixels.
        height: Pixels.
        channels: 1 or 3, as in the file.
        bits: 8 or 16.
        highest: Highest value of a 16-bit file other than DICOM; 0 of others.
        nearly_constant: Whether the picture shows nothing.
        digest: Of the image file.
        coloured: Share of the pixels whose channels differ visibly.
        mean: Mean grey level of the breast, 0 to 255.
        deviation: Standard deviation of the grey levels of the breast.
        breast: Share of the picture that is not black background.
        fingerprint: For finding copies; None if none was taken, or it lies in a file of all of them.
        mask: Measures of the mask; None without a readable one of the image's size.
        mask_size: Width and height of the mask; None without one.
    """

    entry: ListedImage
    image_error: str = ""
    mask_error: str = ""
    width: int = 0
    height: int = 0
    channels: int = 0
    bits: int = 8
    highest: int = 0
    nearly_constant: bool = False
    digest: str = ""
    coloured: float = 0.0
    mean: float = 0.0
    deviation: float = 0.0
    breast: float = 1.0
    fingerprint: Fingerprint | None = None
    mask: MaskMeasures | None = None
    mask_size: tuple[int, int] | None = None


def examine_all(
    entries: Sequence[ListedImage],
    masks: MaskReader,
    *,
    store: FingerprintStore | None = None,
    keep: Callable[[Fingerprint], None] | None = None,
    jobs: int = 2,
    ray: str | None = None,
    progress: Progress = silent,
) -> list[Examined]:
    """Examine all entries, in order, by `jobs` threads (decoding and filtering release Python's lock).

    Args:
        entries: Images and masks.
        masks: How masks are read.
        store: Fingerprints known from before; without it none is taken, which is half of the work.
        keep: Takes each fingerprint, in order, in place of the result, whose many together need much memory.
        jobs: Threads.
        ray: Address of a Ray cluster that examines in place of threads; each machine has its own store.
        progress: Told how many are done.
    """
    results = []
    with ExitStack() as open_now:
        made: Iterator[Examined]
        if ray:
            made = work_on_cluster(partial(_examine_afar, masks, store is not None), entries, ray)
        else:
            pool = open_now.enter_context(ThreadPoolExecutor(jobs))
            made = pool.map(lambda entry: examine(entry, masks, store), entries)
        for examined in made:
            if keep is not None and examined.fingerprint is not None:
                keep(examined.fingerprint)
                examined.fingerprint = None
            results.append(examined)
            progress("examine", len(results), len(entries))
    return results


def _examine_afar(masks: MaskReader, fingerprints: bool, entry: ListedImage) -> Examined:
    with FingerprintStore() as store:
        return examine(entry, masks, store if fingerprints else None)


def examine(entry: ListedImage, masks: MaskReader, store: FingerprintStore | None = None) -> Examined:
    """Read an image and its mask and measure them; what cannot be read is told in the result.

    Args:
        entry: Image and mask.
        masks: How masks are read.
        store: Fingerprints known from before; without it none is taken.
    """
    found = Examined(entry)
    grey = foreground = None
    try:
        image = read_image(entry.image, None)
        found.digest = digest_of(entry.image)
    except (ImageError, OSError) as error:
        found.image_error = str(error)
    else:
        deep = image.dtype == np.uint16 and is_deep_file(entry.image)
        found.highest = int(image.max()) if deep else 0
        found.nearly_constant = is_nearly_constant(image)
        grey = _describe_image(found, apply_range(image, "auto") if deep else image)
        foreground = _foreground(grey)
        inside = grey[foreground]
        found.breast = float(foreground.mean())
        found.mean, found.deviation = float(inside.mean()), float(inside.std())
        if store is not None:
            found.fingerprint = store.find(found.digest)
            if found.fingerprint is None:
                found.fingerprint = take_fingerprint(grey_of(image))
                store.keep(found.digest, found.fingerprint)
    if entry.mask is not None:
        _describe_mask(found, entry.mask, masks, grey, foreground)
    return found


def _describe_image(found: Examined, image: np.ndarray) -> np.ndarray:
    found.height, found.width, found.channels = image.shape
    found.bits = 16 if image.dtype == np.uint16 else 8
    if found.channels == 3:
        step = 257 if found.bits == 16 else 1
        found.coloured = float((np.ptp(image, axis=2) > _COLOURED * step).mean())
    # By its range, as statistics and training read it, so that 12 and 8 bits of one film have one grey level.
    return grey_of(np.rint(to_model_range(image)).astype(np.uint8))


def _foreground(grey: np.ndarray) -> np.ndarray:
    height, width = grey.shape
    scale = _COARSE / max(height, width)
    small = cv2.resize(
        grey,
        (max(8, round(width * scale)), max(8, round(height * scale))),
        interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
    )
    outline = find_foreground(small).astype(np.uint8)
    return cv2.resize(outline, (width, height), interpolation=cv2.INTER_NEAREST) > 0


def _describe_mask(
    found: Examined, path: Path, masks: MaskReader, grey: np.ndarray | None, foreground: np.ndarray | None
) -> None:
    picture = None
    try:
        # A threshold makes two classes of any grey: no colour lies between the classes.
        if path.suffix.lower() != ".npz" and masks.threshold is None:
            picture = read_image(path, None)
        mask = masks.lenient.read(path)
    except (ImageError, MaskError, OSError) as error:
        found.mask_error = str(error)
        return
    found.mask_size = mask.shape[1], mask.shape[0]
    if grey is None or foreground is None or mask.shape != grey.shape:
        return
    colors = masks.color_map
    if picture is not None and picture.dtype == np.uint8 and picture.shape[2] == 3:
        colors = fit_colors(picture, colors)
    found.mask = measure_mask(mask, picture, colors, grey, foreground)
    try:
        masks.read(path)
    except MaskError as error:
        found.mask_error = str(error)
