"""Which files of two folders belong together: by name, never by order."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


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
    """

    partners: dict[Path, Path]
    alone: list[Path]
    strangers: list[Path]
    repeated: list[list[Path]]
    repeated_partners: list[list[Path]]
    ending: str = ""


def match_names(files: Sequence[Path], partners: Sequence[Path], ending: str | None = None) -> Matches:
    """Match files by stem. Where two share a stem, all of them are in `repeated`, and the last one counts.

    Args:
        files: Images, films or true masks.
        partners: Their masks.
        ending: What partners have after the stem of their file; None where `common_ending` is to find it.
    """
    if ending is None:
        ending = common_ending([path.stem for path in files], [path.stem for path in partners])
    named = _by_stem(partners, ending)
    by_stem = {stem: paths[-1] for stem, paths in named.items()}
    known = _by_stem(files)
    ordered = sorted(files, key=lambda path: (path.stem, path.name))
    return Matches(
        partners={path: by_stem[path.stem] for path in ordered if path.stem in by_stem},
        alone=[path for path in ordered if path.stem not in by_stem],
        strangers=[by_stem[stem] for stem in sorted(by_stem.keys() - known.keys())],
        repeated=[paths for paths in known.values() if len(paths) > 1],
        repeated_partners=[paths for paths in named.values() if len(paths) > 1],
        ending=ending,
    )


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
        cuts = [match.start() for match in re.finditer(r"[^0-9A-Za-z]", partner)]
        endings.update(partner[cut:] for cut in cuts if partner[:cut] in known)
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
        for cut in re.finditer(r"[_ -]", stem):
            by_part[stem[: cut.start()]].append(stem)
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
        named[path.stem.removesuffix(ending)].append(path)
    return named
