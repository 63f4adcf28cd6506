"""Outlines that people drew elsewhere, in files of many programs, turned into masks.

    annotations = read_annotations("Info.txt")
    film = annotations["mdb001"]
    mask = film.rasterise(1024, 1024)

`FORMATS` has a row for each form that is read. A film whose lesions are known to exist but not where they
are is `unknown`; it is never taken for a normal one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flexunet.data.annotations.coco import is_coco, read_coco
from flexunet.data.annotations.cvat import is_cvat, read_cvat
from flexunet.data.annotations.dicom_objects.films import Films
from flexunet.data.annotations.dicom_objects.measurements import read_measurements
from flexunet.data.annotations.dicom_objects.segmentation import read_segmentation_object
from flexunet.data.annotations.dicom_objects.structure_set import read_structure_set
from flexunet.data.annotations.label_studio import is_label_studio, read_label_studio
from flexunet.data.annotations.labelme import read_labelme
from flexunet.data.annotations.mias import read_mias
from flexunet.data.annotations.outline_table import read_outline_table
from flexunet.data.annotations.property_list import read_property_list
from flexunet.data.annotations.shapes import BROKEN, Annotations, FilmAnnotation
from flexunet.data.annotations.via import is_via_document, is_via_table, read_via_document, read_via_table
from flexunet.data.annotations.yolo import is_yolo, read_yolo
from flexunet.data.dicom.read import is_dicom_file, read_header, refusing_damage
from flexunet.data.documents import read_json
from flexunet.data.images.files.names import name_stem
from flexunet.errors import FlexUNetError, MaskError, PathError

_SUFFIXES = (".txt", ".csv", ".xml", ".json")


@dataclass(frozen=True)
class _Source:
    """A file to be read.

    Attributes:
        path: The file.
        films: The films of which it may be.
        fill_boxes: Whether boxes count as lesions.
        document: The content of a JSON file, or the kind of a DICOM object.
    """

    path: Path
    films: Films
    fill_boxes: bool = False
    document: Any = None


@dataclass(frozen=True)
class _Format:
    """A form of annotations: one row.

    Attributes:
        name: What messages call it.
        suffix: Ending of its files; "" for DICOM.
        is_one: Whether a file has it; the first row that says so counts.
        read: Reads it.
        a_film: Whether each file is of one film, so that a folder holds many.
    """

    name: str
    suffix: str
    is_one: Callable[[_Source], bool]
    read: Callable[[_Source], Annotations]
    a_film: bool = False


def _always(_: _Source) -> bool:
    return True


def _named_like_its_film(read: Callable[[Path], FilmAnnotation]) -> Callable[[_Source], Annotations]:
    return lambda source: Annotations({name_stem(source.path.name): read(source.path)})


def _dicom(kind: str, read: Callable[[Path, Films], dict[str, FilmAnnotation]]) -> _Format:
    return _Format(
        f"DICOM {kind}",
        "",
        lambda source: source.document == kind,
        lambda source: Annotations(read(source.path, source.films)),
        a_film=True,
    )


def _has_shapes(source: _Source) -> bool:
    return isinstance(source.document, dict) and "shapes" in source.document


FORMATS = (
    _Format(
        "LabelMe",
        ".json",
        _has_shapes,
        lambda source: Annotations([read_labelme(source.path, source.document)]),
        a_film=True,
    ),
    _Format(
        "YOLO",
        ".txt",
        lambda source: is_yolo(source.path),
        lambda source: Annotations({source.path.stem: read_yolo(source.path, source.fill_boxes)}),
        a_film=True,
    ),
    _Format("mini-MIAS", ".txt", _always, lambda source: read_mias(source.path)),
    _Format(
        "VIA", ".csv", lambda source: is_via_table(source.path), lambda source: read_via_table(source.path)
    ),
    _Format("CSV", ".csv", _always, lambda source: read_outline_table(source.path)),
    _Format("CVAT", ".xml", lambda source: is_cvat(source.path), lambda source: read_cvat(source.path)),
    _Format("INbreast", ".xml", _always, _named_like_its_film(read_property_list), a_film=True),
    _Format(
        "COCO",
        ".json",
        lambda source: is_coco(source.document),
        lambda source: read_coco(source.path, source.document, source.fill_boxes),
    ),
    _Format(
        "Label Studio",
        ".json",
        lambda source: is_label_studio(source.document),
        lambda source: read_label_studio(source.path, source.document),
    ),
    _Format(
        "VIA",
        ".json",
        lambda source: is_via_document(source.document),
        lambda source: read_via_document(source.path, source.document),
    ),
    _dicom("SEG", read_segmentation_object),
    _dicom("RTSTRUCT", read_structure_set),
    _dicom("SR", read_measurements),
)


def read_annotations(
    path: Path | str, films: Iterable[Path] = (), *, fill_boxes: bool = False
) -> Annotations:
    """Read all annotations of a file or folder, by the stem of the film's file name.

    In a folder, a file that cannot be read makes its film `broken`; the others are read.

    Args:
        path: The file or folder.
        films: The films, for DICOM objects, which refer to films by UID and in mm.
        fill_boxes: Whether boxes of forms made for detection (YOLO, COCO) count as lesions.

    Raises:
        PathError: if nothing is there.
        MaskError: if the file is in none of the known forms, or a value in it makes no sense.
    """
    path, known = Path(path), Films(films)
    if path.is_dir():
        return _read_folder(path, known, fill_boxes)
    if not path.is_file():
        raise PathError(f"annotations {path} do not exist. Check the path.")
    return _guarded(_Source(path, known, fill_boxes))


def _read_folder(folder: Path, known: Films, fill_boxes: bool) -> Annotations:
    files = [file for file in sorted(folder.iterdir()) if file.is_file() and _is_of_a_film(file)]
    if not files:
        others = sorted({file.suffix for file in folder.iterdir() if file.is_file()})
        raise PathError(
            f"no annotations in {folder}: expected {_names(one_film=True)}, a file a film, found "
            f"{', '.join(others) or 'no files'}."
        )
    films, origins = Annotations(), dict[str, Path]()
    broken: list[FlexUNetError] = []
    for file in files:
        try:
            read = _guarded(_Source(file, known, fill_boxes), alone=False)
        except FlexUNetError as error:
            broken.append(error)
            stem = name_stem(file.name.removesuffix(".txt"))
            read = Annotations({stem: FilmAnnotation(BROKEN, reason=str(error))})
        for stem, film in read.items():
            if first := origins.get(stem):
                raise MaskError(
                    f"{folder} annotates {stem!r} twice, in {first.name} and in {file.name}. Keep one."
                )
            films[stem], origins[stem] = film, file
        films.notes += read.notes
    if len(broken) == len(files):
        raise broken[0]
    return films


def _is_of_a_film(file: Path) -> bool:
    """Whether a file of a folder may annotate a film, by its name."""
    if file.name.startswith("."):
        return False
    suffix = file.suffix.lower()
    if suffix == ".txt":
        return is_yolo(file)
    return suffix in (".json", ".xml") or (suffix not in _SUFFIXES and is_dicom_file(file))


def _names(one_film: bool = False) -> str:
    return ", ".join(dict.fromkeys(row.name for row in FORMATS if row.a_film or not one_film))


def _guarded(source: _Source, alone: bool = True) -> Annotations:
    path = source.path
    try:
        return _read(source, alone)
    except FlexUNetError:
        raise
    except OSError as error:
        raise MaskError(f"cannot read annotations {path}: {error.strerror or error}.") from error
    except Exception as error:  # a field of another type than its format has, anywhere in the document
        raise MaskError(
            f"annotations {path}: a field has another form than expected ({type(error).__name__}: "
            f"{str(error)[:200]}). Correct it, or write the file again."
        ) from error


def _read(source: _Source, alone: bool) -> Annotations:
    path, suffix = source.path, source.path.suffix.lower()
    if suffix not in _SUFFIXES and is_dicom_file(path):
        suffix, source = "", replace(source, document=_kind(path))
    elif suffix == ".json":
        source = replace(source, document=read_json(path, MaskError))
    rows = [row for row in FORMATS if row.suffix == suffix and (row.a_film or alone)]
    row = next((row for row in rows if row.is_one(source)), None)
    if row is not None:
        return row.read(source)
    if not rows:
        raise MaskError(f"cannot read annotations from {path}: expected {_names()}.")
    names = ", ".join(row.name for row in rows)
    if suffix == ".json" and not isinstance(source.document, dict):
        raise MaskError(f"{path}: expected a JSON object ({names}), or tasks of Label Studio as a list.")
    raise MaskError(f"{path} is none of {names}; it has {_held(source.document)}.")


def _kind(path: Path) -> str:
    with refusing_damage(path):
        return str(read_header(path).get("Modality") or "nothing")


def _held(document: Any) -> str:
    """What a document has, or of which kind a DICOM object is, for messages."""
    if isinstance(document, dict):
        return f"the keys {', '.join(map(str, list(document)[:8]))}" if document else "no keys"
    return f"the modality {document}"
