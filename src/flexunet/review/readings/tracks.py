"""Tracks: which readers draw on one mask together."""

from __future__ import annotations

from urllib.parse import quote

SHARED, CONSENSUS = "", "consensus"
_OWN = "reader:"


def own_track(reader: str) -> str:
    """The track of one reader alone."""
    return f"{_OWN}{reader}"


def folder_of_track(track: str) -> str:
    """Name of the folder of a track, whatever the name of its reader.

    >>> folder_of_track(SHARED), folder_of_track(own_track("../ann"))
    ('shared', 'reader-%2E%2E%2Fann')
    """
    if not track.startswith(_OWN):
        return track or "shared"
    return f"reader-{quote(track.removeprefix(_OWN), safe='').replace('.', '%2E')}"
