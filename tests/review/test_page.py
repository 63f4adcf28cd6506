"""The page of the review desk in a real browser, against `flexunet review` in a process of its own.

What the page shows and saves is compared with NumPy: the canvas with a lookup table, the mask with the same
stroke drawn by the definition of its tool.
"""

import base64
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flexunet.data.images.files import write_image
from flexunet.data.images.masks import ColorMap, write_mask

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


class Running:
    """The command in a process of its own."""

    def __init__(self, folder, *options):
        command = [sys.executable, "-m", "flexunet", "review", str(folder), "--no-browser", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        told = iter(self.process.stdout.readline, "")
        self.address = next(found[0] for line in told if (found := re.search(r"http://\S+", line)))

    def stop(self):
        self.process.terminate()
        with self.process:
            return self.process.wait()


class Page:
    """The page as a reader sees and handles it."""

    def __init__(self, page, address):
        self.page, self.address = page, address.split("/?")[0]
        self.wrong = []
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", lambda said: self.wrong.append(f"{said.text} {said.location}"))
        page.goto(address)
        self.wait()

    def wait(self):
        """Until the image is drawn and all strokes are saved."""
        self.page.wait_for_selector(".canvas[data-complete][data-item]")
        self.page.wait_for_selector(".saving[data-state=saved]")

    def open(self, name):
        self.page.locator(".queue button", has_text=name).click()
        self.page.wait_for_selector(f".status .about:has-text('{name}')")
        self.wait()

    @property
    def radius(self):
        return int(self.page.get_by_label("Radius").input_value())

    @property
    def number(self):
        return int(self.page.locator(".review .canvas").get_attribute("data-item"))

    def exact(self):
        """One image pixel on one screen pixel; the image place of the canvas's corner."""
        self.page.keyboard.press("z")
        self.wait()
        canvas = self.page.locator(".review .canvas")
        x, y, zoom, mirrored = map(float, canvas.get_attribute("data-view").split())
        assert (zoom, mirrored) == (1, 0)
        box = canvas.bounding_box()
        assert all(value == round(value) for value in box.values()), box  # on whole pixels of the screen
        corner = x - box["width"] / 2, y - box["height"] / 2
        assert corner == (round(corner[0]), round(corner[1]))
        return int(corner[0]), int(corner[1])

    def drag(self, start, end, button="left", steps=7):
        """Drag from one image place to another, at 1:1."""
        box = self.page.locator(".review .canvas").bounding_box()
        left, top = self.exact()
        (x, y), (to_x, to_y) = ((box["x"] + x - left, box["y"] + y - top) for x, y in (start, end))
        self.page.mouse.move(x, y)
        self.page.mouse.down(button=button)
        self.page.mouse.move(to_x, to_y, steps=steps)
        self.page.mouse.up(button=button)
        self.wait()

    def click(self, place):
        self.drag(place, place, steps=1)

    def pixels(self):
        """What the canvas of the image shows, RGBA `(H, W, 4)`."""
        script = """() => {
            const canvas = document.querySelector(".review .canvas canvas");
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            let text = "";
            for (let at = 0; at < data.length; at += 32768)
                text += String.fromCharCode(...data.subarray(at, at + 32768));
            return [canvas.height, canvas.width, btoa(text)];
        }"""
        height, width, text = self.page.evaluate(script)
        return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)

    def mask(self):
        """The labels that the server holds."""
        answer = self.page.request.get(f"{self.address}/api/items/{self.number}/mask")
        assert answer.status == 200
        return np.frombuffer(answer.body(), np.uint8).reshape(HEIGHT, WIDTH)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("desk") / "films"
    for number, name in enumerate("abcd"):
        write_image(root / "images" / f"{name}.png", film(number))
    write_mask(root / "masks" / "a.png", draft(), ColorMap.binary())
    return root


@pytest.fixture(scope="module")
def browser(start_browser):
    with start_browser() as started:
        yield started


@pytest.fixture(scope="module")
def running(folder):
    service = Running(folder, "--reader", "ann")
    yield service
    assert service.stop() == 0


@pytest.fixture
def visit(browser, running):
    """Open the page; at the end it had no error, and nothing for its console (such as the policy's)."""

    @contextmanager
    def visit(width=1440, height=900, address=None):
        context = browser.new_context(viewport={"width": width, "height": height})
        desk = Page(context.new_page(), address or running.address)
        yield desk
        context.close()
        assert desk.wrong == []

    return visit


def shown_by(greys, center, width):
    """Brightness by DICOM's LINEAR_EXACT (PS3.3 C.11.2.1.3.2)."""
    share = np.clip((greys.astype(float) - center) / width + 0.5, 0, 1)
    return np.floor(share * 255 + 0.5).astype(np.uint8)


def test_the_canvas_shows_the_greys_of_the_window(visit):
    greys = film(0)
    with visit() as desk:
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


def test_what_is_drawn_is_what_is_kept(visit, folder):
    """Draw, erase, undo, redo, reload, sign; then the mask and its file are what NumPy draws."""
    wanted = draft()
    with visit() as desk:
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
        # The file is written after the answer, by a thread of the desk.
        file = folder.with_name("films_review") / "masks" / "shared" / "images" / "a.png"
        for _ in range(200):
            if file.is_file() and (read_png(file) == 255 * wanted).all():
                break
            desk.page.wait_for_timeout(50)
        assert (read_png(file) == 255 * wanted).all()


