"""Draws architecture.svg: the way of data through the rooms of the house. Run it from anywhere."""

from html import escape
from pathlib import Path

WIDTH, HEIGHT = 830, 545
INK, LINE = "#1d2733", "#5b6b7c"
# Fill by kind: what people bring, rooms of code, what is written.
FILLS = {"given": "#fdf0d5", "room": "#dbe9f6", "written": "#e3f1e1"}

# name: (x, y, width, kind, title, what it does)
BOXES = {
    "films": (20, 70, 160, "given", "raw films", "DICOM, PNG, JPEG, TIFF"),
    "outlines": (20, 170, 160, "given", "outlines, tables", "COCO, YOLO, SEG, CSV"),
    "derive": (230, 70, 160, "room", "data: derive", "crop to the breast"),
    "split": (440, 70, 160, "room", "data: split", "patients apart"),
    "audit": (440, 170, 160, "room", "data: audit", "leaks, bad masks"),
    "dataset": (650, 70, 160, "written", "data set", "images, masks, manifest"),
    "review": (230, 170, 160, "room", "review", "people correct and sign"),
    "planning": (650, 170, 160, "room", "planning: init", "a reason a line"),
    "config": (650, 270, 160, "written", "configuration", "one TOML file"),
    "training": (440, 270, 160, "room", "training", "batches, losses, models"),
    "run": (230, 270, 160, "written", "run folder", "weights, curves, seed"),
    "evaluation": (20, 370, 160, "room", "evaluation", "scores, intervals"),
    "report": (20, 470, 160, "written", "report", "verdict, model card"),
    "inference": (230, 370, 160, "room", "inference", "tiles, ensembles"),
    "masks": (230, 470, 160, "written", "masks, lesions", "PNG, CSV, DICOM SEG"),
    "deployment": (440, 370, 160, "room", "deployment", "ONNX, OpenVINO, LiteRT"),
    "export": (440, 470, 160, "written", "export", "with parity report"),
    "serve": (650, 370, 160, "room", "serve", "HTTP, on this machine"),
    "new": (650, 470, 160, "given", "new films", "from the clinic"),
}
BOX_HEIGHT = 56
# Ways of several turns: outlines to derive, reviewed masks to split, a run to its exports and its service.
WAYS = ["M180 198H205V110H230", "M390 198H415V110H440", "M350 326V348H520V370", "M350 348H730V370"]
# From, its side, to, its side.
ARROWS = [
    ("films", "right", "derive", "left"),
    ("derive", "right", "split", "left"),
    ("derive", "bottom", "review", "top"),
    ("split", "right", "dataset", "left"),
    ("dataset", "bottom", "planning", "top"),
    ("split", "bottom", "audit", "top"),
    ("planning", "bottom", "config", "top"),
    ("config", "left", "training", "right"),
    ("training", "left", "run", "right"),
    ("run", "bottom", "inference", "top"),
    ("run", "left", "evaluation", "top"),
    ("evaluation", "bottom", "report", "top"),
    ("inference", "bottom", "masks", "top"),
    ("inference", "left", "evaluation", "right"),
    ("deployment", "bottom", "export", "top"),
    ("new", "top", "serve", "bottom"),
]


def side(name, where):
    """The middle of a side of a box."""
    x, y, width, *_ = BOXES[name]
    return {
        "left": (x, y + BOX_HEIGHT / 2),
        "right": (x + width, y + BOX_HEIGHT / 2),
        "top": (x + width / 2, y),
        "bottom": (x + width / 2, y + BOX_HEIGHT),
    }[where]


def arrow(start, start_side, end, end_side):
    """A line with a head; it turns once where it leaves and arrives in different directions."""
    (x1, y1), (x2, y2) = side(start, start_side), side(end, end_side)
    turn = f"H{x2:g}" if start_side.startswith(("left", "right")) and end_side in {"top", "bottom"} else ""
    return way(f"M{x1:g} {y1:g}{turn}L{x2:g} {y2:g}")


def way(path):
    """A line with a head."""
    drawn = f'fill="none" stroke="{LINE}" stroke-width="2" marker-end="url(#head)"'
    return f'<path d="{path}" {drawn}/>'


def box(x, y, width, kind, title, about):
    """A box with two lines of text."""
    middle = x + width / 2
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{BOX_HEIGHT}" rx="6" '
        f'fill="{FILLS[kind]}" stroke="{LINE}"/>'
        f'<text x="{middle:g}" y="{y + 24}" font-weight="600">{escape(title)}</text>'
        f'<text x="{middle:g}" y="{y + 43}" font-size="12.5">{escape(about)}</text>'
    )


def key():
    """What the colours mean."""
    words = {"given": "brought by people", "room": "a room of the code", "written": "written to disk"}
    return "".join(
        f'<rect x="{20 + 210 * place}" y="24" width="18" height="18" rx="3" '
        f'fill="{FILLS[kind]}" stroke="{LINE}"/>'
        f'<text x="{46 + 210 * place}" y="38" text-anchor="start">{word}</text>'
        for place, (kind, word) in enumerate(words.items())
    )


def drawing():
    """The whole drawing as SVG."""
    head = (
        '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" '
        'markerWidth="8" markerHeight="8" orient="auto">'
        f'<path d="M0 0L10 5L0 10z" fill="{LINE}"/></marker></defs>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="sans-serif" font-size="15" fill="{INK}" text-anchor="middle">'
        f"<title>The way of data through FlexUNet</title>{head}"
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>{key()}'
        + "".join(map(way, WAYS))
        + "".join(arrow(*each) for each in ARROWS)
        + "".join(box(*each) for each in BOXES.values())
        + "</svg>\n"
    )


if __name__ == "__main__":
    Path(__file__).with_suffix(".svg").write_text(drawing(), encoding="utf-8")
