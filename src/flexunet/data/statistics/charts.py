"""Charts and contact sheets of a data set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flexunet.data.images.contact_sheet import contact_sheet, overlays, shrink_picture, spread
from flexunet.data.images.files.read import read_picture
from flexunet.data.images.files.write import write_image
from flexunet.data.statistics.count import images_with_class
from flexunet.errors import counted, printable
from flexunet.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from flexunet.data.statistics.count import DatasetStatistics, ImageFacts

_CELL = 160
_LEVELS = 4
# Okabe-Ito: told apart by everyone, and of different brightness in print.
_COLORS = {"train": "#0072B2", "valid": "#E69F00", "test": "#009E73", "all": "#56B4E9"}


def write_charts(statistics: DatasetStatistics, out: Path) -> list[Path]:
    """Write `counts.png` (the published bar chart), `lesions.png` and `intensity.png`.

    With more classes than background and one other, `classes.png` shows each of them.
    """
    charts = {
        "counts": _counts(statistics),
        "lesions": _lesions(statistics),
        "intensity": _intensity(statistics),
    }
    if statistics.masks.color_map.num_classes > 2:
        charts["classes"] = _classes(statistics)
    paths = []
    for name, figure in charts.items():
        path = out / f"{name}.png"
        with replacing(path) as temporary:
            figure.savefig(temporary, format="png", dpi=100)
        paths.append(path)
    return paths


def write_sheets(statistics: DatasetStatistics, out: Path, most: int = 48) -> list[Path]:
    """Write `SPLIT_images.png`, `SPLIT_masks.png`, `SPLIT_overlays.png` of images spread over each split."""
    paths = []
    for split in statistics.splits:
        readable = [facts for facts in statistics.of_split(split) if not facts.problem]
        shown = [readable[position] for position in spread(len(readable), most)]
        if not shown:
            continue
        sheets = {
            "images": _images(shown),
            "masks": _masks(shown, statistics),
            "overlays": overlays(
                [(f.entry.stem, f.entry.image, f.entry.mask) for f in shown], statistics.masks, _CELL
            ),
        }
        for name, pictures in sheets.items():
            path = out / f"{split}_{name}.png"
            write_image(path, contact_sheet(pictures, cell=_CELL))
            paths.append(path)
    return paths


def _images(shown: list[ImageFacts]) -> Iterator[tuple[str, np.ndarray]]:
    for facts in shown:
        yield (
            facts.entry.stem,
            shrink_picture(read_picture(facts.entry.image), _CELL),
        )


def _masks(shown: list[ImageFacts], statistics: DatasetStatistics) -> Iterator[tuple[str, np.ndarray]]:
    for facts in shown:
        if facts.entry.mask is not None:
            mask = statistics.masks.lenient.read(facts.entry.mask)
            yield facts.entry.stem, shrink_picture(statistics.masks.color_map.colors(mask), _CELL)


def _figure(columns: int = 1) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4 * columns, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _counts(statistics: DatasetStatistics) -> Figure:
    """Images per split: with a lesion, without one, and those whose mask does not tell."""
    figure = _figure()
    axes = figure.subplots()
    splits = statistics.splits
    groups = [statistics.of_split(split) for split in splits]
    lesion = [sum(bool(facts.lesion_areas) for facts in group) for group in groups]
    unknown = [sum(not facts.class_pixels for facts in group) for group in groups]
    total = [len(group) for group in groups]
    colors = [_COLORS.get(split, "#999999") for split in splits]
    rest = [count - seen - dark for count, seen, dark in zip(total, lesion, unknown, strict=True)]
    axes.bar(splits, lesion, 0.6, color=colors, label="with a lesion")
    axes.bar(
        splits,
        rest,
        0.6,
        bottom=lesion,
        color=colors,
        alpha=0.45,
        hatch="//",
        edgecolor="white",
        label="without",
    )
    if any(unknown):
        known = [count - dark for count, dark in zip(total, unknown, strict=True)]
        axes.bar(
            splits, unknown, 0.6, bottom=known, color="white", edgecolor=colors, label="no readable mask"
        )
    for position, count in enumerate(total):
        axes.annotate(str(count), (position, count), ha="center", va="bottom", fontsize=11)
    axes.set_ylabel("images")
    axes.set_title(f"{printable(statistics.root.name)}: {sum(total)} images")
    axes.set_xlim(-0.7, len(splits) - 0.3)
    axes.set_ylim(0, 1.12 * max([*total, 1]))
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _lesions(statistics: DatasetStatistics) -> Figure:
    """How much of an image lesions cover, and how many there are."""
    from matplotlib.ticker import LogLocator, NullFormatter

    figure = _figure(2)
    share_axes, count_axes = figure.subplots(1, 2)
    groups = {split: statistics.of_split(split) for split in statistics.splits}
    shares = {
        split: [f.lesion_share * 100 for f in group if f.lesion_areas] for split, group in groups.items()
    }
    known = [share for values in shares.values() for share in values]
    if known:
        low, high = min(known), max(known)
        if high < 2 * low:  # an axis that differs in the third decimal alone would look like a spread
            low, high = (np.sqrt(low * high) * end for end in (np.sqrt(0.5), np.sqrt(2)))
        most_bins = 2 + 2 * int(np.sqrt(max(map(len, shares.values()))))
        bins = np.geomspace(low * 0.999, high * 1.001, min(25, most_bins + 1))
        for split, values in shares.items():
            if values:
                weights = np.full(len(values), 100 / len(values))
                color = _COLORS.get(split, "#999999")
                share_axes.hist(
                    values, bins, weights=weights, histtype="step", lw=2, color=color, label=split
                )
        share_axes.set_xscale("log")
        if high / low < 30:
            share_axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        share_axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        share_axes.xaxis.set_minor_formatter(NullFormatter())
    share_axes.set_xlabel("lesion area, % of the image")
    share_axes.set_ylabel("% of the images with a lesion")
    share_axes.set_title("area of all lesions of an image")
    most = max((len(f.lesion_areas) for f in statistics.images), default=0)
    highest = min(most, 8)
    width = 0.8 / max(1, len(groups))
    for number, (split, group) in enumerate(groups.items()):
        counts = np.bincount(
            [min(len(f.lesion_areas), highest) for f in group if f.entry.mask], minlength=highest + 1
        )
        heights = 100 * counts / max(1, counts.sum())
        position = np.arange(highest + 1) + (number - (len(groups) - 1) / 2) * width
        count_axes.bar(position, heights, width, color=_COLORS.get(split, "#999999"), label=split)
    labels = [str(number) for number in range(highest + 1)]
    labels[-1] += " or more" if most > highest else ""
    count_axes.set_xticks(range(highest + 1), labels)
    count_axes.set_xlabel("lesions in an image")
    count_axes.set_ylabel("% of the images")
    count_axes.set_title("lesions per image")
    _name_splits(figure, count_axes)
    for axes in (share_axes, count_axes):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _classes(statistics: DatasetStatistics) -> Figure:
    """Share of the image that each class above background covers, a point for each image that has it."""
    figure = _figure()
    axes = figure.subplots()
    classes, splits = statistics.masks.color_map.num_classes, statistics.splits
    names = [printable(name) for name in statistics.masks.color_map.foreground_names]
    for number, split in enumerate(splits):
        color = _COLORS.get(split, "#999999")
        shift = (number - (len(splits) - 1) / 2) * 0.8 / len(splits)
        points = [
            (value - 1 + shift, 100 * facts.class_pixels[value] / sum(facts.class_pixels))
            for facts in statistics.of_split(split)
            for value in range(1, len(facts.class_pixels))
            if facts.class_pixels[value]
        ]
        axes.scatter(*np.array(points or np.zeros((0, 2))).T, color=color, alpha=0.5, label=split)
    for value, count in enumerate(images_with_class(statistics.images, classes)[1:]):
        names[value] += f"\n{counted(count, 'image')}"
    axes.set_xticks(range(classes - 1), names)
    axes.set_xlim(-0.6, classes - 1.4)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("% of the image")
    axes.set_title("area of each class, in the images that have it")
    _name_splits(figure, axes)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _name_splits(figure: Figure, axes: Axes) -> None:
    """Tell the colours of the splits, where there are several."""
    handles, names = axes.get_legend_handles_labels()
    if len(names) > 1:
        figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False)


def _intensity(statistics: DatasetStatistics) -> Figure:
    """Grey levels of the splits, and mean grey level of image and lesion."""
    figure = _figure(2)
    level_axes, mean_axes = figure.subplots(1, 2)
    boxes, names = [], []
    for split in statistics.splits:
        group = [facts for facts in statistics.of_split(split) if not facts.problem]
        histogram = np.sum([facts.histogram for facts in group], axis=0) if group else np.zeros(256)
        color = _COLORS.get(split, "#999999")
        # Four levels at a time: files stretched to 8 bits skip single levels.
        levels = histogram.reshape(-1, _LEVELS).sum(axis=1) / max(1, histogram.sum()) * 100
        level_axes.plot(np.arange(_LEVELS / 2, 256, _LEVELS), levels, color=color, lw=1.8, label=split)
        means = [float((f.histogram * np.arange(256)).sum() / max(1, f.histogram.sum())) for f in group]
        boxes += [means, [f.lesion_grey for f in group if f.lesion_areas]]
        names += [f"{split}\nimages", f"{split}\nlesions"]
    level_axes.set_xlabel("grey level")
    level_axes.set_ylabel("% of the pixels")
    level_axes.set_yscale("log")
    level_axes.set_title("grey levels")
    _name_splits(figure, level_axes)
    shown = [(name, values) for name, values in zip(names, boxes, strict=True) if values]
    if shown:
        mean_axes.boxplot([values for _, values in shown], showfliers=True, flierprops={"markersize": 3})
        mean_axes.set_xticks(range(1, len(shown) + 1), [name for name, _ in shown])
    mean_axes.set_ylabel("mean grey level")
    mean_axes.set_title("brightness of images and lesions")
    for axes in (level_axes, mean_axes):
        axes.spines[["top", "right"]].set_visible(False)
    return figure
