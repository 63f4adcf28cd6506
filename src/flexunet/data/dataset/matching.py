"""Which files of two folders belong together: by name, never by order."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flexunet.data.images.files.names import MASK_SUFFIXES, composed, image_stem

# What data sets add to the names of images and of their masks, as DRIVE does: `21_training`, `21_manual1`.
_IMAGE_WORD = r"[ _.-](training|test|image|images|img|original|\d{4})"
_MASK_WORD = r"[ _.-](1st_manual|manual\d*|mask|seg|segmentation|gt|groundtruth|label|annotation|lesion)"
_BESIDE = r"[ _.-](masks?|seg|segmentation|gt|groundtruth|label)"
_NUMBER = r"[ _.-]?\d{1,2}"


@dataclass(frozen=True)
class Matches:
    """Files (images, films or true masks) and their partners (masks or predicted masks).

    Attributes:
        partners: Partner of each file that has one, sorted by name of the file.
        alone: Files without a partner.
        strangers: Partners of no file.
        repeated: Files that share a name, each name once.
        repeated_partners: Partners that share a name.
        ending: What the name of a partner has after that of its file (`_mask`).
        file_ending: What the name of a file has after that of its partner (`_0000`), which then lacks it.
    """

    partners: dict[Path, Path]
    alone: list[Path]
    strangers: list[Path]
    repeated: list[list[Path]]
    repeated_partners: list[list[Path]]
    ending: str = ""
    file_ending: str = ""

    @property
    def further(self) -> dict[Path, list[Path]]:
        """Partners of no file that look like a second one of a file: `a_mask_1` beside its `a_mask`."""
        by_stem = {stem_of(partner): file for file, partner in self.partners.items()}
        found: dict[Path, list[Path]] = defaultdict(list)
        for stranger in self.strangers:
            stem = re.sub(f"{_NUMBER}$", "", stem_of(stranger))
            if stem in by_stem:
                found[by_stem[stem]].append(stranger)
        return dict(found)

    @property
    def hint(self) -> str:
        """What the names of those that are alone have in common, a sentence; "" if nothing is seen."""
        for file, more in self.further.items():
            name = more[0].name
            return f"{name} looks like a second mask of {file.name}: unite the masks of an image in one file."
        begun: dict[str, list[str]] = defaultdict(list)
        for file in self.alone:
            for start in _starts(stem_of(file)):
                begun[start].append(file.name)
        for stranger in self.strangers:
            if len(names := begun.get(stem_of(stranger), [])) > 1:
                return (
                    f"{listed(names, 3, ' and ')} are {len(names)} images of the mask {stranger.name}: "
                    "keep one image (channel) a mask."
                )
        if begin := self._beginning:
            return f"These masks begin with {begin}: rename them so that an image and its mask have one name."
        ends = [_shared_ending(list(map(stem_of, paths))) for paths in (self.alone, self.strangers)]
        if len(self.alone) > 1 and len(self.strangers) > 1 and any(ends):
            told = [
                f"{what} {f'end in {end}' if end else 'have no common ending'}"
                for what, end in zip(("images", "masks"), ends, strict=True)
            ]
            return (
                f"These {told[0]}, these {told[1]}: rename them so that an image and its mask have one name."
            )
        return ""

    @property
    def _beginning(self) -> str:
        """What most partners that are alone have before the name of a file that is alone, as `mask_`."""
        known = set(map(stem_of, self.alone))
        counts = Counter(
            name[: cut + 1]
            for name in map(stem_of, self.strangers)
            for cut in _cuts(name)
            if name[cut + 1 :] in known
        )
        best = counts.most_common(1)
        return best[0][0] if best and 2 * best[0][1] > len(self.strangers) else ""


def match_names(files: Sequence[Path], partners: Sequence[Path], ending: str | None = None) -> Matches:
    """Match files by stem. Where two share a stem, all of them are in `repeated`, and the last one counts.

    Args:
        files: Images, films or true masks.
        partners: Their masks.
        ending: What partners have after the stem of their file; None where what either has is to be found.
    """
    file_ending = ""
    if ending is None:
        stems, others = [stem_of(path) for path in files], [stem_of(path) for path in partners]
        ending = common_ending(stems, others)
        if not ending and not set(stems) & set(others):
            ending, file_ending = _both_endings(stems, others)
    named = _by_stem(partners, ending)
    by_stem = {stem: paths[-1] for stem, paths in named.items()}
    known = _by_stem(files, file_ending)
    stem_by_file = {path: stem for stem, paths in known.items() for path in paths}
    ordered = sorted(files, key=lambda path: (stem_of(path), path.name))
    return Matches(
        partners={path: by_stem[stem_by_file[path]] for path in ordered if stem_by_file[path] in by_stem},
        alone=[path for path in ordered if stem_by_file[path] not in by_stem],
        strangers=[by_stem[stem] for stem in sorted(by_stem.keys() - known.keys())],
        repeated=[paths for paths in known.values() if len(paths) > 1],
        repeated_partners=[paths for paths in named.values() if len(paths) > 1],
        ending=ending,
        file_ending=file_ending,
    )


def masks_among(paths: Sequence[Path], suffix: str = "") -> list[Path]:
    """Files that are masks of others in the same folder: `a_mask.png` and `a_mask_1.png` of `a.png`.

    Args:
        paths: Images and, perhaps, masks.
        suffix: What masks have after the name of their image; usual words when left out.
    """
    names = {(path.parent, stem_of(path)) for path in paths}
    ending = re.compile(f"({re.escape(suffix) if suffix else _BESIDE})({_NUMBER})?", re.I)

    def is_mask(path: Path) -> bool:
        stem = stem_of(path)
        return any(
            (path.parent, stem[:cut]) in names and ending.fullmatch(stem[cut:]) for cut in range(1, len(stem))
        )

    return [path for path in paths if is_mask(path)]


def stem_of(path: Path) -> str:
    """Name of an image or a mask without its suffix; DICOM files named by a UID have none to lose."""
    return composed(path.stem) if path.suffix.lower() in MASK_SUFFIXES else image_stem(path)


def suffix_of(path: Path) -> str:
    """What `stem_of` takes off."""
    return composed(path.name).removeprefix(stem_of(path))


def _both_endings(stems: Sequence[str], others: Sequence[str]) -> tuple[str, str]:
    """What masks and images have after the name that they share: nnU-Net adds to images, DRIVE to both.

    An ending serves all files. Where both have one, they are words that are known to mean image and mask:
    `a_left` and `a_right` are no pair.
    """
    file_ending = common_ending(others, stems)
    if file_ending and all(stem.endswith(file_ending) for stem in stems):
        return "", file_ending
    ends = [_shared_ending(names) for names in (stems, others)]
    if re.fullmatch(_IMAGE_WORD, ends[0], re.I) and re.fullmatch(_MASK_WORD, ends[1], re.I):
        shared = {stem.removesuffix(ends[0]) for stem in stems} & {
            other.removesuffix(ends[1]) for other in others
        }
        if 2 * len(shared) > min(len(stems), len(others)):
            return ends[1], ends[0]
    return "", ""


def _shared_ending(names: Sequence[str]) -> str:
    """The longest ending that all names have, from a sign on that is neither letter nor digit."""
    if not names:
        return ""
    shared = names[0]
    for name in names[1:]:
        while not name.endswith(shared):
            shared = shared[1:]
    return next((shared[cut:] for cut in _cuts(shared) if all(name != shared[cut:] for name in names)), "")


def _cuts(name: str) -> list[int]:
    """Where an ending may begin."""
    return [match.start() for match in re.finditer(r"[^0-9A-Za-z]", name)]


def _starts(name: str) -> list[str]:
    """What may stand before an ending."""
    return [name[:cut] for cut in _cuts(name)]


def common_ending(stems: Iterable[str], partners: Sequence[str]) -> str:
    """The one ending that most partners have after the stem of their file; "" if there is none.

    An ending begins with neither letter nor digit: 11 is not file 1 with the ending 1. There is none where a
    partner has the plain name of a file, or where no ending serves more than half of files or partners.
    """
    known = set(stems)
    if known & set(partners):
        return ""
    endings: Counter[str] = Counter()
    for partner in partners:
        endings.update(partner[cut:] for cut in _cuts(partner) if partner[:cut] in known)
    best = endings.most_common(2)
    enough = min(len(known), len(partners)) / 2
    if not best or best[0][1] <= enough or (len(best) == 2 and best[1][1] == best[0][1]):
        return ""
    return best[0][0]


def names_of_films(names: Iterable[str], stems: Iterable[str]) -> dict[str, str]:
    """The stem of the film that each name of a table or an annotation means, as far as it means one.

    A name is that of the film itself. Where no name is, each may be the first part of the film's: INbreast
    calls `20586908_6c613a14b80a8591_MG_R_CC_ANON.dcm` 20586908. One that begins several names means none,
    nor do two that mean one film.
    """
    known, wanted = set(stems), list(dict.fromkeys(names))
    if exact := {name: name for name in wanted if name in known}:
        return exact
    by_part: dict[str, list[str]] = defaultdict(list)
    for stem in known:
        for start in _starts(stem):
            by_part[start].append(stem)
    meant = {name: by_part[name][0] for name in wanted if len(by_part.get(name, ())) == 1}
    counts = Counter(meant.values())
    return {name: stem for name, stem in meant.items() if counts[stem] == 1}


def listed(names: Sequence[str], most: int = 5, separator: str = ", ") -> str:
    """Names joined, the first few of many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return separator.join(names[:most]) + more


def _by_stem(paths: Sequence[Path], ending: str = "") -> dict[str, list[Path]]:
    named: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        named[stem_of(path).removesuffix(ending)].append(path)
    return named
