"""Crops of real films and phantoms: is a lesion lost, is the text gone, how fast.

    python benchmarks/crop.py [--data ../shared/data] [--out /tmp/flexunet-crop]

For each data set: lesion pixels outside of the crop or cleared with the labels, how many of those lie on
tissue, lesions that vanish when the mask is shrunk, text and scanner pixels still visible, sides told right,
films a second and processor seconds a film (one process, reading and writing included). Contact sheets to
look at go to --out.
"""

import argparse
import csv
import shutil
import time
from pathlib import Path

import cv2
import numpy as np

from flexunet.data.annotations.read import read_annotations
from flexunet.data.derive.crop import restore_mask
from flexunet.data.derive.film_masks import AnnotatedMasks, GivenMasks
from flexunet.data.derive.run import derive, list_films
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.contact_sheet import contact_sheet, overlays
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.read import read_mask
from flexunet.data.images.masks.reader import MaskReader
from flexunet.data.phantom.dataset import plan_films, write_raw_phantoms

BINARY = ColorMap.binary()
COLUMNS = ("lesion px", "lost", "on tissue", "lesions", "vanished", "marks px", "visible", "side wrong")
VISIBLE = 20  # grey levels: fainter than this, text cannot be read on the film


def count_lesions(truth, mask, row):
    """Connected areas of the film's mask, and how many of them have no pixel in the image's mask put back."""
    count, labels = cv2.connectedComponents((truth > 0).astype(np.uint8), connectivity=8)
    found = np.unique(labels[restore_mask(mask, row) > 0])
    return count - 1, count - 1 - np.count_nonzero(found)


def visible_pixels(out, row, marks):
    """Pixels of burned-in marks that the image still shows, counted on the film, and how many there were."""
    image = read_image(out / row["file"], channels=1)[..., 0]
    shown = restore_mask((image > VISIBLE).astype(np.uint8), row)
    return int(np.count_nonzero(shown[marks > 0])), int(np.count_nonzero(marks))


def measure(name, raw, out, masks, films, truth_of, marks_of, sides):
    """Derive one data set, count what was lost, and print a row."""
    shutil.rmtree(out, ignore_errors=True)
    start, cpu_start = time.perf_counter(), time.process_time()
    report = derive(raw, out, masks=masks, films=films, jobs=1)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    rows = report.manifest.rows
    total = dict.fromkeys(COLUMNS, 0)
    doubtful = []
    for row in rows:
        total["lesion px"] += int(row["raw_lesion_pixels"])
        total["lost"] += int(row["lost_lesion_pixels"])
        total["on tissue"] += int(row["lost_on_tissue"])
        if int(row["lost_lesion_pixels"]):
            doubtful.append(
                f"{row['source']} {row['lost_lesion_pixels']} ({row['lost_on_tissue']} on tissue)"
            )
        lesions, vanished = count_lesions(truth_of(row), read_mask(out / row["mask"], BINARY), row)
        total["lesions"] += lesions
        total["vanished"] += vanished
        marks = marks_of(row)
        if marks is not None:
            visible, marked = visible_pixels(out, row, marks)
            total["visible"] += visible
            total["marks px"] += marked
        total["side wrong"] += sides.get(row["source"], row["side"]) != row["side"]
    files = [(row["source"], out / row["file"], out / row["mask"]) for row in rows]
    for number in range(0, len(files), 84):
        sheet = contact_sheet(overlays(files[number : number + 84], MaskReader(), 150), columns=14, cell=150)
        write_image(out.parent / f"{name}_{number // 84}.png", sheet)
    left_out = ", ".join(Path(row["raw_file"]).stem for row in report.of_state("excluded")) or "none"
    print(
        f"{name:<16}{len(films):>6}{len(films) / seconds:>9.1f}{cpu / len(films):>10.3f}"
        + "".join(f"{value:>11}" for value in total.values())
    )
    print(f"    excluded: {left_out}; films with lost lesion pixels: {'; '.join(doubtful) or 'none'}")
    return total


def main():
    """Measure all data sets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--out", type=Path, default=Path("/tmp/flexunet-crop"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    print(
        f"{'data set':<16}{'films':>6}{'films/s':>9}{'CPU s/film':>10}"
        + "".join(f"{column:>11}" for column in COLUMNS)
    )

    csaw = options.data / "csaw_s_fullsize"
    films = list_films(csaw / "images")

    def csaw_text(row):
        return read_image(csaw / "annotations_all_classes" / f"{row['source']}_text.png", channels=1)[..., 0]

    def csaw_truth(row):
        return read_mask(csaw / "masks" / f"{row['source']}_cancer.png", BINARY)

    given = GivenMasks.find(csaw / "masks", films, MaskReader())
    measure("csaw_s_fullsize", csaw / "images", options.out / "csaw", given, films, csaw_truth, csaw_text, {})

    mias = options.data / "mini_mias_512"
    films = list_films(mias / "images")
    outlines = read_annotations(mias / "Info.txt")
    with (mias / "annotations.csv").open() as stream:
        sides = {row["image"]: row["side"][0].upper() for row in csv.DictReader(stream)}

    def mias_truth(row):
        return read_mask(mias / "masks" / f"{row['source']}.png", BINARY)

    source = AnnotatedMasks(outlines)
    measure(
        "mini_mias_512",
        mias / "images",
        options.out / "mias",
        source,
        films,
        mias_truth,
        lambda row: None,
        sides,
    )

    raw = options.out / "phantoms_raw"
    shutil.rmtree(raw, ignore_errors=True)
    shutil.rmtree(raw.with_name("phantoms_raw_masks"), ignore_errors=True)
    rows = write_raw_phantoms(raw, 25, seed=1).rows
    films = list_films(raw)
    planned = {film.name: film for film in plan_films(25, seed=1)}

    def phantom_truth(row):
        return read_mask(raw.with_name("phantoms_raw_masks") / f"{row['source']}.png", BINARY)

    def phantom_marks(row):
        film = planned[row["source"]]
        height, width = int(row["raw_height"]), int(row["raw_width"])
        rng = np.random.default_rng([film.seed, 6])
        film_height = height - round(height * rng.uniform(0.0, 0.06))
        film_width = min(round(film_height * rng.uniform(0.72, 0.85)), width)
        marks = np.zeros((height, width), np.uint8)
        top, left = (height - film_height) // 2, (width - film_width) // 2
        marks[top : top + film_height, left : left + film_width] = film.draw(
            film_width, film_height, True
        ).burned
        return marks

    given = GivenMasks.find(raw.with_name("phantoms_raw_masks"), films, MaskReader())
    sides = {row["source"]: row["side"] for row in rows}
    measure("phantoms", raw, options.out / "phantoms", given, films, phantom_truth, phantom_marks, sides)
    print(f"contact sheets: {options.out}/*.png")


if __name__ == "__main__":
    main()
