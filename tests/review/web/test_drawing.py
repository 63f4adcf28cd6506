"""What the page shows and saves is compared with NumPy.

The canvas is compared with a lookup table, the mask with the same stroke drawn by the definition of its tool.
"""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.write import write_mask

HEIGHT, WIDTH = 700, 900
DISC = (450, 350, 120)  # column and row of the middle, radius


def film(seed):
    """A bright disc on a dark ramp, with noise, in 12 of 16 bits."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    column, row, radius = DISC
    inside = (columns - column) ** 2 + (rows - row) ** 2 <= radius**2
    noise = np.random.default_rng(seed).integers(0, 40, (HEIGHT, WIDTH))
    return (200 + columns // 2 + 2400 * inside + noise).astype(np.uint16)


def draft():
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[300:340, 400:460] = 1
    return mask


def stroke(mask, start, end, radius, label):
    """All pixels whose centres lie within the radius of a segment take a label."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    (x, y), (dx, dy) = start, np.subtract(end, start)
    along = np.clip(((columns - x) * dx + (rows - y) * dy) / (dx**2 + dy**2), 0, 1)
    away = (columns - x - along * dx) ** 2 + (rows - y - along * dy) ** 2
    return np.where(away <= radius**2, label, mask).astype(np.uint8)


def read_png(path):
    with Image.open(path) as kept:
        return np.asarray(kept.convert("L"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("desk") / "films"
    for number, name in enumerate("abcd"):
        write_image(root / "images" / f"{name}.png", film(number))
    write_mask(root / "masks" / "a.png", draft(), ColorMap.binary())
    return root


@pytest.fixture(scope="module")
def address(start_desk, folder):
    return start_desk(folder, "--reader", "ann").address


def shown_by(greys, center, width):
    """Brightness by DICOM's LINEAR_EXACT (PS3.3 C.11.2.1.3.2)."""
    share = np.clip((greys.astype(float) - center) / width + 0.5, 0, 1)
    return np.floor(share * 255 + 0.5).astype(np.uint8)


def test_the_canvas_shows_the_greys_of_the_window(visit, address):
    greys = film(0)
    with visit(address) as desk:
        desk.open("a.png")
        left, top = desk.exact()
        for center, width in [(1500, 2900), (900, 700)]:
            for name, value in [("Window center", center), ("Window width", width)]:
                desk.page.get_by_label(name).fill(str(value))
                desk.page.keyboard.press("Enter")
            desk.page.evaluate("() => new Promise(requestAnimationFrame)")
            seen = desk.pixels()
            rows, columns = seen.shape[:2]
            assert -rows < top < HEIGHT
            y, x = max(0, top), max(0, left)
            part = greys[y : top + rows, x : left + columns]
            shown = seen[y - top :, x - left :][: part.shape[0], : part.shape[1]]
            assert part.size > 300_000
            assert (shown[..., :3] == shown_by(part, center, width)[..., None]).all()
            assert (shown[..., 3] == 255).all()
        desk.page.keyboard.press("Escape")
        desk.page.locator(".review .canvas").focus()
        desk.page.keyboard.press("i")
        desk.page.evaluate("() => new Promise(requestAnimationFrame)")
        inverted = desk.pixels()[y - top :, x - left :][: part.shape[0], : part.shape[1]]
        assert (inverted[..., 0] == 255 - shown_by(part, 900, 700)).all()
        desk.page.keyboard.press("i")

        # Another image, and the page loaded again, have the window that the reader used last.
        desk.open("b.png")
        desk.page.reload()
        desk.wait()
        assert desk.page.get_by_label("Window center").input_value() == "900"
        assert desk.page.get_by_label("Window width").input_value() == "700"


def test_what_is_drawn_is_what_is_kept(visit, address, folder):
    """Draw, erase, undo, redo, reload, sign; then the mask and its file are what NumPy draws."""
    wanted = draft()
    with visit(address) as desk:
        desk.open("a.png")
        desk.page.locator(".review .canvas").focus()
        assert (desk.mask() == wanted).all()
        desk.drag((300, 300), (460, 390))
        wanted = stroke(wanted, (300, 300), (460, 390), desk.radius, 1)
        assert (desk.mask() == wanted).all()

        desk.page.keyboard.press("]")
        desk.page.keyboard.press("e")
        desk.drag((380, 250), (400, 420))
        before, wanted = wanted, stroke(wanted, (380, 250), (400, 420), desk.radius, 0)
        assert (desk.mask() == wanted).all()

        desk.page.keyboard.press("Control+z")
        desk.wait()
        assert (desk.mask() == before).all()
        desk.page.keyboard.press("Control+Shift+z")
        desk.wait()
        assert (desk.mask() == wanted).all()

        desk.page.reload()
        desk.wait()
        assert "a.png" in desk.page.locator(".status .about").inner_text()
        assert (desk.mask() == wanted).all()
        desk.page.keyboard.press("c")
        desk.page.keyboard.press("Shift+Digit4")
        desk.page.keyboard.press("Control+Enter")
        desk.page.wait_for_selector(".queue .sign.corrected")

        desk.page.get_by_role("link", name="Export").click()
        desk.page.get_by_role("button", name="Write Data set").click()
        exported = desk.page.locator("[role=status] code").inner_text()
        masks = sorted(Path(exported).rglob("masks/*.png"))
        assert [mask.name for mask in masks] == ["a.png"]
        assert (read_png(masks[0]) == 255 * wanted).all()
        # The file is written after the answer, by a thread of the desk.
        file = folder.with_name("films_review") / "masks" / "shared" / "images" / "a.png"
        for _ in range(200):
            if file.is_file() and (read_png(file) == 255 * wanted).all():
                break
            desk.page.wait_for_timeout(50)
        assert (read_png(file) == 255 * wanted).all()


def test_a_polygon_is_filled_mended_and_deleted(visit, address):
    wanted = np.zeros((HEIGHT, WIDTH), np.uint8)
    with visit(address) as desk:
        desk.open("b.png")
        desk.page.locator(".review .canvas").focus()
        desk.page.keyboard.press("p")
        for place in [(200, 200), (320, 200), (320, 300), (200, 300)]:
            desk.click(place)
        desk.page.keyboard.press("Enter")
        desk.wait()
        wanted[200:300, 200:320] = 1
        assert (desk.mask() == wanted).all()

        desk.page.keyboard.press("e")
        desk.drag((250, 250), (270, 250))
        assert (desk.mask() == stroke(wanted, (250, 250), (270, 250), desk.radius, 0)).all()
        with desk.page.expect_response("**/strokes"):
            desk.page.keyboard.press("Shift+F")
        desk.wait()
        assert (desk.mask() == wanted).all()
        with desk.page.expect_response("**/strokes"):
            desk.page.keyboard.press("Shift+S")
        desk.wait()
        rounded = desk.mask() != wanted
        assert 0 < rounded.sum() < 100  # the four corners
        assert not rounded[210:290, 210:310].any()
        desk.page.keyboard.press("Control+z")
        desk.wait()

        desk.page.keyboard.press("d")
        desk.click((250, 250))
        assert not desk.mask().any()


def test_a_live_wire_is_filled_along_the_edge(visit, address):
    """The outline snaps to the disc: what it encloses is the disc, but for a pixel at its edge."""
    column, row, radius = DISC
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    away = np.hypot(columns - column, rows - row)
    with visit(address) as desk:
        desk.open("d.png")
        desk.page.locator(".review .canvas").focus()
        desk.page.keyboard.press("w")
        for angle in np.arange(0, 2 * np.pi, np.pi / 2):
            desk.click((column + round(radius * np.cos(angle)), row + round(radius * np.sin(angle))))
        desk.page.keyboard.press("Enter")
        desk.page.wait_for_selector(".lesions .go")
        desk.wait()
        mask = desk.mask()
        assert mask[away < radius - 3].all()
        assert not mask[away > radius + 3].any()

        desk.page.keyboard.press("d")
        desk.click((column, row))
        desk.page.keyboard.press("g")
        desk.click((column, row))
        desk.page.wait_for_selector(".lesions .go")
        assert desk.mask()[row, column] == 1
        assert not desk.mask()[away > radius + 6].any()


def draw_at_the_middle(desk, dx):
    """A short stroke at 1:1, not waited for."""
    box = desk.page.locator(".review .canvas").bounding_box()
    x, y = box["x"] + round(box["width"] / 2), box["y"] + round(box["height"] / 2)
    desk.page.mouse.move(x + dx, y)
    desk.page.mouse.down()
    desk.page.mouse.move(x + dx, y + 60, steps=3)
    desk.page.mouse.up()


def test_a_killed_desk_loses_no_stroke(visit, start_desk, tmp_path):
    """Strokes drawn while there is no desk outlive a change of image and a reload; a new desk gets them."""
    for number, name in enumerate("ef"):
        write_image(tmp_path / "films" / "images" / f"{name}.png", film(number))
    first = start_desk(tmp_path / "films")
    with visit(first.address) as desk:
        page = desk.page
        desk.open("e.png")
        desk.exact()
        page.locator(".review .canvas").focus()
        draw_at_the_middle(desk, -60)
        desk.wait()
        saved = desk.mask()
        first.kill()
        draw_at_the_middle(desk, 60)
        page.wait_for_selector(".saving[data-state=waiting]")

        # The new desk has the address of the old one, knows the browser, and another image is opened first.
        # Until then no stroke gets through: the page would hand them over as soon as there is a desk.
        page.route("**/strokes", lambda route: route.abort())
        second = start_desk(tmp_path / "films")
        assert second.address.split("?")[0] == first.address.split("?")[0]
        page.on("dialog", lambda dialog: dialog.accept())
        page.locator(".queue button", has_text="f.png").click()
        page.get_by_role("button", name="Leave").click()
        page.wait_for_selector(".status .about:has-text('f.png')")
        page.unroute("**/strokes")
        page.reload()
        page.get_by_role("button", name="1 image has unsent strokes").click()
        page.wait_for_selector(".status .about:has-text('e.png')")
        desk.wait()
        page.wait_for_selector(".unsent", state="hidden")
        both = desk.mask()
        assert (both[saved == 1] == 1).all()
        assert (both == 1).sum() == 2 * (saved == 1).sum()
        desk.wrong.clear()  # the browser reports requests to a desk that is gone


def test_two_tabs_do_not_overwrite_each_other(visit, address):
    """The later tab is asked, and merges: the mask has the strokes of both."""
    with visit(address) as first, visit(address) as second:
        for desk in (first, second):
            desk.open("d.png")
            desk.page.locator(".review .canvas").focus()
            desk.page.keyboard.press("b")
        before = first.mask()
        first.drag((300, 150), (400, 150))
        after = stroke(before, (300, 150), (400, 150), first.radius, 1)
        box = second.page.locator(".review .canvas").bounding_box()
        left, top = second.exact()
        second.page.mouse.move(box["x"] + 300 - left, box["y"] + 550 - top)
        second.page.mouse.down()
        second.page.mouse.move(box["x"] + 400 - left, box["y"] + 550 - top, steps=4)
        second.page.mouse.up()
        second.page.get_by_role("button", name="Merge both").click()
        second.wait()
        assert (second.mask() == stroke(after, (300, 550), (400, 550), second.radius, 1)).all()
        second.wrong.clear()  # the browser reports the answer 409

        # The first tab takes what the second has; its own stroke stays as a version.
        merged = second.mask()
        draw_at_the_middle(first, 0)
        first.page.get_by_role("button", name="Fetch theirs").click()
        first.wait()
        assert (first.mask() == merged).all()
        first.page.locator("summary").click()
        first.page.locator(".versions .what", has_text="set aside").wait_for()
        first.wrong.clear()
        second.page.reload()
        second.wait()

        # An earlier version is shown over the image, then brought back.
        second.page.locator("summary").click()
        second.page.get_by_role("button", name="look at version 0").click()
        second.page.get_by_role("button", name="restore version 0").click()
        second.page.wait_for_selector(".status .said:has-text('Version 0 is back')")
        assert not second.mask().any()
