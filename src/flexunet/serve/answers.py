"""What a request gets: the prediction of its image, in the form that it asks for."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from flexunet.data.configured import color_map
from flexunet.data.dicom.read import MAX_PIXELS
from flexunet.data.images.files.header import image_size
from flexunet.data.images.masks.write import encode_mask
from flexunet.data.images.overlay import draw_key, draw_overlay
from flexunet.errors import FlexUNetError
from flexunet.inference.cases import Case, CaseReader
from flexunet.inference.image_work import ImageWork
from flexunet.inference.outputs.contours import coco_annotations
from flexunet.inference.outputs.lesions import lesion_rows, measure_lesions
from flexunet.inference.outputs.write import Outputs
from flexunet.inference.predict.predictor import Prediction, Predictor
from flexunet.serve.problems import ProblemError, problem_of
from flexunet.serve.upload import as_file

if TYPE_CHECKING:
    from pathlib import Path

    from flexunet.serve.drift import DriftWindow

log = logging.getLogger("flexunet.serve")
# A picture one pixel wide and fifty million high takes a minute to look through, and no camera makes it.
MOST_SIDE = 20_000

JSON, PNG, DICOM = "application/json", "image/png", "application/dicom"
FORMATS = {"lesions": JSON, "mask": PNG, "overlay": PNG, "segmentation": DICOM}
EMBEDDED = ("mask", "overlay")
# What a client that names a media type instead of a format means.
_FORMAT_OF_MEDIA_TYPE = {
    JSON: "lesions",
    PNG: "mask",
    DICOM: "segmentation",
    "*/*": "lesions",
    "application/*": "lesions",
    "image/*": "mask",
}


@dataclass(frozen=True)
class Wish:
    """What a request asks for.

    Attributes:
        form: One of FORMATS.
        embed: Pictures that lesions come with, as data URLs: some of EMBEDDED.
        longest_side: Pixels that overlays are scaled down to; None leaves them as large as the image.
        spacing: Height and width of a pixel in mm, for images that do not tell; None where it is unknown.
    """

    form: str = "lesions"
    embed: Sequence[str] = ()
    longest_side: int | None = None
    spacing: tuple[float, float] | None = None


def choose_format(asked: str | None, accept: str | None) -> str:
    """The format of an answer: the one that is asked for, else the best of the Accept header.

    Raises:
        ProblemError: 400 if there is no such format; 406 if none of the media types can be given.
    """
    if asked is not None:
        if asked not in FORMATS:
            raise ProblemError(400, f"there is no format '{asked[:40]}': choose one of {', '.join(FORMATS)}.")
        return asked
    for media_type in _by_preference(accept or "*/*"):
        if media_type in _FORMAT_OF_MEDIA_TYPE:
            return _FORMAT_OF_MEDIA_TYPE[media_type]
    raise ProblemError(406, f"expected one of {JSON}, {PNG}, {DICOM} in the Accept header.")


def _by_preference(accept: str) -> list[str]:
    """Media types of an Accept header, the most wanted first (RFC 9110, 12.5.1)."""
    wanted = []
    for part in accept.split(","):
        media_type, *parameters = [piece.strip().lower() for piece in part.split(";")]
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        if quality > 0:
            wanted.append((-quality, "*" in media_type, media_type))
    return [media_type for _, _, media_type in sorted(wanted, key=lambda one: one[:2])]


class Answerer:
    """From the bytes of an image to the bytes of an answer; may be asked from many threads.

    Args:
        predictor: The model.
        digest: What tells it from others.
        tiled: Whether images are predicted tile by tile.
        most_pixels: Images of more are refused before they are unpacked.
        watch: Notes what images that were answered are like; None watches nothing.
    """

    def __init__(
        self,
        predictor: Predictor,
        digest: str,
        *,
        tiled: bool,
        most_pixels: int = MAX_PIXELS,
        watch: DriftWindow | None = None,
    ):
        self.predictor = predictor
        self.config = predictor.config
        self.digest = digest
        self.tiled = tiled
        self.most_pixels = most_pixels
        self.watch = watch
        self.colors = color_map(self.config)
        nowhere = self.config.output(self.config.infer.output_dir)  # nothing is written there
        self.outputs = Outputs(self.config, nowhere, nowhere, digest)

    def answer(self, content: bytes, wish: Wish) -> tuple[bytes, str]:
        """Predict an image.

        Args:
            content: The image's file.
            wish: What is to be made of it.

        Returns:
            The answer and its media type.

        Raises:
            ProblemError: if the image cannot be used, or has not what the format needs.
        """
        with as_file(content) as path:
            try:
                return self._answer(path, wish), FORMATS[wish.form]
            except FlexUNetError as error:
                problem = problem_of(error)
                if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    log.exception("a prediction failed")
                problem.detail = problem.detail.replace(str(path), "the image")
                raise problem from error

    def _answer(self, path: Path, wish: Wish) -> bytes:
        width, height = image_size(path)
        if max(width, height) > MOST_SIDE:
            raise ProblemError(
                413,
                f"the image is too long: {width} x {height}; expected at most {MOST_SIDE:,} pixels a side.",
            )
        if width * height > self.most_pixels:
            raise ProblemError(
                413,
                f"the image is too large: {width} x {height} is more than {self.most_pixels:,} pixels. Scale "
                "it down, or start the service with a higher --max-megapixels.",
            )
        work = ImageWork(CaseReader(self.config, {path: "image"}), self.outputs, tiled=self.tiled)
        case = work.read(path)
        if case.spacing is None:
            case = replace(case, spacing=wish.spacing)
        if wish.form == "segmentation" and not case.is_dicom:
            raise ProblemError(
                406, "a DICOM Segmentation object refers to a DICOM image; send one, or ask for the mask."
            )
        prediction = work.predict(case, self.predictor)
        mask = work.mask(case, prediction)
        if self.watch is not None:
            self.watch.note(path, case, mask, prediction.probabilities)
        if wish.form == "mask":
            return encode_mask(mask, self.colors)
        if wish.form == "overlay":
            return _overlay(case, mask, self.outputs.class_names, wish.longest_side)
        if wish.form == "segmentation":
            return self._segmentation(path, mask, prediction.probabilities)
        return self._lesions(case, mask, prediction, wish)

    def _segmentation(self, path: Path, mask: np.ndarray, probabilities: np.ndarray) -> bytes:
        from flexunet.inference.outputs.dicom_objects.concepts import Concepts
        from flexunet.inference.outputs.dicom_objects.segmentation import Segments, make_segmentation
        from flexunet.inference.outputs.dicom_objects.source import read_source

        names, rules = self.outputs.class_names, self.config.dicom
        segmentation = make_segmentation(
            read_source(path, model=self.digest),
            Segments.of_classes(mask, len(names)),
            names,
            kind=rules.segmentation,
            concepts=Concepts.configured(rules),
            probabilities=self.outputs.decision.calibrate(probabilities),
        )
        stream = io.BytesIO()
        segmentation.save_as(stream, enforce_file_format=True)
        return stream.getvalue()

    def _lesions(self, case: Case, mask: np.ndarray, prediction: Prediction, wish: Wish) -> bytes:
        probabilities = self.outputs.decision.calibrate(prediction.probabilities)
        lesions = measure_lesions(mask, probabilities, case.spacing, prediction.uncertainty)
        rows = lesion_rows(lesions)
        for row, outlined in zip(rows, coco_annotations(mask, lesions), strict=True):
            drawn = outlined["segmentation"]
            row["outline"] = drawn[0] if isinstance(drawn, list) else drawn
        document: dict[str, Any] = {
            "model": self.digest,
            "width": mask.shape[1],
            "height": mask.shape[0],
            "pixel_spacing_mm": case.spacing,
            "dicom": case.is_dicom,
            "notes": list(case.notes),
            "unlike_training": case.unlike_training,
            "foreground_pixels": int(np.count_nonzero(mask)),
            "classes": dict(enumerate(self.outputs.class_names, start=1)),
            "lesions": rows,
        }
        if "mask" in wish.embed:
            document["mask"] = _data_url(encode_mask(mask, self.colors))
        if "overlay" in wish.embed:
            document["overlay"] = _data_url(_overlay(case, mask, self.outputs.class_names, wish.longest_side))
        return json.dumps(document, allow_nan=False).encode()


def _overlay(case: Case, mask: np.ndarray, names: Sequence[str], longest_side: int | None) -> bytes:
    picture = draw_key(draw_overlay(case.image, mask), mask, names, case.spacing)
    scale = (longest_side or max(mask.shape)) / max(mask.shape)
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    done, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if not done:
        raise ProblemError(500, "the overlay could not be encoded.")
    return encoded.tobytes()


def _data_url(png: bytes) -> str:
    return f"data:{PNG};base64,{base64.b64encode(png).decode()}"
