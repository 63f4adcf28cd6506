"""Several files of one case as the channels of one image, such as a low-energy film and its subtraction."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from flexunet.data.derive.film_masks import RawFilm
from flexunet.data.images.files.names import image_stem
from flexunet.errors import ConfigError, ImageError


def join_channels(films: Sequence[RawFilm], words: Sequence[str]) -> tuple[list[RawFilm], list[str]]:
    """Films of one case, told by words in their names, as one film with channels.

    `P1_L_DM_CC` and `P1_L_CM_CC` are one case by the words DM and CM; views without such words stay apart.
    Name, mask and facts of the case are those of the file with the first word.

    Args:
        films: The films.
        words: The word of each channel in names, in order.

    Returns:
        The cases, and the names of films whose case lacks a channel.

    Raises:
        ConfigError: if there are fewer than two words, or no name has the first one.
    """
    if len(set(words)) < 2 or len(set(words)) < len(words) or not all(words):
        raise ConfigError(
            f"--channels: expected two words or more, such as DM,CM, found {','.join(words)!r}."
        )
    by_place: dict[tuple[str, str], RawFilm] = {}
    for film in films:
        for word in words:
            place, count = _pattern(word).subn("\0", image_stem(film.path))
            if count == 1:
                by_place[place, word] = film
    first = [(place, film) for (place, word), film in by_place.items() if word == words[0]]
    if not first:
        raise ConfigError(
            f"--channels: no film has the word {words[0]!r} in its name, for example not "
            f"{films[0].path.name}. Words stand between characters that are no letters and no digits."
        )
    cases, missing = [], {film.name for film in films}
    for place, film in first:
        others = [by_place.get((place, word)) for word in words[1:]]
        if None not in others:
            cases.append(replace(film, channels=tuple(other.path for other in others if other)))
            missing -= {film.name, *(other.name for other in others if other)}
    return cases, sorted(missing)


def stack_channels(films: Sequence[np.ndarray], paths: Sequence[Path]) -> np.ndarray:
    """Films as one, channel after channel: uint8 or uint16 `(H, W, C)`; 8 bits are stretched beside 16.

    Raises:
        ImageError: if they differ in size.
    """
    for film, path in zip(films, paths, strict=True):
        if film.shape[:2] != films[0].shape[:2]:
            raise ImageError(
                f"{path} has {film.shape[1]} x {film.shape[0]} pixels, {paths[0]} has {films[0].shape[1]} x "
                f"{films[0].shape[0]}; channels of one image have one size."
            )
    if any(film.dtype == np.uint16 for film in films):
        films = [film if film.dtype == np.uint16 else film.astype(np.uint16) * 257 for film in films]
    return np.concatenate(films, axis=2)


def _pattern(word: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])")
