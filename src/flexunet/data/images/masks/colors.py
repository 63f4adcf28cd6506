"""Colours of a mask picture that its map lacks: shades that stand for an entry, and those that do not fit."""

import cv2
import numpy as np

from flexunet.data.images.color_map import GUESSED, RGB_MAP_OPTION, Color, ColorMap

FAR = 48  # Euclidean distance in RGB beyond which a colour counts as off the map
TOLERANCE = 0.05  # share of pixels that may be off the map: antialiased edges, JPEG blocks
FLAT_AREA = 16  # pixels of one strange colour, their neighbours too: less is taken for an edge


def fit_colors(picture: np.ndarray, color_map: ColorMap) -> ColorMap:
    """The map as a picture uses it: with its darker or paler colours of an entry's hue, each as that class.

    Two shades of one entry in one picture are two classes, of which the map lacks one: then the map is
    returned as it is, and so it is where nothing is to be added.

    Args:
        picture: uint8 `(H, W)` or `(H, W, 3)`.
        color_map: Colours of the classes.
    """
    if picture.ndim == 2:
        return color_map
    off = color_map.distance(picture) > FAR**2
    if not off.any():
        return color_map
    colors, counts = np.unique(picture[flat_pixels(picture, off)].reshape(-1, 3), axis=0, return_counts=True)
    colors = colors[np.argsort(-counts, kind="stable")].astype(np.int32)
    counts = np.sort(counts)[::-1]
    added: dict[Color, Color] = {}
    while len(colors):
        near = ((colors - colors[0]) ** 2).sum(axis=1) <= FAR**2  # JPEG spreads one colour over many
        color = tuple(colors[0].tolist())
        entry = color_map.entry_by_hue(color) if counts[near].sum() >= FLAT_AREA else None
        if entry is not None:
            if entry in added.values() or np.count_nonzero((picture == entry).all(axis=2)) >= FLAT_AREA:
                return color_map
            added[color] = entry
        colors, counts = colors[~near], counts[~near]
    if not added:
        return color_map
    known = color_map.colors_to_class
    return color_map.with_colors({color: known[entry] for color, entry in added.items()})


def strange_colors(
    picture: np.ndarray,
    mask: np.ndarray,
    distances: np.ndarray,
    color_map: ColorMap,
    tolerance: float,
    setting: str,
) -> str:
    """A sentence on pixels, many or in flat areas of the objects, that are far from every colour; "" if none.

    Antialiased and JPEG edges are thin and vary from pixel to pixel; a class that the map lacks fills areas.

    Args:
        picture: uint8 `(H, W)` or `(H, W, 3)`.
        mask: Its class indices, those of the nearest colours.
        distances: Squared distances to these colours.
        color_map: Colours of the classes.
        tolerance: Share of pixels that may be far; 1 accepts all.
        setting: Where the user gives the colours.
    """
    off = distances > FAR**2
    if tolerance >= 1 or not off.any():
        return ""
    flat = flat_pixels(picture, off)
    background = int(np.bincount(mask.ravel()).argmax())
    objects = np.count_nonzero((mask != background) | off)
    count, flat_count = np.count_nonzero(off), np.count_nonzero(flat)
    if count <= tolerance * off.size and (flat_count < FLAT_AREA or flat_count <= tolerance * objects):
        return ""
    strange, counts = np.unique(picture[flat if flat_count else off], axis=0, return_counts=True)
    color = tuple(int(value) for value in np.resize(strange[counts.argmax()], 3))
    expected = ", ".join(str(color) for color in color_map.colors_to_class)
    remedy = f"Add the colour to {setting}"
    if setting == GUESSED:
        colors = color_map.colors_to_class | {color: color_map.num_classes}
        given = ",".join(f"#{bytes(each).hex()}={index}" for each, index in colors.items())
        remedy = f"If it is a class, give all colours, such as {RGB_MAP_OPTION} '{given}'"
    return (
        f"{count / off.size:.2%} of its pixels are far from every colour of {setting}, most often "
        f"{color}. Expected {expected}. {remedy}, or correct the mask."
    )


def flat_pixels(picture: np.ndarray, off: np.ndarray) -> np.ndarray:
    """Pixels of `off` whose neighbours all have their colour, boolean `(H, W)`."""
    packed = picture.astype(np.float32)
    if picture.ndim == 3:
        packed = packed @ np.array([65536, 256, 1], np.float32)  # one exact number a colour
    kernel = np.ones((3, 3), np.uint8)
    return off & (cv2.dilate(packed, kernel) == cv2.erode(packed, kernel))
