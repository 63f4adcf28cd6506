"""How soon the page of the review desk shows a large film, and how long a frame of a stroke takes.

    python benchmarks/desk_page.py

A synthetic film of 4096 x 3328 pixels and 16 bits, `flexunet review` in a process of its own, headless
Chromium without a GPU. The first paint is the time from the start of loading the page, in a browser with an
empty cache, to the first tile on the canvas; the server has cut its tiles before. A frame is what one move of
the pointer costs: the handler, the drawing in the next animation frame, and reading a pixel back, which makes
the browser finish what it put off. Waiting for the screen is left out.
"""

import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

from flexunet.data.images.files.write import write_image

HEIGHT, WIDTH = 3328, 4096
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

# One move after the other; the answer is milliseconds of work for each.
MOVES = """async ({ button, buttons, moves, layer }) => {
    const element = document.querySelector(".review .canvas");
    const canvas = element.querySelectorAll("canvas")[layer];
    const { left, top, width, height } = element.getBoundingClientRect();
    const frame = () => new Promise(requestAnimationFrame);
    const times = [];
    for (let step = 0; step < moves; step++) {
        const turn = step / 12;
        const reach = 0.1 + 0.3 * (step / moves);
        // Callbacks of a frame run in the order of their asking: one before the page's own, one after.
        let begun = 0;
        requestAnimationFrame(() => (begun = performance.now()));
        const start = performance.now();
        element.dispatchEvent(new PointerEvent("pointermove", {
            pointerId: 1, pointerType: "mouse", bubbles: true, button, buttons, pressure: 0.5,
            clientX: left + width * (0.5 + reach * Math.cos(turn)),
            clientY: top + height * (0.5 + reach * Math.sin(turn)),
        }));
        const handled = performance.now();
        await frame();
        canvas.getContext("2d").getImageData(width / 2, height / 2, 1, 1);
        times.push(handled - start + performance.now() - begun);
    }
    return times;
}"""


def film() -> np.ndarray:
    """A bright half-ellipse with structure on a dark ground, uint16."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    breast = (columns / 2600) ** 2 + ((rows - HEIGHT / 2) / 1500) ** 2 < 1
    waves = np.sin(rows / 37) * np.cos(columns / 53) + np.sin((rows + columns) / 411)
    noise = np.random.default_rng(5).normal(0, 300, (HEIGHT, WIDTH))
    return np.clip(900 + breast * (14000 + 4000 * waves) + noise, 0, 65535).astype(np.uint16)


def told(times: list[float]) -> str:
    """Median and 95th percentile."""
    return f"median {statistics.median(times):.1f} ms, p95 {np.percentile(times, 95):.1f} ms"


def drag(page, button: str, layer: int, moves: int = 150) -> list[float]:
    """Press, move many times, release."""
    box = page.locator(".review .canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down(button=button)
    number, buttons = {"left": (0, 1), "right": (2, 2)}[button]
    wanted = {"button": number, "buttons": buttons, "moves": moves, "layer": layer}
    times = page.evaluate(MOVES, wanted)
    page.mouse.up(button=button)
    page.wait_for_selector(".saving[data-state=saved]")
    return times


def first_paint(browser, address: str) -> tuple[float, float]:
    """Milliseconds from the start of loading to the first tile, and to all tiles of the view."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector(".canvas[data-complete]")
    mark = "(name) => performance.getEntriesByName(name)[0].startTime"
    times = page.evaluate(mark, "desk-tile"), page.evaluate(mark, "desk-complete")
    context.close()
    return times


def main() -> None:
    """Make the film, start the desk, measure."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "films"
        write_image(folder / "images" / "film.png", film())
        command = [sys.executable, "-m", "flexunet", "review", str(folder), "--no-browser"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            lines = iter(process.stdout.readline, "")
            address = next(found[0] for line in lines if (found := re.search(r"http://\S+", line)))
            try:
                measure(address)
            finally:
                process.terminate()


def measure(address: str) -> None:
    """Print the figures of a running desk."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        paints = [first_paint(browser, address) for _ in range(8)][1:]
        print(f"first tile: median {statistics.median(first for first, _ in paints):.0f} ms")
        print(f"all tiles of the view: median {statistics.median(last for _, last in paints):.0f} ms")
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(address)
        page.wait_for_selector(".canvas[data-complete][data-item]")
        canvas = page.locator(".review .canvas")
        canvas.focus()
        for view, key in [("whole film", "0"), ("1:1", "z")]:
            page.keyboard.press(key)
            page.wait_for_selector(".canvas[data-complete]")
            for radius in (12, 60):
                page.get_by_label("Radius").fill(str(radius))
                canvas.focus()
                print(f"stroke, {view}, radius {radius}: {told(drag(page, 'left', 1))}")
            print(f"window, {view}: {told(drag(page, 'right', 0))}")
        browser.close()


if __name__ == "__main__":
    main()
