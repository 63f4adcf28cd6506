"""Outlines that people drew elsewhere, in text, CSV, JSON and XML files, turned into masks.

    annotations = read_annotations("Info.txt")
    film = annotations["mdb001"]
    mask = film.rasterise(1024, 1024)

Read are: the truth table of mini-MIAS (`Info.txt`), CSV with a circle or polygon a row, CSV of the VGG
annotator (VIA), COCO and LabelMe JSON, and the property lists of INbreast (a file, or a folder of LabelMe
files or property lists). A film whose lesions are known to exist but not where they are is `unknown`; it is
never taken for a normal one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flexunet.data.annotations.coco import read_coco
from flexunet.data.annotations.labelme import read_labelme
from flexunet.data.annotations.mias import read_mias
from flexunet.data.annotations.outline_table import read_outline_table
from flexunet.data.annotations.property_list import read_property_list
from flexunet.data.annotations.shapes import BROKEN, Annotations, FilmAnnotation
from flexunet.data.annotations.via import is_via_table, read_via_table
from flexunet.data.documents import read_json
from flexunet.data.images.files import name_stem
from flexunet.errors import FlexUNetError, MaskError, PathError

_SUFFIXES = (".json", ".xml")


def read_annotations(path: Path | str) -> Annotations:
    """Read all annotations of a file or folder, by the stem of the film's file name.

    In a folder, a file that cannot be read makes its film `broken`; the others are read.

    Raises:
        PathError: if nothing is there.
        MaskError: if the file is in none of the known forms, or a value in it makes no sense.
    """
    path = Path(path)
    if path.is_dir():
        return _read_folder(path)
    if not path.is_file():
        raise PathError(f"annotations {path} do not exist. Check the path.")
    return _guarded(path)


def _read_folder(folder: Path) -> Annotations:
    files = sorted(
        file for file in folder.iterdir() if file.suffix.lower() in _SUFFIXES and file.name[0] != "."
    )
    if not files:
        others = sorted({file.suffix for file in folder.iterdir() if file.is_file()})
        raise PathError(
            f"no annotations in {folder}: expected LabelMe files ending in .json, or property lists of "
            f"INbreast ending in .xml, found {', '.join(others) or 'no files'}."
        )
    films, origins = Annotations(), dict[str, Path]()
    broken: list[FlexUNetError] = []
    for file in files:
        try:
            read = _guarded(file, alone=False)
        except FlexUNetError as error:
            broken.append(error)
            read = Annotations({name_stem(file.name): FilmAnnotation(BROKEN, reason=str(error))})
        for stem, film in read.items():
            if first := origins.get(stem):
                raise MaskError(
                    f"{folder} annotates {stem!r} twice, in {first.name} and in {file.name}. Keep one."
                )
            films[stem], origins[stem] = film, file
    if len(broken) == len(files):
        raise broken[0]
    return films


def _guarded(path: Path, alone: bool = True) -> Annotations:
    try:
        return _read(path, alone)
    except FlexUNetError:
        raise
    except OSError as error:
        raise MaskError(f"cannot read annotations {path}: {error.strerror or error}.") from error
    except Exception as error:  # a field of another type than its format has, anywhere in the document
        raise MaskError(
            f"annotations {path}: a field has another form than expected ({type(error).__name__}: "
            f"{str(error)[:200]}). Correct it, or write the file again."
        ) from error


def _read(path: Path, alone: bool) -> Annotations:
    suffix = path.suffix.lower()
    if suffix == ".txt":
        return read_mias(path)
    if suffix == ".csv":
        return read_via_table(path) if is_via_table(path) else read_outline_table(path)
    if suffix == ".xml":
        return Annotations({name_stem(path.name): read_property_list(path)})
    if suffix == ".json":
        document = _load_json(path)
        if "shapes" in document:
            return Annotations([read_labelme(path, document)])
        if not alone:
            raise MaskError(f"{path} is not a LabelMe file: expected the key 'shapes'.")
        if "images" in document and "annotations" in document:
            return read_coco(path, document)
        raise MaskError(
            f"{path} is neither COCO (keys 'images' and 'annotations') nor LabelMe (key 'shapes'); it has "
            f"{', '.join(list(document)[:8]) or 'no keys'}."
        )
    raise MaskError(
        f"cannot read annotations from {path}: expected .txt (mini-MIAS), .csv, .json, or .xml (INbreast)."
    )


def _load_json(path: Path) -> Mapping[str, Any]:
    document = read_json(path, MaskError)
    if not isinstance(document, dict):
        raise MaskError(f"{path}: expected a JSON object, found a {type(document).__name__}.")
    return document
