"""How commands that need no run are told the colours of the masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flexunet.cli.configuration import open_config

if TYPE_CHECKING:
    from flexunet.data.images.color_map import ColorMap

RgbMap = Annotated[
    str | None,
    typer.Option(
        "--rgb-map",
        help="Class of each mask colour: '{(0,0,0): 0, (255,255,255): 1}' or '#000000=0,#ffffff=1'.",
    ),
]
ColorsFrom = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Configuration whose mask colours are used.")
]


def chosen_colors(config_path: Path | None, rgb_map: str | None) -> ColorMap | None:
    """Colour map from `--rgb-map`, else from the configuration, else None."""
    if rgb_map:
        from flexunet.evaluation.folders import parse_rgb_map

        return parse_rgb_map(rgb_map)
    if config_path:
        from flexunet.data.configured import color_map

        return color_map(open_config(config_path))
    return None
