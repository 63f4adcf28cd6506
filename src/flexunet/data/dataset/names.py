"""What a file name of the published tools says: the original image, the operation, the patient."""

import re
from collections.abc import Iterable, Mapping

import numpy as np

_WHOLE = r"\d+"
_NUMBER = r"-?\d+(?:\.\d+)?"
_RATIO = r"-?(?:0_\d+|\d+(?:\.\d+)?)"  # the offline augmentor writes 0_8 for 0.8

# An operation that the published tools lack names its copies by its own name and its values.
NAME_OF_OPERATION = re.compile("[a-z]+")
_OWN = rf"aug-(?P<own>{NAME_OF_OPERATION.pattern})(?:-{_NUMBER})*_"

# One row an operation: its name as configuration section or key, and the prefix the published tools write.
# Both spellings count: the offline augmentor writes `hfliped_`, the generators `hflipped_`. The two words
# of CDD-CESM were verified on the images: `flipped_` is top to bottom, `mirrored_` left to right.
_PREFIXES = (
    ("hvflip", r"hvflipp?ed_"),
    ("hflip", r"hflipp?ed_|mirrored_"),
    ("vflip", r"vflipp?ed_|flipped_"),
    ("rotation", rf"rotated_{_NUMBER}_"),
    ("shrink", rf"shrinked_{_RATIO}_"),
    ("shear", rf"sheared_{_RATIO}_"),
    ("deformation", rf"deformed_alpha_{_NUMBER}_sigmoid_{_NUMBER}_"),
    ("distortion", rf"distorted_{_NUMBER}_rsigma{_NUMBER}_sigma{_NUMBER}_"),
    ("barrdistortion", rf"barrdistorted_{_WHOLE}_{_NUMBER}_{_NUMBER}_"),
    ("pincdistortion", rf"pincdistorted_{_WHOLE}_{_NUMBER}_{_NUMBER}_"),
    ("sharpening", r"sharpened_(?:-?\d+\.\d+_)*"),
    ("brightening", r"brightened_(?:-?\d+\.\d+_)*"),
)
_PREFIX = re.compile(
    "|".join([*(f"(?P<{name}>{pattern})" for name, pattern in _PREFIXES), _OWN]), re.IGNORECASE
)

# File names that tell the patient beyond doubt. Schemes that could mean something else (csaw_s `004_0`,
# mini-MIAS `mdb003`) are left out: they need a manifest.
_PATIENTS = (
    re.compile(r"(?P<patient>P\d+)_(?P<side>[LR])_(?P<modality>DM|CM)_(?P<view>CC|MLO)"),  # CDD-CESM
    re.compile(r"(?P<patient>[A-D]_\d{4})_1\.(?P<side>LEFT|RIGHT)_(?P<view>CC|MLO)"),  # DDSM
)
_MODALITIES = {"DM": "low energy", "CM": "subtracted"}
# Columns of manifests that tell a film, the first that says something.
_FILM_COLUMNS = {
    "side": ("side", "laterality"),
    "view": ("view", "view_position", "projection"),
    "modality": ("modality",),
}


def own_prefix(name: str, values: Iterable[float]) -> str:
    """What the name of a copy starts with, for an operation that has no published name.

    >>> own_prefix("darken", [0.5, -20]), operation_of("aug-darken-0.5--20_P34")
    ('aug-darken-0.5--20_', 'darken')
    """
    numbers = (np.format_float_positional(value, trim="-") for value in values)
    return "-".join(("aug", name, *numbers)) + "_"


def split_name(stem: str) -> tuple[str, list[str]]:
    """Split a stem into that of the original and the operations that made this copy, first applied first."""
    operations = []
    while (match := _PREFIX.match(stem)) and match.end() < len(stem):
        operations.append(match["own"] or str(match.lastgroup))
        stem = stem[match.end() :]
    return stem, operations[::-1]


def source_of(stem: str) -> str:
    """Stem of the original image, the augmentation prefixes of the published tools taken off.

    >>> source_of("barrdistorted_1003_0.3_0.3_42"), source_of("hflipped_sheared_0_2_1001")
    ('42', '1001')
    """
    return split_name(stem)[0]


def operation_of(stem: str) -> str | None:
    """Operations that made this copy, first applied first, joined by `+`; None for an original.

    >>> operation_of("hflipped_sheared_0_2_1001")
    'shear+hflip'
    """
    return "+".join(split_name(stem)[1]) or None


def patient_of(stem: str) -> str | None:
    """Patient as far as the file name tells it beyond doubt; None where it does not.

    >>> patient_of("mirrored_P34_R_DM_MLO"), patient_of("004_0")
    ('P34', None)
    """
    match = _scheme(stem)
    return match["patient"] if match else None


def film_of(stem: str, row: Mapping[str, str] | None = None) -> dict[str, str]:
    """Side, view and modality of a film: by its row of the manifest, else by its name; "" where unknown.

    >>> film_of("mirrored_P34_R_DM_MLO")
    {'side': 'R', 'view': 'MLO', 'modality': 'low energy'}
    >>> film_of("mdb003", {"Laterality": "left"})
    {'side': 'L', 'view': '', 'modality': ''}
    """
    match = _scheme(stem)
    by_name = match.groupdict() if match else {}
    by_name["modality"] = _MODALITIES.get(by_name.get("modality", ""), "")
    told = {column.casefold(): value.strip() for column, value in (row or {}).items()}
    film = {
        fact: next((told[column] for column in columns if told.get(column)), by_name.get(fact, ""))
        for fact, columns in _FILM_COLUMNS.items()
    }
    return {
        "side": film["side"][:1].upper(),
        "view": film["view"].upper(),
        "modality": film["modality"].casefold(),
    }


def _scheme(stem: str) -> re.Match[str] | None:
    """The match of the known naming scheme that the original of a file follows."""
    source = source_of(stem)
    matches = (scheme.fullmatch(source) for scheme in _PATIENTS)
    return next((match for match in matches if match), None)