def test_a_polygon_and_a_filled_ring(visit):
    wanted = np.zeros((HEIGHT, WIDTH), np.uint8)
    with visit() as desk:
        desk.open("b.png")
        desk.page.locator(".review .canvas").focus()
        desk.page.keyboard.press("p")
        for place in [(200, 200), (320, 200), (320, 300), (200, 300)]:
            desk.click(place)
        desk.page.keyboard.press("Enter")
        desk.wait()
        wanted[200:300, 200:320] = 1
        assert (desk.mask() == wanted).all()

        desk.page.keyboard.press("d")
        desk.click((250, 250))
        assert not desk.mask().any()


def test_a_live_wire_is_filled_along_the_edge(visit):
    """The outline snaps to the disc: what it encloses is the disc, but for a pixel at its edge."""
    column, row, radius = DISC
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    away = np.hypot(columns - column, rows - row)
    with visit() as desk:
        desk.open("d.png")
        desk.page.locator(".review .canvas").focus()
        desk.page.keyboard.press("w")
        for angle in np.arange(0, 2 * np.pi, np.pi / 3):
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


def test_no_stroke_is_lost_without_a_connection(visit):
    """Strokes drawn offline outlive a reload, and are sent when the server is there again."""
    wanted = np.zeros((HEIGHT, WIDTH), np.uint8)
    with visit() as desk:
        desk.open("c.png")
        desk.page.locator(".review .canvas").focus()
        desk.page.keyboard.press("b")
        desk.exact()
        desk.page.route("**/strokes", lambda route: route.abort())
        box = desk.page.locator(".review .canvas").bounding_box()
        middle = box["x"] + round(box["width"] / 2), box["y"] + round(box["height"] / 2)
        desk.page.mouse.move(*middle)
        desk.page.mouse.down()
        desk.page.mouse.move(middle[0] + 50, middle[1])
        desk.page.mouse.up()
        desk.page.wait_for_selector(".saving[data-state=waiting]")
        assert not desk.mask().any()
        desk.page.on("dialog", lambda dialog: dialog.accept())
        desk.page.unroute("**/strokes")
        desk.page.reload()
        desk.wait()
        wanted = desk.mask()
        assert 1000 < (wanted == 1).sum() < 3000
        desk.wrong.clear()  # the browser reports the request that was broken off


def test_two_tabs_do_not_overwrite_each_other(visit):
    """The later tab is asked, and merges: the mask has the strokes of both."""
    with visit() as first, visit() as second:
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

        # An earlier version is shown over the image, then brought back.
        second.page.locator("summary").click()
        second.page.get_by_role("button", name="look at version 0").click()
        second.page.get_by_role("button", name="restore version 0").click()
        second.page.wait_for_selector(".status .said:has-text('Version 0 is back')")
        assert not second.mask().any()


AXE = Path(__file__).parents[2] / "desk" / "node_modules" / "axe-core" / "axe.min.js"


def serious(page):
    """What axe-core finds of serious or critical impact on the page as it is now."""
    found = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
    return [
        (one["id"], [node["html"][:120] for node in one["nodes"]])
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


def test_axe_has_no_serious_finding(visit):
    if not AXE.is_file():
        pytest.skip(f"axe-core is not installed: run `npm ci` in {AXE.parents[2]}")
    with visit(1024, 768) as desk:
        desk.open("a.png")
        page = desk.page
        # Over the debugger's line: the page's own policy lets no script in that is not its own.
        page.evaluate(AXE.read_text(encoding="utf-8"))
        assert serious(page) == []
        page.locator(".review .canvas").focus()
        page.keyboard.press("?")
        assert page.get_by_role("heading", name="Keys").is_visible()
        assert serious(page) == []
        page.keyboard.press("Escape")
        for name in ("Agreement",):
            page.get_by_role("link", name=name).click()
            page.get_by_role("heading", name=name).first.wait_for()
            assert serious(page) == []


def test_the_keyboard_reaches_everything_and_leaves_it(visit):
    """Tab goes from the first control through the canvas to the last and on: there is no trap."""
    with visit() as desk:
        desk.open("a.png")
        page = desk.page
        page.evaluate("() => document.activeElement.blur()")
        names = []
        for _ in range(160):
            page.keyboard.press("Tab")
            here = "() => [document.activeElement.tagName, document.activeElement.className].join(' ')"
            names.append(page.evaluate(here))
            if len(names) > 1 and names[-1].startswith("BODY"):
                break
        assert any("canvas" in name for name in names)
        assert any(name.startswith("TEXTAREA") for name in names)
        assert names[-1].startswith("BODY") or names.count(names[0]) > 1
        # A stroke without a pointer: press the tool, move it, lift it.
        page.locator(".review .canvas").focus()
        page.keyboard.press("b")
        before = desk.mask()
        page.keyboard.press("Shift+Enter")
        for _ in range(4):
            page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("Shift+Enter")
        desk.wait()
        assert (desk.mask() != before).sum() > 300
        page.keyboard.press("Control+z")
        desk.wait()
        assert (desk.mask() == before).all()
