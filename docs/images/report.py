"""Draws report-1280.jpg, report-1280-cases.jpg and report-400.jpg: the report of `flexunet demo`.

    flexunet demo demo
    python docs/images/report.py demo/run-mammogram/evaluation/report.html

Takes the pictures with Chromium, at 1280 pixels in two parts and at 400 pixels in columns side by side.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
TALL, FIRST, COLUMN, GAP, QUALITY = 9000, 2963, 1800, 15, 70


def photograph(page, width, folder):
    """The page at a width, as tall as it is: uint8 array `(H, width, 3)`."""
    frame, shot = folder / "frame.html", folder / "shot.png"
    # A window may not be as narrow as a frame in it.
    frame.write_text(
        f'<body style="margin:0"><iframe src="{page.resolve().as_uri()}" width="{width}" height="{TALL}" '
        'style="border:0"></iframe>'
    )
    browser = shutil.which("chromium") or shutil.which("google-chrome") or "chrome"
    options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--allow-file-access-from-files"]
    size = f"--window-size={max(width, 800)},{TALL}"
    subprocess.run([browser, *options, size, f"--screenshot={shot}", frame.as_uri()], check=True)  # noqa: S603
    picture = np.asarray(Image.open(shot).convert("RGB"))[:, :width]
    busy = (picture != picture[-1, 0]).any(axis=(1, 2))
    return picture[: np.flatnonzero(busy)[-1] + 30]


def columns(picture):
    """A long picture cut into columns that stand side by side."""
    count = -(-len(picture) // COLUMN)
    width = picture.shape[1] + GAP
    sheet = np.full((COLUMN, count * width - GAP, 3), 255, np.uint8)
    for number in range(count):
        part = picture[number * COLUMN : (number + 1) * COLUMN]
        sheet[: len(part), number * width : number * width + part.shape[1]] = part
    return sheet


def save(picture, name):
    """Write a picture beside this script."""
    Image.fromarray(picture).save(HERE / name, quality=QUALITY, optimize=True, progressive=True)


with tempfile.TemporaryDirectory() as name:
    wide = photograph(Path(sys.argv[1]), 1280, Path(name))
    save(wide[:FIRST], "report-1280.jpg")
    save(wide[FIRST : FIRST + 2200], "report-1280-cases.jpg")
    save(columns(photograph(Path(sys.argv[1]), 400, Path(name))), "report-400.jpg")
