"""`flexunet stats`: what a data set holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flexunet.cli.colors import ColorsFrom, RgbMap, chosen_masks
from flexunet.cli.console import console, print_json, print_notes, progress
from flexunet.cli.options import AsJson

if TYPE_CHECKING:
    from flexunet.data.statistics.count import DatasetStatistics


def stats(
    dataset: Annotated[
        Path, typer.Argument(metavar="DATASET", help="Folder of images and masks, in any known layout.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder for charts and contact sheets. Default: DATASET/statistics.")
    ] = None,
    config_path: ColorsFrom = None,
    rgb_map: RgbMap = None,
    pictures: Annotated[bool, typer.Option(help="Draw charts and contact sheets.")] = True,
    as_json: AsJson = False,
) -> None:
    """Count images and lesions, and draw charts and contact sheets of a data set."""
    from flexunet.data.statistics.count import measure_dataset
    from flexunet.data.statistics.write import write_statistics

    with progress() as shown:
        statistics = measure_dataset(
            dataset,
            chosen_masks(config_path, rgb_map),
            progress=shown,
        )
    written = write_statistics(statistics, out or dataset / "statistics") if pictures else []
    if as_json:
        print_json(statistics.summary() | {"written": [str(path) for path in written]})
    else:
        _print_tables(statistics)
    print_notes(statistics.notes)
    if written and not as_json:
        console.print(f"look at {written[0].parent}", highlight=False, soft_wrap=True)


def _print_tables(statistics: DatasetStatistics) -> None:
    from rich.table import Table

    document = statistics.summary()["splits"]
    table = Table(title=str(statistics.root), title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    for split in document:
        table.add_column(split, justify="right")
    rows = {
        "images": "images",
        "of them originals": "originals",
        "sources": "sources",
        "known patients": "patients",
        "images of unknown patients": "images_of_unknown_patients",
        "without mask": "without_mask",
        "unreadable": "unreadable",
        "with a lesion": "images_with_lesion",
        "empty mask": "images_with_empty_mask",
        "lesions": "lesions",
    }
    for title, key in rows.items():
        table.add_row(title, *(str(figures[key]) for figures in document.values()))
    names = statistics.masks.color_map.foreground_names
    for value, name in enumerate(names if len(names) > 1 else [], start=1):
        table.add_row(f"{name}, images", *(_of_class(each, value) for each in document.values()))
        shares = (_share(each, value) for each in document.values())
        table.add_row(f"{name}, % of the pixels", *shares)
    areas = (_percent(figures["lesion_share_of_image"]) for figures in document.values())
    table.add_row("area of all lesions of an image, median %", *areas)
    table.add_row("grey level, mean", *(_grey(figures["grey"]) for figures in document.values()))
    table.add_row("sizes", *(_sizes(figures["sizes"]) for figures in document.values()))
    console.print(table)


def _percent(figures: dict[str, float] | None) -> str:
    return f"{figures['median'] * 100:.3g}" if figures else "-"


def _of_class(figures: dict[str, Any], value: int) -> str:
    counts = figures["images_with_class"]
    return str(counts[value]) if value < len(counts) else "-"


def _share(figures: dict[str, Any], value: int) -> str:
    shares = figures["class_share_of_pixels"]
    return f"{100 * shares[value]:.3g}" if value < len(shares) else "-"


def _grey(figures: dict[str, float] | None) -> str:
    return f"{figures['mean']:.1f}" if figures else "-"


def _sizes(sizes: dict[str, int]) -> str:
    first = next(iter(sizes), "-")
    return f"{first} and {len(sizes) - 1} more" if len(sizes) > 1 else first
