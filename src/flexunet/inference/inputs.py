"""What to predict: files, folders, globs, CSV lists and DICOM directories to image files, and their names.

    find_images(["case.dcm", "films/", "export/**/*.png", "list.csv", "/media/cdrom/DICOMDIR"])

A folder gives the images in it, and the DICOM files of all folders below it, whatever their names; where a
DICOMDIR lies in it, that index says which they are (DICOM PS3.3 F, PS3.10 8).
"""

from __future__ import annotations

import glob
import itertools
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from flexunet.data.dataset.matching import suffix_of
from flexunet.data.dicom.directory import DICOMDIR, images_of_dicomdir
from flexunet.data.dicom.read import is_dicom_file
from flexunet.data.images.files.listing import is_for_programs, is_image_file, perhaps_inside
from flexunet.data.images.files.names import IMAGE_SUFFIXES, composed
from flexunet.data.tables import read_table
from flexunet.data.volumes.arrays import ARRAY_SUFFIXES
from flexunet.data.volumes.read import (
    VOLUME_SUFFIXES,
    is_volume_file,
    is_volume_input,
    label_suffix,
    volume_stem,
)
from flexunet.errors import ImageError, PathError

LIST_COLUMNS = ("path", "image", "file")

Search = Callable[[Path], list[Path]]
Wanted = Callable[[Path], bool]


def find_images(inputs: Iterable[Path | str], skip: Iterable[Path] = ()) -> list[Path]:
    """The image files that inputs mean, in their order, each once.

    Args:
        inputs: Image files, folders, globs (`**` for folders at any depth), CSV lists, DICOMDIR files. A CSV
            list has a column path, image or file; its paths are relative to the list. Files that it names and
            that do not exist are among the result: reading them says so, and the others go on.
        skip: Folders that are not searched, such as those that results are written to.

    Raises:
        PathError: if an input does not exist, or means no image.
        ImageError: if a DICOMDIR cannot be read.
    """
    skipped = {folder.resolve() for folder in skip}
    kinds = f"DICOM files, or files ending in {', '.join(IMAGE_SUFFIXES)}"
    return _find(inputs, kinds, is_image_file, lambda folder: _images_in(folder, skipped))


def find_volumes(inputs: Iterable[Path | str]) -> list[Path]:
    """The volume files that inputs mean, in their order, each once; as `find_images`.

    A folder gives the volumes in it, not those below it.

    Raises:
        PathError: if an input does not exist, or means no volume.
    """
    kinds = f"files ending in {', '.join((*VOLUME_SUFFIXES, *ARRAY_SUFFIXES))}"
    return _find(inputs, kinds, is_volume_input, lambda folder: _directly_in(folder, is_volume_input))


def refuse_overwriting(inputs: Iterable[Path], written: Iterable[Path]) -> None:
    """Refuse to write results over what they are made of.

    Raises:
        PathError: if a file is read and written.
    """
    read = {_absolute(path) for path in inputs}
    for path in written:
        if _absolute(path) in read:
            raise PathError(
                f"{path} is to be read, and to be written over. Choose another output folder (--out)."
            )


