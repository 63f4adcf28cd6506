"""Draw review-1440.jpg, review-1024.jpg and review-views.jpg: the review desk on phantoms.

    python docs/images/review.py

Two exams of one person are made of two persons' phantoms, by the manifest.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from flexunet.data.dataset.manifest import Manifest

HERE = Path(__file__).parent
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def draw_phantoms(folder: Path) -> None:
    """Films of four persons, of whom one becomes another's earlier exam."""
    size = ["--patients", "4", "--width", "1024", "--height", "1280", "--mass-share", "0.8"]
    subprocess.run([sys.executable, "-m", "flexunet", "phantom", str(folder), *size], check=True)  # noqa: S603
    manifest = Manifest.read(folder)
    for row in manifest.rows:
        earlier = row["patient"] == "P002"
        row["exam"] = "2024-02-28" if earlier else "2026-03-02"
        row["patient"] = "P001" if earlier else row["patient"]
    manifest.write(folder)


def open_page(browser, address: str, width: int, height: int) -> Page:
    """The page with an image of two lesions."""
    page = browser.new_page(viewport={"width": width, "height": height})
    page.goto(address)
    page.locator(".queue button", has_text="P001_L_CC").click()
    page.wait_for_selector(".status .about:has-text('P001_L_CC')")
    page.wait_for_selector(".canvas[data-complete]")
    page.locator(".review .canvas").focus()
    return page


def save(page: Page, name: str) -> None:
    """Once all is drawn."""
    page.wait_for_selector(".canvas[data-complete]:visible")
    page.wait_for_selector(".saving[data-state=saved]")
    page.screenshot(path=HERE / name, type="jpeg", quality=82)
    page.close()


def draw_pictures(browser, address: str) -> None:
    """All three."""
    page = open_page(browser, address, 1440, 900)
    page.mouse.move(640, 470)
    page.mouse.down()
    page.mouse.move(620, 520, steps=6)
    page.mouse.up()
    page.locator("summary").click()
    page.keyboard.press("c")
    page.keyboard.press("Shift+Digit4")
    page.get_by_role("button", name="look at version 0").wait_for()
    page.locator(".review .canvas").hover(position={"x": 250, "y": 420})
    save(page, "review-1440.jpg")

    page = open_page(browser, address, 1024, 768)
    page.keyboard.press("w")
    for x, y in [(300, 240), (390, 290), (360, 350)]:
        page.mouse.click(x, y)
    with page.expect_response("**/live-wire"):
        page.mouse.move(290, 330)
    save(page, "review-1024.jpg")

    page = open_page(browser, address, 1440, 900)
    page.keyboard.press("y")
    page.wait_for_selector(".cell:nth-child(4) .canvas[data-complete]")
    page.evaluate("() => document.activeElement.blur()")
    save(page, "review-views.jpg")


def main() -> None:
    """Make the phantoms, start the desk, take the pictures."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "phantoms"
        draw_phantoms(folder)
        command = [
            sys.executable,
            "-m",
            "flexunet",
            "review",
            str(folder),
            "--no-browser",
            "--reader",
            "anna",
        ]
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,  # noqa: S603
            sync_playwright() as play,
        ):
            lines = iter(process.stdout.readline, "")
            address = next(found[0] for line in lines if (found := re.search(r"http://\S+", line)))
            try:
                browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
                draw_pictures(browser, address)
                browser.close()
            finally:
                process.terminate()


if __name__ == "__main__":
    main()
