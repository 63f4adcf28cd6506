"""How commands that need no run are told the colours of the masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flexunet.cli.configuration import open_config

if TYPE_CHECKING:
    from flexunet.config.schema import Config
    from flexunet.data.images.masks.reader import MaskReader

RgbMap = Annotated[
    str | None,
    typer.Option(
        "--rgb-map",
        help="Class of each mask colour: '{(0,0,0): 0, (255,255,255): 1}' or '#000000=0,#ffffff=1'. "
        "Default: guessed from the masks.",
    ),
]
ColorsFrom = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Configuration whose mask colours are used.")
]


def chosen_masks(config_path: Path | None, rgb_map: str | None) -> MaskReader | None:
    """How masks are read: by the configuration, with the colours of `--rgb-map`; None to guess."""
    return masks_of(open_config(config_path) if config_path else None, rgb_map)


def masks_of(config: Config | None, rgb_map: str | None) -> MaskReader | None:
    """The same for a configuration that is open already."""
    if not config and not rgb_map:
        return None
    from dataclasses import replace

    from flexunet.data.configured import mask_reader
    from flexunet.data.images.color_map import RGB_MAP_OPTION, ColorMap, parse_rgb_map
    from flexunet.data.images.masks.reader import MaskReader

    reader = mask_reader(config) if config else MaskReader()
    if not rgb_map:
        return reader
    colors = ColorMap(parse_rgb_map(rgb_map).colors_to_class, reader.color_map.ignore)
    return replace(reader, color_map=colors, setting=RGB_MAP_OPTION)
