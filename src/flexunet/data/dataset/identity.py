"""Whose image it is: source, patient, operation and pixel spacing, the same for every room of the house.

    identities = Identities.of_folder("dataset/train/images")
    identities.of(Path("dataset/train/images/hflipped_P34_R_DM_MLO.png")).patient    # 'P34'

Evidence is taken in this order, and what comes first decides:

source: the manifest's column `source`; else the file name without the prefixes of the published tools.
operation: the manifest's column `operation`; else those prefixes.
patient: what a pattern of the user finds in the source (`split --patient-pattern`); else the manifest's
    column `patient`, if it names a person; else a known naming scheme (`names.patient_of`) in the source,
    then in the file name; else the patient is unknown and the source stands for the person.
spacing: the manifest's columns `pixel_spacing_mm` and `pixel_spacing`.

A cell `patient` names no person if it is empty, repeats the name of the image, of its source or of its raw
film (earlier versions of `derive`, `split` and `augment` wrote that where they knew nothing), or is a
placeholder: a word such as "anonymous", or one value for more images than one person has films.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from flexunet.data.dataset.manifest import Manifest, find_root
from flexunet.data.dataset.matching import stem_of
from flexunet.data.dataset.names import operation_of, patient_of, source_of
from flexunet.data.images.files.names import composed, image_stem
from flexunet.data.images.spacing import spacing_of_row
from flexunet.errors import ConfigError, DatasetError

_PLACEHOLDER = re.compile(
    r"|anon|anonyme?|anonymi[sz]ed|anonymisiert|anonimi[sz]ado|an[oó]nimo|anonymous|blinded|confidential"
    r"|deidentified|dummy|hidden|inconnue?|masked|missing|na|nan|none|noname|not(available|given|known)|null"
    r"|patient(id|name)?|phi|private|redacted|removed|tbd|unbekannt|unk|unknown|unspecified|withheld|x{2,}"
    r"|匿名|不明"
)
_BESIDE_PLACEHOLDER = re.compile(r"id|name|patient|subject")
_NO_IDENTIFIER = re.compile(  # a code for nothing, an error of a spreadsheet, a number that it shortened
    r"-\d+(\.0+)?|#(#+|n/a|ref!|name\?|value!|null!|num!|div/0!)|\d(\.\d+)?e\+\d+", re.I
)
_MOST_FILMS = 12  # sources of one person; a value that all of more sources share is a placeholder
_LONGEST_PATTERN = 200


@dataclass(frozen=True)
class Identity:
    """Whose image a file is.

    Attributes:
        source: Original image that it descends from.
        patient: The person it shows; the source where the person is unknown.
        patient_known: Whether manifest, file name or a pattern of the user tells the person.
        operation: How a copy was made, first applied first; "" for an original.
        row: What the manifest says of the image; empty without a manifest.
    """

    source: str
    patient: str
    patient_known: bool = False
    operation: str = ""
    row: Mapping[str, str] = field(default_factory=dict, hash=False, compare=False)

    @property
    def spacing(self) -> tuple[float, float] | None:
        """Height and width of a pixel in mm; None where the manifest does not tell.

        Raises:
            DatasetError: if what it tells is no spacing.
        """
        return spacing_of_row(self.row)

    @property
    def known_patient(self) -> str:
        """The patient as manifests record it: "" where unknown."""
        return self.patient if self.patient_known else ""

    def told_by(self, pattern: re.Pattern[str]) -> Identity:
        """The same with the patient that a pattern finds in the source; unchanged where it finds none."""
        patient = find_patient(pattern, self.source)
        return replace(self, patient=patient, patient_known=True) if patient else self


def identify(path: Path, row: Mapping[str, str] | None = None, *, placeholder: str = "") -> Identity:
    """Tell whose image a file is, from its row of the manifest and from its name.

    Args:
        path: The image; only its name counts.
        row: Its row of the manifest, if there is one.
        placeholder: A patient of the manifest that is none, as `shared_placeholder` finds it.
    """
    row, stem = row or {}, image_stem(path)
    source = composed(row.get("source") or source_of(stem))
    names = {stem, source, source_of(stem), source_of(source)}
    if row.get("raw_file"):
        names.add(image_stem(Path(row["raw_file"])))
    recorded = composed(row.get("patient", "").strip())
    if (
        recorded == placeholder
        or _is_placeholder(recorded)
        or recorded.casefold() in map(str.casefold, names)
    ):
        recorded = ""
    patient = recorded or patient_of(source) or patient_of(stem)
    operation = row.get("operation", "")
    operation = "" if operation == "original" else operation
    return Identity(source, patient or source, bool(patient), operation or operation_of(stem) or "", row)


def _is_placeholder(patient: str) -> bool:
    if _NO_IDENTIFIER.fullmatch(patient):
        return True
    words = re.findall(r"[^\W_]+", patient.casefold())
    telling = [word for word in words if not _BESIDE_PLACEHOLDER.fullmatch(word)]
    return bool(_PLACEHOLDER.fullmatch("".join(words))) or (
        bool(telling) and all(map(_PLACEHOLDER.fullmatch, telling))
    )


class Identities:
    """Identities of the images and masks of a data set.

    Args:
        manifest: Its manifest; None where there is none, and names alone tell.
        root: Folder that the manifest's paths are relative to; None if that is unknown.
    """

    def __init__(self, manifest: Manifest | None = None, root: Path | None = None):
        rows = manifest.rows if manifest else []
        self.root = root.resolve() if root else None
        self._placeholder = shared_placeholder(rows)
        self._folders: dict[Path, Path] = {}
        self._by_file = {row[column]: row for column in ("mask", "file") for row in rows}
        self._by_stem: dict[str, list[Mapping[str, str]]] = {}
        for row in rows:
            for stem in {stem_of(Path(file)) for file in _files(row)}:
                self._by_stem.setdefault(stem, []).append(row)

    @classmethod
    def of_folder(cls, folder: Path | str) -> Identities:
        """Identities from the manifest of the data set that a folder of images or masks belongs to.

        Raises:
            DatasetError: if the manifest cannot be read.
        """
        root = find_root(folder)
        return cls(Manifest.read(root), root) if root else cls()

    @classmethod
    def of_manifest(cls, path: Path | str) -> Identities:
        """Identities from a manifest file, or from the data set folder that holds one.

        Raises:
            DatasetError: if there is none, or it is not named manifest.csv.
        """
        root = Path(path).parent if Path(path).is_file() else Path(path)
        manifest = Manifest.read(root)
        if manifest is None:
            raise DatasetError(f"no manifest at {path}: expected manifest.csv or a folder that holds it.")
        return cls(manifest, root)

    def of(self, path: Path) -> Identity:
        """Identity of an image, or of the image that a mask belongs to."""
        row = self._row(path)
        # A mask may be called otherwise than its image, whose name is the one that tells.
        is_mask = bool(row) and stem_of(Path(row["file"])) != stem_of(path)
        return identify(Path(row["file"]) if is_mask else path, row, placeholder=self._placeholder)

    def _row(self, path: Path) -> Mapping[str, str]:
        """The row of an image or mask file: by its path, else by its name where that leaves no choice."""
        # The folder alone is resolved: an image may be a link to a file elsewhere.
        if (folder := self._folders.get(path.parent)) is None:
            folder = self._folders[path.parent] = path.parent.resolve()
        full = folder / path.name
        rows = self._by_stem.get(stem_of(path), [])
        if self.root and full.is_relative_to(self.root):
            named = PurePosixPath(full.relative_to(self.root).as_posix())
            if row := self._by_file.get(str(named)):
                return row
            # The mask of an image of the same name, the image under another ending, or a bare file name.
            rows = [row for row in rows if _parts(row) & {named.parent.parent, None}]
        elif len(rows) > 1:
            rows = [row for row in rows if any(full.as_posix().endswith(f"/{file}") for file in _files(row))]
        return rows[0] if len(rows) == 1 else {}


def _files(row: Mapping[str, str]) -> list[str]:
    return [row[column] for column in ("file", "mask") if row.get(column)]


def _parts(row: Mapping[str, str]) -> set[PurePosixPath | None]:
    """Parts of the data set (`train` of `train/images/a.png`) that a row names; None for a bare file name."""
    paths = [PurePosixPath(file) for file in _files(row)]
    return {path.parent.parent if len(path.parts) > 1 else None for path in paths}


def shared_placeholder(rows: Iterable[Mapping[str, str]]) -> str:
    """The patient whom all images of a manifest share, if one person cannot have so many films; else ""."""
    patients = {row.get("source") or _source_by_name(row): row.get("patient", "").strip() for row in rows}
    shared = set(patients.values())
    return shared.pop() if len(shared) == 1 and len(patients) > _MOST_FILMS else ""


def _source_by_name(row: Mapping[str, str]) -> str:
    return source_of(image_stem(Path(row.get("file", ""))))


def doubtful_patients(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """What a manifest says of patients and cannot be relied on, a sentence each.

    Args:
        rows: Rows of manifests, with the columns `file` and `patient`.
    """
    recorded = Counter(row.get("patient", "").strip() for row in rows)
    shared = shared_placeholder(rows)
    doubts = [
        f"{count} images have the patient {patient!r}: a placeholder, not a person. They count as images of "
        "unknown patients; name the patients in the manifest, or with --patient-pattern."
        for patient, count in recorded.items()
        if patient and (patient == shared or _is_placeholder(patient))
    ]
    alike: dict[str, list[str]] = {}
    for patient in sorted(recorded):
        alike.setdefault(_spelled(patient), []).append(patient)
    for same in alike.values():
        if len(same) > 1:
            zeros = all(map(str.isdigit, same))
            doubts.append(
                f"the patients {' and '.join(same)} differ in "
                f"{'leading zeros alone. A table may have lost them' if zeros else 'spelling alone'}; they "
                "count as different patients until the manifest writes them alike."
            )
    return doubts


def _spelled(patient: str) -> str:
    """A patient without what tables change: capitals, blanks, leading zeros, the `.0` of a number."""
    plain = re.sub(r"^(\d+)\.0+$", r"\1", composed(patient).casefold())
    return re.sub(r"(?<!\d)0+(?=\d)", "", re.sub(r"[\s_-]+", "-", plain))


def patient_pattern(text: str) -> re.Pattern[str]:
    """Compile a user's expression that finds patients in names.

    Raises:
        ConfigError: if it is no regular expression, or longer than 200 characters.
    """
    if len(text) > _LONGEST_PATTERN:
        raise ConfigError(
            f"--patient-pattern has {len(text)} characters; at most {_LONGEST_PATTERN} are allowed."
        )
    try:
        return re.compile(text)
    except re.error as error:
        raise ConfigError(f"--patient-pattern {text!r} is no regular expression: {error}.") from error


def find_patient(pattern: re.Pattern[str], name: str) -> str:
    """The group `patient` of the match, else its first group, else all of it; "" where nothing matches."""
    match = pattern.search(name)
    if match is None:
        return ""
    groups = match.groupdict()
    return (groups["patient"] if "patient" in groups else match[1 if match.groups() else 0]) or ""
