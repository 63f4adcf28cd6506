"""The page of the review desk in a real browser, against `flexunet review` in a process of its own."""

import base64
import re
import subprocess
import sys
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest


class Running:
    """The command in a process of its own."""

    def __init__(self, folder, *options):
        command = [sys.executable, "-m", "flexunet", "review", str(folder), "--no-browser", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        told = iter(self.process.stdout.readline, "")
        self.address = next(found[0] for line in told if (found := re.search(r"http://\S+", line)))

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            with self.process:
                assert self.process.wait() == 0

    def kill(self):
        """End it as a crash does."""
        self.process.kill()
        with self.process:
            self.process.wait()


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

    @property
    def view(self):
        """Image place in the middle, zoom, and whether the image is mirrored."""
        x, y, zoom, mirrored = self.page.locator(".review .canvas").get_attribute("data-view").split()
        return (float(x), float(y)), float(zoom), mirrored == "1"

    def exact(self):
        """One image pixel on one screen pixel; the image place of the canvas's corner."""
        if self.view[1] != 1:
            self.page.keyboard.press("z")
            self.wait()
        (x, y), zoom, mirrored = self.view
        assert (zoom, mirrored) == (1, False)
        box = self.page.locator(".review .canvas").bounding_box()
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
        item = f"{self.address}/api/items/{self.number}"
        facts, answer = self.page.request.get(item).json(), self.page.request.get(f"{item}/mask")
        assert answer.status == 200
        return np.frombuffer(answer.body(), np.uint8).reshape(facts["height"], facts["width"])


@pytest.fixture(scope="module")
def browser(start_browser):
    with start_browser() as started:
        yield started


@pytest.fixture(scope="module")
def start_desk():
    """Start the command on a folder: `start_desk(folder, option, ...).address`; it must end well."""
    with ExitStack() as stack:

        def start(folder, *options):
            service = Running(folder, *options)
            stack.callback(service.stop)
            return service

        yield start


@pytest.fixture
def visit(browser):
    """Open the page; at the end it had no error, and nothing for its console (such as the policy's)."""

    @contextmanager
    def visit(address, width=1440, height=900, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        desk = Page(context.new_page(), address)
        yield desk
        context.close()
        assert desk.wrong == []

    return visit
