"""The raw folders of nnU-Net: names of their files, and `dataset.json`.

    Dataset001_Mass/
      dataset.json              channel_names, labels, numTraining, file_ending
      imagesTr/CASE_0000.png    channel 0 of a training case
      labelsTr/CASE.png         class indices
      imagesTs/CASE_0000.png    test cases; labelsTs/ where their labels are known
      splits_final.json         training and validation cases, which nnU-Net reads beside its plans

Source: Isensee, F. et al. (2021), nnU-Net, Nature Methods 18, 203-211; its page dataset_format.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flexunet.data.documents import read_json
from flexunet.errors import DatasetError
from flexunet.files import write_bytes

DESCRIPTION, SPLITS_FILE = "dataset.json", "splits_final.json"
BACKGROUND, IGNORE = "background", "ignore"
FOLDER_NAME = re.compile(r"Dataset\d{3}_\w+")
_MOST_LABELS = 255


@dataclass(frozen=True)
class NnunetDescription:
    """What `dataset.json` says.

    Attributes:
        name: Name of the data set.
        channels: Names of the channels of a case, in order.
        labels: Name of each value of a label file; the background is left out.
        ending: Ending of all files, with its dot.
        ignored: The value of pixels that nobody labelled; None if there is none.
    """

    name: str
    channels: tuple[str, ...]
    labels: Mapping[int, str]
    ending: str
    ignored: int | None = None


def read_description(path: Path) -> NnunetDescription:
    """Read `dataset.json`, of version 2 or 1.

    Raises:
        DatasetError: if it is none, or a key is missing or has another form.
    """
    document = read_json(path)
    if not isinstance(document, dict):
        raise _wrong(path, "an object", document)
    if "dataset" in document:
        raise DatasetError(
            f"{path} names the file of each case itself (key 'dataset'), which is not read: files elsewhere "
            "may be meant. Put the files into imagesTr and labelsTr."
        )
    channels = document.get("channel_names", document.get("modality"))
    if not isinstance(channels, dict) or sorted(channels) != sorted(map(str, range(len(channels)))):
        raise _wrong(path, '\'channel_names\' such as {"0": "mammogram"}', channels)
    labels, ignored = _labels(path, document.get("labels"))
    ending = document.get("file_ending", ".nii.gz")  # version 1 knew no other
    if not isinstance(ending, str) or not re.fullmatch(r"\.[A-Za-z0-9.]{1,12}", ending):
        raise _wrong(path, "a 'file_ending' such as \".png\"", ending)
    names = tuple(str(channels[str(number)]) for number in range(len(channels)))
    return NnunetDescription(str(document.get("name") or ""), names, labels, ending, ignored)


def read_splits(path: Path) -> list[dict[str, str]]:
    """Part of each case (`train` or `valid`) in each split of `splits_final.json`.

    Raises:
        DatasetError: if it is none, or a case is in both parts.
    """
    document = read_json(path)
    splits = []
    for split in document if isinstance(document, list) else [document]:
        training, validation = (_cases(path, split, name) for name in ("train", "val"))
        if both := training & validation:
            raise DatasetError(f"{path} has the case {min(both)!r} in training and validation at once.")
        splits.append(dict.fromkeys(training, "train") | dict.fromkeys(validation, "valid"))
    return splits


def write_description(folder: Path, about: NnunetDescription, cases: int) -> None:
    """Write `dataset.json`; `cases` is the number of training cases."""
    document = {
        "name": about.name,
        "channel_names": {str(number): name for number, name in enumerate(about.channels)},
        "labels": {BACKGROUND: 0} | {name: value for value, name in about.labels.items()},
        "numTraining": cases,
        "file_ending": about.ending,
    }
    write_bytes(folder / DESCRIPTION, json.dumps(document, indent=2).encode())


def write_splits(folder: Path, splits: Sequence[Mapping[str, str]]) -> None:
    """Write `splits_final.json`, as `read_splits` reads it."""
    document = [
        {
            key: sorted(case for case, part in split.items() if part == name)
            for key, name in (("train", "train"), ("val", "valid"))
        }
        for split in splits
    ]
    write_bytes(folder / SPLITS_FILE, json.dumps(document, indent=2).encode())


def channel_name(case: str, channel: int, ending: str) -> str:
    """Name of the file of a channel."""
    return f"{case}_{channel:04d}{ending}"


def _cases(path: Path, split: Any, part: str) -> set[str]:
    cases = split.get(part) if isinstance(split, dict) else None
    if not isinstance(cases, list) or not all(isinstance(case, str) for case in cases):
        raise _wrong(path, "a list of splits with cases in 'train' and 'val'", split)
    return set(cases)


def _labels(path: Path, told: Any) -> tuple[dict[int, str], int | None]:
    """Name of each value but 0, and the value to be ignored.

    A value of several regions (nested, as `whole: [1, 2]` and `core: [2]`) has the name of the smallest.
    """
    if not isinstance(told, dict):
        raise _wrong(path, '\'labels\' such as {"background": 0, "mass": 1}', told)
    if told and all(str(key).isdigit() for key in told):  # version 1 had it the other way round
        told = {str(name): int(value) for value, name in told.items()}
    sizes: dict[int, int] = {}
    names: dict[int, str] = {}
    for name, values in told.items():
        region = values if isinstance(values, list) else [values]
        if not region or not all(type(value) is int and 0 <= value <= _MOST_LABELS for value in region):
            raise _wrong(
                path, f"whole numbers from 0 to {_MOST_LABELS} for the label {str(name)[:40]!r}", values
            )
        for value in region:
            if value and len(region) < sizes.get(value, _MOST_LABELS + 1):
                sizes[value], names[value] = len(region), str(name)
    ignored = next((value for value, name in names.items() if name.casefold() == IGNORE), None)
    return {value: name for value, name in sorted(names.items()) if value != ignored}, ignored


def _wrong(path: Path, expected: str, found: Any) -> DatasetError:
    return DatasetError(f"{path}: expected {expected}, found {str(found)[:60]}.")
