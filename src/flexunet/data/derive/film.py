"""Make one image and its mask from one raw film. Runs in worker processes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from flexunet.data.dataset.instances import fit_instances, instance_file
from flexunet.data.dataset.manifest import sha256_of
from flexunet.data.derive.breast import find_breast, whole_picture
from flexunet.data.derive.channels import stack_channels
from flexunet.data.derive.crop import (
    CropBox,
    choose_box,
    crop_image,
    crop_mask,
    crop_numbers,
    lost_lesion_pixels,
)
from flexunet.data.derive.film_masks import DRAFT, EXCLUDED, LABELLED, TO_REVIEW, FilmMasks, RawFilm
from flexunet.data.dicom.deidentify import Pseudonyms, has_text_in_pixels, told_by_name
from flexunet.data.dicom.read import DicomFacts, is_dicom_file, read_facts, read_header
from flexunet.data.dicom.window import check_window
from flexunet.data.images.appearance import is_nearly_constant
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.names import ARRAY_SUFFIX
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.data.images.grey_range import check_range
from flexunet.data.images.masks.write import write_mask
from flexunet.errors import ConfigError, FlexUNetError, ImageError
from flexunet.files import cannot_read

FAILED = "failed"
WRITTEN = ("file", "mask", "instances")  # columns of the journal that name files
ORIENTATIONS = ("keep", "left", "right")
_VERSION = 1  # of the recipe below: raise it when the same film would give another image
_FOLDERS = {LABELLED: "", DRAFT: "", TO_REVIEW: "to_review/"}

Row = dict[str, str]


@dataclass(frozen=True)
class DeriveSettings:
    """How images are made from films.

    Attributes:
        width: Pixels of the images.
        height: Pixels of the images.
        margin: Room around the breast, fraction of the longer side of its bounding box.
        orient: `keep`, or `left` or `right`: mirror so that every image looks like a left or a right breast.
        clear: Whether labels, scanner edges and air outside the margin are replaced by background.
        dicom_window: Window rule of DICOM films, as in `dicom.read_dicom`.
        grey_range: Which values of other 16-bit films are black and white, as in `read_image`; `auto`: by the
            highest value of all films.
        whole: Whether pictures are kept whole: those that are no mammograms have no breast to find.
        pseudonyms: Names that patients get in place of their own; None: they keep them.

    Raises:
        ConfigError: if a value makes no sense.
    """

    width: int = 512
    height: int = 512
    margin: float = 0.04
    orient: str = "keep"
    clear: bool = True
    dicom_window: str = "auto"
    grey_range: str = "auto"
    whole: bool = False
    pseudonyms: Pseudonyms | None = None

    def __post_init__(self) -> None:
        if self.width < 16 or self.height < 16:
            raise ConfigError(
                f"expected images of at least 16 x 16 pixels, found {self.width} x {self.height}."
            )
        if not 0 <= self.margin <= 0.5:
            raise ConfigError(f"expected a margin from 0 to 0.5, found {self.margin}.")
        if self.orient not in ORIENTATIONS:
            raise ConfigError(f"expected --orient {', '.join(ORIENTATIONS)}, found {self.orient!r}.")
        check_window(self.dicom_window)
        check_range(self.grey_range)

    def told(self) -> dict[str, object]:
        """The settings by which an image is known again; `full` was the only range of earlier versions."""
        told = asdict(self)
        pseudonyms = told.pop("pseudonyms")
        if pseudonyms:
            told["pseudonyms"] = hashlib.sha256(pseudonyms["key"]).hexdigest()
        if self.grey_range == "full":
            del told["grey_range"]
        if not self.whole:
            del told["whole"]
        return told


@dataclass(frozen=True)
class DeriveJob:
    """What a worker needs to know.

    Attributes:
        out: Folder of the data set.
        settings: How images are made.
        masks: Where masks come from.
        color_map: Colours of the classes in the mask files written.
        previous: What earlier runs did, by raw file.
    """

    out: Path
    settings: DeriveSettings
    masks: FilmMasks
    color_map: ColorMap
    previous: Mapping[str, Row]

    def key(self, film: RawFilm) -> str:
        """Changes when the film's image or mask would, the film's own content left aside."""
        told = [
            _VERSION,
            film.name,
            film.side,
            self.settings.told(),
            self.masks.origin,
            repr(self.color_map),
            *([film.spacing_mm] if film.spacing_mm else []),
            *map(sha256_of, film.channels),
        ]
        return hashlib.sha256(f"{told} {self.masks.fingerprint(film)}".encode()).hexdigest()[:24]


def read_film(path: Path, dicom_window: str = "auto", grey_range: str = "full") -> np.ndarray:
    """Read a raw film, uint8 or uint16 `(H, W, C)`; grey films saved as colour become grey again."""
    film = read_image(path, channels=None, dicom_window=dicom_window, grey_range=grey_range)
    if film.shape[2] == 3:
        red, green, blue = cv2.split(film)
        if np.array_equal(red, green) and np.array_equal(green, blue):
            return np.asarray(red)[..., None]
    return film


def derive_film(film: RawFilm, job: DeriveJob) -> Row:
    """Make the image and mask of one film, unless an earlier run did.

    Returns:
        The row of the journal: the columns of the manifest, and `state`, `reason`, `key`, `raw_sha256`.
        `reused` is "1" if nothing had to be done.
    """
    row: Row = {"raw_file": film.file, "class": film.group, "source": film.name}
    try:
        raw_sha256 = sha256_of(film.path)
        row |= {"raw_sha256": raw_sha256, "key": job.key(film)}
        before = job.previous.get(film.file)
        if before and _still_valid(before, row, job.out):
            return {**before, "reused": "1"}
        return {**row, **_make(film, job)}
    except FlexUNetError as error:
        return {**row, "state": FAILED, "reason": str(error)}
    except OSError as error:
        return {**row, "state": FAILED, "reason": cannot_read(film.path, error)}


def _dicom_columns(known: DicomFacts) -> Row:
    """What a DICOM header tells the manifest."""
    columns = {"patient": known.PatientID, "laterality": known.laterality, "view": known.view}
    return {name: value for name, value in columns.items() if value}


def _personal(film: RawFilm, pseudonyms: Pseudonyms | None) -> list[str]:
    """What of a DICOM film names the person and goes on into the data set, one sentence each.

    Raises:
        ImageError: if the data set is to name nobody, and the film's own name does.
    """
    header = read_header(film.path)
    said = []
    if has_text_in_pixels(header):
        said.append(f"{film.path}: BurnedInAnnotation is YES: look for names in the picture.")
    told = told_by_name(header, film.name)
    if told and pseudonyms:
        raise ImageError(
            f"{film.path}: the file name holds {', '.join(told)}, and images are named after their films. "
            "Rename the film."
        )
    if told:
        said.append(f"{film.path}: the file name holds {', '.join(told)}, and the image gets this name.")
    return said


def _write_numbers(numbers: np.ndarray | None, mask: np.ndarray, box: CropBox, out: Path, file: str) -> Row:
    """Write the numbers of lesions that touch on the image, beside its mask."""
    fitted = None if numbers is None else fit_instances(crop_numbers(numbers, box), mask)
    path = instance_file(out / file)
    if fitted is None or path is None:
        return {}
    write_image(path, fitted)
    return {"instances": path.relative_to(out).as_posix(), "instances_sha256": sha256_of(path)}


def _spacing_columns(spacing_mm: tuple[float, float], box: CropBox) -> Row:
    """The spacing of the image made, from that of the film."""
    height = spacing_mm[0] * box.crop_height / box.image_height
    width = spacing_mm[1] * box.crop_width / box.image_width
    return {"pixel_spacing_mm": f"{height:.6g},{width:.6g}"}


def _still_valid(before: Row, row: Row, out: Path) -> bool:
    """Whether what an earlier run wrote is made from the same film in the same way, and is still there."""
    if any(before.get(name) != row[name] for name in ("raw_sha256", "key")) or before["state"] == FAILED:
        return False
    for name in WRITTEN:
        if before.get(name):
            path = out / before[name]
            if not path.is_file() or sha256_of(path) != before[f"{name}_sha256"]:
                return False
    return True


def _make(film: RawFilm, job: DeriveJob) -> Row:
    settings = job.settings
    raw = read_film(film.path, settings.dicom_window, settings.grey_range)
    if film.channels:
        others = [read_film(path, settings.dicom_window, settings.grey_range) for path in film.channels]
        raw = stack_channels([raw, *others], (film.path, *film.channels))
    known = read_facts(film.path) if is_dicom_file(film.path) else None
    if is_nearly_constant(raw):
        raise ImageError(
            f"{film.path} is nearly constant (grey levels {raw.min()} to {raw.max()}): no breast found. "
            "Export it again, or take it out of the folder."
        )
    height, width = raw.shape[:2]
    answer = job.masks.mask_of(film, width, height)
    if answer.state == EXCLUDED:
        return {"state": EXCLUDED, "reason": answer.reason}
    try:
        breast = whole_picture(raw) if settings.whole else find_breast(raw)
    except ImageError as error:
        raise ImageError(f"{film.path}: {error}.") from error
    breast = replace(breast, side=film.side or breast.side)
    mirrored = settings.orient != "keep" and settings.orient[0].upper() != breast.side
    box = choose_box(breast, settings.width, settings.height, margin=settings.margin, mirrored=mirrored)
    zone = breast.zone(settings.margin) if settings.clear and not settings.whole else None
    folder = _FOLDERS[answer.state]
    row: Row = {
        "state": answer.state,
        "reason": answer.reason,
        "file": f"{folder}images/{film.name}{'.png' if raw.shape[2] in (1, 3) else ARRAY_SUFFIX}",
        "mask": "",
        "mask_origin": answer.origin or job.masks.origin,
        "side": film.side if settings.whole else breast.side,
        **{name: str(value) for name, value in box.columns().items()},
    }
    if film.channels:
        row["channels"] = "; ".join(path.name for path in (film.path, *film.channels))
    if known:
        row |= _dicom_columns(known)
        row["note"] = " ".join([*known.doubts(film.path), *_personal(film, settings.pseudonyms)])
        if settings.pseudonyms:
            row["patient"] = settings.pseudonyms.patient(row.get("patient", ""))
        elif known.PatientID and not known.identity_removed:
            row["personal"] = "1"
    elif raw.dtype == np.uint16 and settings.grey_range != "full":
        row["grey_range"] = settings.grey_range
    spacing = (known and known.spacing_mm) or (film.spacing_mm and (film.spacing_mm, film.spacing_mm))
    if spacing:
        row |= _spacing_columns(spacing, box)
    if answer.mask is not None:
        row["mask"] = f"{folder}masks/{film.name}.png"
        mask = crop_mask(answer.mask, box)
        kept = np.ones_like(breast.outline) if zone is None else zone
        lost = lost_lesion_pixels(raw, answer.mask, box, breast, kept)
        row |= {
            "lesion_pixels": str(int(np.count_nonzero(mask))),
            "raw_lesion_pixels": str(int(np.count_nonzero(answer.mask))),
            "lost_lesion_pixels": str(lost.outside + lost.cleared),
            "lost_on_tissue": str(lost.on_tissue),
        }
        write_mask(job.out / row["mask"], mask, job.color_map)
        row["mask_sha256"] = sha256_of(job.out / row["mask"])
        row |= _write_numbers(answer.instances, mask, box, job.out, row["mask"])
    write_image(job.out / row["file"], crop_image(raw, box, breast, zone=zone))
    row["file_sha256"] = sha256_of(job.out / row["file"])
    return row
