"""The public data sets that are read as they were downloaded: a row each, and which one a download is.

collection = identify_collection(download)
contents = collection.read(download)
"""

from __future__ import annotations

from flexunet.data.collections.collection import Collection
from flexunet.data.collections.download import Download
from flexunet.data.collections.labelled import cmmd, embed, mastery, rsna, vindr_mammo
from flexunet.data.collections.outlined import (
    bcdr,
    bus_bra,
    busi,
    cbis_ddsm,
    cdd_cesm,
    csaw_s,
    curated,
    ddsm,
    dmid,
    inbreast,
    mias,
    mini_mias,
    nnunet,
)
from flexunet.errors import ConfigError, DatasetError

_MODULES = (
    inbreast,
    cbis_ddsm,
    cdd_cesm,
    mini_mias,
    mias,
    csaw_s,
    bcdr,
    ddsm,
    dmid,
    curated,
    busi,
    bus_bra,
    mastery,
    cmmd,
    rsna,
    vindr_mammo,
    embed,
    nnunet,
)
COLLECTIONS: dict[str, Collection] = {module.ROW.name: module.ROW for module in _MODULES}
AUTO = "auto"
_STRAY = 0.1  # of the files of the set that has most: less is a stray


def find_collection(name: str) -> Collection:
    """The row of a data set.

    Raises:
        ConfigError: if there is none of this name.
    """
    if name.casefold() not in COLLECTIONS:
        raise ConfigError(f"no data set is called {name!r}: expected {AUTO}, {', '.join(COLLECTIONS)}.")
    return COLLECTIONS[name.casefold()]


def open_collection(download: Download, name: str = AUTO) -> Collection:
    """The data set that a download is, recognised by its files, or the one asked for.

    Raises:
        ConfigError: if there is no data set of this name.
        DatasetError: if the download is none, or of another set than asked for, or of several.
    """
    counts = {row.name: len(download.matching(row.signature)) for row in COLLECTIONS.values()}
    likely = sorted((row for row in counts if counts[row]), key=lambda row: -counts[row])
    likely = [row for row in likely if counts[row] >= _STRAY * counts[likely[0]]]
    looks = " and ".join(COLLECTIONS[row].title for row in likely)
    if name != AUTO:
        wanted = find_collection(name)
        if counts[wanted.name]:
            return wanted
        raise DatasetError(
            f"{download.root} is no download of {wanted.title}: expected {wanted.layout}. It looks like "
            + (f"{looks} (--dataset {likely[0]})." if likely else "no data set that is known.")
        )
    if not likely:
        raise DatasetError(
            f"{download.root} looks like no data set that is known ({', '.join(COLLECTIONS)}; `flexunet "
            "datasets` tells of each). Give masks or outlines with --masks or --annotations."
        )
    if len(likely) > 1:
        raise DatasetError(
            f"{download.root} looks like {looks}. Give the folder of one of them, or name it with --dataset."
        )
    return COLLECTIONS[likely[0]]
