"""The page of the epochs: what it says of masks drawn by hand, and what it does in a browser."""

import base64
import html
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from flexunet.curves import SMALL, curve_chart, curve_names
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.write import write_mask
from flexunet.training.follow.gallery import Gallery, outlined, strip_epochs

COLORS = ColorMap({(0, 0, 0): 0, (255, 255, 255): 1, (255, 0, 0): 2})
FIGURES = {
    "dice_coef_foreground": [0.1, 0.4, 0.5],
    "loss": [0.9, 0.5, 0.7],
    "lr": [1e-3, 1e-3, 1e-4],
    "val_loss": [1.0, float("nan"), 0.8],
}
UNKIND = "<img src=x onerror=alert(1)>.png"


@pytest.fixture
def folder(tmp_path):
    """Two images, and masks of three epochs: the second mask of the second image is missing."""
    for name in ("film.png", UNKIND):
        write_image(tmp_path / "images" / name, np.full((50, 40, 3), 90, np.uint8))
    squares = [(0, 0), (10, 20), (10, 15)]  # first row and end of the mask of the first image
    for epoch, (top, bottom) in enumerate(squares, 1):
        mask = np.zeros((50, 40), np.uint8)
        mask[top:bottom, 5:25] = 1
        write_mask(tmp_path / f"Epoch_{epoch}_film.png", mask, COLORS)
        mask[40:44, 30:34] = 2
        if epoch != 2:
            write_mask(tmp_path / f"Epoch_{epoch}_{UNKIND}", mask, COLORS)
    return tmp_path


def written(folder, best=3, **options):
    images = [folder / "images" / "film.png", folder / "images" / UNKIND]
    page = Gallery(folder, images, "a <run> & more", **options).write(FIGURES, best, 10)
    text = page.read_text(encoding="utf-8")
    told = re.search(r'<script type="application/json" id="told">(.*?)</script>', text, re.DOTALL).group(1)
    return text, json.loads(told)


def test_what_is_told_of_masks_by_hand(folder):
    _, told = written(folder)
    first, second = told["masks"]
    assert [mask["pixels"] for mask in first] == [0, 200, 100]
    assert [mask["share"] for mask in first] == [0, 0.1, 0.05]
    assert [mask["regions"] for mask in first] == [0, 1, 1]
    # Nothing before, then empty and full, then 10 rows of which 5 are left: 2 * 100 / 300.
    assert [mask["agreement"] for mask in first] == [None, 0.0, pytest.approx(2 / 3, abs=0.01)]
    assert second[1] is None
    assert [second[0]["regions"], second[2]["regions"]] == [1, 2]
    assert second[2]["agreement"] is None
    assert (told["best"], told["shown"]) == (3, 3)
    assert told["rows"][0] == ["loss", "loss", "val_loss"]
    assert [figures["val_loss"] for figures in told["figures"]] == [1.0, None, 0.8]


def test_the_colours_of_several_classes_are_named(folder):
    text, _ = written(folder)
    key = re.findall(r'background:rgb\((.*?)\)"></i>(.*?)</span>', text)
    assert key == [("230, 159, 0", "class 1"), ("86, 180, 233", "class 2")]
    given, _ = written(folder, class_names=["mass", "<Kalk>"])
    assert re.findall(r"background:rgb.*?</i>(.*?)</span>", given) == ["mass", "&lt;Kalk&gt;"]
    # The masks of this image have the first class alone.
    film = [folder / "images" / "film.png"]
    seldom = Gallery(folder, film, "two classes", class_names=["mass", "Kalk"]).write(FIGURES, 3, 10)
    assert re.findall(r"background:rgb.*?</i>(.*?)</span>", seldom.read_text(encoding="utf-8")) == [
        "mass",
        "Kalk",
    ]
    alone = Gallery(folder, film, "one class").write(FIGURES, 3, 10)
    assert "class 1" not in alone.read_text(encoding="utf-8")


def test_names_are_escaped_and_nothing_is_fetched(folder):
    text, _ = written(folder)
    assert UNKIND not in text
    assert html.escape(UNKIND) in text
    assert "<title>Epochs of a &lt;run&gt; &amp; more</title>" in text
    assert "default-src 'none'" in text
    assert not re.search(r"""(?:src|href|url)\s*[=(]\s*["']?(?!data:|\$|\{)[^\s"'>]*//""", text)


