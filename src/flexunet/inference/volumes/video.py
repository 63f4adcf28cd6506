"""The slices of a volume with their masks, as a video: MP4 for players, GIF for slides and pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from flexunet.data.images.pixels import resize_image
from flexunet.errors import PathError
from flexunet.files import replacing
from flexunet.inference.volumes.slices import SliceAxes, grey_levels

if TYPE_CHECKING:
    from flexunet.config.run_sections import Infer3dSection

_GIF_TICK = 10  # milliseconds: what GIF counts in; browsers slow down whatever shows less than two


def slice_frames(
    voxels: np.ndarray, labels: np.ndarray, palette: np.ndarray, axes: SliceAxes, section: Infer3dSection
) -> Iterator[np.ndarray]:
    """The slices of a volume as pictures, made one at a time.

    Args:
        voxels: Volume `(X, Y, Z)`.
        labels: Class indices, uint8, same shape.
        palette: Colour of each class, uint8 `(classes, 3)`.
        axes: How slices are cut.
        section: What the pictures show.

    Yields:
        RGB, uint8 `(H, W, 3)`.
    """
    overlays = section.video_type == "overlays" and section.mask_overlay
    for values, mask in zip(axes.slices_of(voxels), axes.slices_of(labels), strict=True):
        width, height = section.slice_resize or mask.shape[::-1]
        mask = cv2.resize(np.ascontiguousarray(mask), (width, height), interpolation=cv2.INTER_NEAREST)
        if not overlays:
            yield palette[mask]
            continue
        levels = resize_image(grey_levels(values, section.slice_normalize), width, height)
        picture = cv2.cvtColor(np.rint(levels).astype(np.uint8), cv2.COLOR_GRAY2RGB)
        if mask.any():
            alpha, beta, gamma = section.overlay_alpha, section.overlay_beta, section.overlay_gamma
            blended = cv2.addWeighted(picture, alpha, palette[mask], beta, gamma)
            cv2.copyTo(blended, mask, picture)  # where no lesion is, the slice stays as bright as it was
        yield picture


def write_video(path: Path, frames: Iterable[np.ndarray], fps: int) -> None:
    """Write a video; the suffix decides the format. The file appears whole or not at all.

    Args:
        path: .mp4 (MPEG-4 part 2, which players and slides show without further codecs) or .gif.
        frames: RGB pictures of one size, uint8 `(H, W, 3)`, at least one; taken one at a time.
        fps: Frames per second.

    Raises:
        PathError: if the file cannot be written.
    """
    with replacing(path) as temporary:
        (_write_gif if path.suffix.lower() == ".gif" else _write_mp4)(temporary, frames, fps)


def _write_mp4(path: Path, frames: Iterable[np.ndarray], fps: int) -> None:
    writer: cv2.VideoWriter | None = None
    try:
        for frame in frames:
            # The codec drops the last row or column of an odd size.
            height, width = frame.shape[:2]
            even = cv2.copyMakeBorder(frame, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
            if writer is None:
                codec = cv2.VideoWriter.fourcc(*"mp4v")
                writer = cv2.VideoWriter(str(path), codec, fps, (even.shape[1], even.shape[0]))
                if not writer.isOpened():
                    raise PathError(
                        f"cannot write {path}: this OpenCV makes no MP4 of {even.shape[1]} x {even.shape[0]}"
                        ' pixels. Set [infer3d] video_fileformat = ".gif".'
                    )
            writer.write(cv2.cvtColor(even, cv2.COLOR_RGB2BGR))
    finally:
        if writer is not None:
            writer.release()


def _write_gif(path: Path, frames: Iterable[np.ndarray], fps: int) -> None:
    # 256 colours: of those that Pillow chooses by, this kind keeps greys to one level of 255.
    pictures = (Image.fromarray(frame).quantize(256, Image.Quantize.MAXCOVERAGE) for frame in frames)
    first = next(iter(pictures))
    with path.open("wb") as stream:
        first.save(
            stream,
            "GIF",
            save_all=True,
            append_images=pictures,
            duration=max(2 * _GIF_TICK, round(1000 / fps / _GIF_TICK) * _GIF_TICK),
            loop=0,
            disposal=1,
        )