def require_text(path: Path) -> None:
    """Refuse a file whose name, or that of its folder, is no text: on Linux names may be any bytes.

    Raises:
        ImageError: if tables could not name it.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise ImageError(
            f"{path} has a name that is not UTF-8, so no table can hold it. Rename the file, or its folder."
        ) from error


def mask_names(images: Iterable[Path]) -> dict[Path, str]:
    """The file name of each image's mask: the image's, as PNG; no two masks share a name.

    Where two images share a stem (`a.jpg`, `a.bmp`) the published system wrote one mask over the other; here
    all but the one that sorts first carry their ending too (`a.jpg.png`). Images of one name from several
    folders carry as many folders in their name as it takes to tell them apart (`P1/a.png` to `P1_a.png`).
    """
    return _distinct_names((path, path.name.removesuffix(suffix_of(path)), ".png") for path in sorted(images))


def label_names(volumes: Iterable[Path]) -> dict[Path, str]:
    """The file name of each volume's labels: the volume's own, kept apart as `mask_names` does."""
    return _distinct_names((path, volume_stem(path), label_suffix(path)) for path in sorted(volumes))


def _distinct_names(wanted: Iterable[tuple[Path, str, str]]) -> dict[Path, str]:
    """A name for each file, from its stem and a suffix."""
    listed = list(wanted)
    folders = _telling_folders([path for path, _, _ in listed])
    names: dict[Path, str] = {}
    taken: set[str] = set()
    for path, stem, suffix in listed:
        candidates = _candidates("_".join((*folders[path], "")), stem, path.name)
        chosen = next(name for name in candidates if _alike(name) not in taken)
        taken.add(_alike(chosen))
        names[path] = f"{chosen}{suffix}"
    return names


def image_labels(images: Sequence[Path]) -> dict[Path, str]:
    """What tables call each image: its file name, with folders where another folder has that name too."""
    folders = _telling_folders(images)
    return {path: "/".join((*folders[path], path.name)) for path in images}


def _telling_folders(paths: Sequence[Path]) -> dict[Path, tuple[str, ...]]:
    """The parent folders by which images of one name from several folders differ; none for most images."""
    by_name: dict[str, dict[Path, tuple[str, ...]]] = defaultdict(dict)
    for path in paths:
        by_name[_alike(path.name)][path] = _absolute(path).parts[1:-1]
    telling: dict[Path, tuple[str, ...]] = {}
    for alike in by_name.values():
        depth = 0
        while len({_tail(parts, depth) for parts in alike.values()}) < len(set(alike.values())):
            depth += 1
        telling |= {path: _tail(parts, depth) for path, parts in alike.items()}
    return telling


def _alike(name: str) -> str:
    """What names share that some file systems take for one: capitals and Unicode forms do not count there."""
    return composed(name).casefold()


def _absolute(path: Path) -> Path:
    """The same file without `..`; links stay, since they are names too."""
    return Path(os.path.normpath(path.absolute()))


def _tail(parts: tuple[str, ...], depth: int) -> tuple[str, ...]:
    return parts[max(0, len(parts) - depth) :]


def _candidates(folders: str, stem: str, name: str) -> Iterator[str]:
    """Names without suffix, the best one first."""
    yield f"{folders}{stem}"
    yield f"{folders}{name}"
    for number in itertools.count(2):
        yield f"{folders}{name}_{number}"


def _other_files(folder: Path) -> str:
    """What else lies in a folder, for a message; "" where it is none, or holds no files with a suffix."""
    files = [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
    named = [path for path in files if path.suffix and path.name[0] != "."]
    suffixes = sorted({path.name.removeprefix(volume_stem(path)).lower() for path in named})
    if not suffixes:
        return ""
    volumes = ". Volumes are predicted with `flexunet infer3d`" if any(map(is_volume_file, files)) else ""
    return f"; {', '.join(suffixes[:5])} is there, and is not read{volumes}"


def _find(inputs: Iterable[Path | str], kinds: str, wanted: Wanted, search: Search) -> list[Path]:
    found: dict[Path, Path] = {}
    for given in inputs:
        paths = _expand(str(given), wanted, search)
        if not paths:
            raise PathError(
                f"nothing to predict in {given}: expected {kinds}{_other_files(Path(given))}."
                f"{perhaps_inside(Path(given), 'images')}"
            )
        for path in paths:
            found.setdefault(_absolute(path), path)
    return list(found.values())


def _expand(given: str, wanted: Wanted, search: Search) -> list[Path]:
    path = Path(given).expanduser()
    if path.is_dir():
        return search(path)
    if path.is_file():
        if path.name.upper() == DICOMDIR:
            return images_of_dicomdir(path)
        return _listed(path) if path.suffix.lower() == ".csv" else [path]
    if not glob.has_magic(given):
        raise PathError(
            f"{given} does not exist: expected a file, a folder, a glob, a CSV list or a DICOMDIR."
        )
    found = []
    for match in map(Path, sorted(glob.glob(str(path), recursive=True))):  # noqa: PTH207 - may be absolute
        folders = match.parts if match.is_dir() else match.parts[:-1]
        if any(map(is_for_programs, set(folders) - set(path.parts))):  # not those that the glob names
            continue
        if match.is_dir():
            found += search(match)
        elif wanted(match):
            found.append(match)
    return found


def _directly_in(folder: Path, wanted: Wanted) -> list[Path]:
    return sorted((path for path in folder.iterdir() if wanted(path)), key=lambda path: path.name)


def _images_in(folder: Path, skipped: set[Path]) -> list[Path]:
    """Images in a folder, sorted by name, then those that its index lists, or DICOM files below it."""
    direct = _directly_in(folder, is_image_file)
    index = next((path for path in folder.iterdir() if path.name.upper() == DICOMDIR), None)
    if index is not None and index.is_file():
        return direct + images_of_dicomdir(index)
    below = []
    for parent, names, files in os.walk(folder):
        names[:] = sorted(
            name
            for name in names
            if not is_for_programs(name) and Path(parent, name).resolve() not in skipped
        )
        if Path(parent) != folder:
            candidates = (Path(parent, name) for name in sorted(files) if not name.startswith("."))
            below += [
                path
                for path in candidates
                if path.suffix.lower() not in IMAGE_SUFFIXES and is_dicom_file(path)
            ]
    return direct + below


def _listed(path: Path) -> list[Path]:
    table = read_table(path, "CSV list", error=PathError, may_be_short=True)
    column = table.find(*LIST_COLUMNS)
    listed = []
    for line, row in table.rows:
        if value := row[column].strip():
            # Windows separators are understood everywhere, as in the configuration.
            listed.append(Path(path.parent, value.replace("\\", "/")))
        elif any(map(str.strip, row.values())):
            raise PathError(f"{table.where(line)}: no {column}. Add it, or take the line out.")
    return listed