def test_the_page_of_a_run_that_went_on_is_the_same(folder):
    images = [folder / "images" / "film.png", folder / "images" / UNKIND]
    gallery = Gallery(folder, images, "a <run> & more")
    for epochs in (1, 2):
        gallery.write({name: values[:epochs] for name, values in FIGURES.items()}, 1, 10)
    once = gallery.write(FIGURES, 3, 10).read_bytes()
    assert written(folder)[0].encode() == once


def test_a_mask_as_drawn(folder):
    mask = np.zeros((30, 30), np.uint8)
    mask[5:15, 5:15] = 1
    mask[20:28, 20:28] = 2
    with Image.open(io.BytesIO(base64.b64decode(outlined(mask).split(",")[1]))) as file:
        drawn = np.array(file.convert("RGBA"))
    assert (drawn[..., 3] > 0).sum() == 100 + 64
    assert drawn[0, 0, 3] == 0
    assert tuple(drawn[10, 10]) == (230, 159, 0, 70)
    assert tuple(drawn[5, 10]) == (230, 159, 0, 255)
    assert tuple(drawn[20, 24]) == (86, 180, 233, 255)


def test_epochs_side_by_side():
    assert strip_epochs(3, 2) == [1, 2, 3]
    many = strip_epochs(100, 37)
    assert {1, 37, 100} <= set(many)
    assert len(many) in (16, 17)
    assert strip_epochs(100, None)[-1] == 100


def test_curves_by_hand(folder):
    curves = {**FIGURES, "val_loss": [1.0, float("nan"), 0.5]}
    assert curve_names(curves) == ["loss", "dice_coef_foreground"]
    drawn = curve_chart("loss", curves, SMALL, labelled=False).svg()
    # Three epochs from 46 to 408; 1.0 at the top (12), 0.5 at the bottom (164).
    train, valid = re.findall(r'<path d="(M[^"]*)"', drawn)
    assert train.split("L")[1] == "227.0 164.0"
    assert valid == "M46.0 12.0L408.0 164.0"
    assert drawn.count("stroke-dasharray") == 1
    assert re.findall(r'y="181"[^>]*>([^<]*)<', drawn) == ["1", "2", "3"]
    page, _ = written(folder, best=3)
    assert '<line x1="408.0" x2="408.0" y1="12" y2="164"' in page
    assert 'data-left="46" data-step="181.0"' in page


def test_a_loss_that_falls_by_orders_of_magnitude_is_drawn_on_a_logarithmic_axis():
    drawn = curve_chart("loss", {"loss": [1.0, 0.1, 0.01]}, SMALL).svg()
    (line,) = re.findall(r'<path d="M([^"]*)"', drawn)
    assert [float(point.split()[1]) for point in line.split("L")] == pytest.approx([12, 88, 164])
    assert {"1", "0.1", "0.01"} <= set(re.findall(r'text-anchor="end">([^<]*)<', drawn))


def test_one_epoch_and_a_constant_figure_have_a_page(folder):
    gallery = Gallery(folder, [folder / "images" / "film.png"], "run")
    text = gallery.write({"loss": [0.5], "lr": [1e-3]}, 1, 1).read_text()
    assert "each of 1 epoch." in text


@pytest.mark.parametrize("width", [1280, 400])
def test_in_a_browser(folder, open_page, width):
    """The slider, the curve and the strip choose the epoch; nothing is asked of the network; no error."""
    written(folder)
    page = open_page((folder / "index.html").as_uri(), width)
    page.wait_for_function("document.querySelector('#figures tr')")
    assert page.text_content("#number") == "epoch 3"
    page.focus("#slider")
    page.keyboard.press("ArrowLeft")
    assert page.text_content("#number") == "epoch 2"
    assert "200 px (10.0 %) · 1 region" in page.text_content(".facts")
    assert page.is_visible(".card:nth-of-type(2) .none")
    page.click(".card:first-of-type .thumb:first-child")
    assert page.text_content("#number") == "epoch 1"
    page.locator("svg").first.click(position={"x": 5, "y": 60})
    assert page.text_content("#number") == "epoch 1"
    page.click("#best")
    assert page.text_content("#number") == "epoch 3"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert {address.split(":")[0] for address in page.asked} <= {"file", "data"}
