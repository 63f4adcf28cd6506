"""The page of the service, in a real browser: an image in, its lesions and its picture out."""

import io

import numpy as np
import pytest
from PIL import Image

from .conftest import TOKEN, start


@pytest.mark.parametrize("width", [1280, 400])
def test_an_image_gets_its_lesions_and_its_picture(service, images, open_page, width):
    page = open_page(service.address, width)
    page.set_input_files("#file", str(images / "d.dcm"))
    page.wait_for_selector("#result:not([hidden])")
    with service.client() as client:
        answer = client.post("/predict?format=lesions", content=(images / "d.dcm").read_bytes()).json()
    rows = [row.split("\t") for row in page.inner_text("#rows").splitlines()]
    areas = [lesion["area_mm2"] for lesion in answer["lesions"]]
    assert areas
    assert [float(row[1]) for row in rows] == pytest.approx(areas, abs=0.051)
    assert "0.5 × 0.25 mm each" in page.text_content("#size")
    size = page.evaluate("[at('picture').naturalWidth, at('picture').naturalHeight]")
    assert size == [answer["width"], answer["height"]]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert {address.split("/")[2] for address in page.asked if address.startswith("http")} == {
        service.address.split("/")[2]
    }


def test_the_mask_can_be_saved(service, images, open_page):
    page = open_page(service.address, 1280)
    page.set_input_files("#file", str(images / "a.png"))
    page.wait_for_selector("#result:not([hidden])")
    with page.expect_download() as saving:
        page.click("#mask")
    saved = np.asarray(Image.open(saving.value.path()))
    with service.client() as client:
        answer = client.post("/predict?format=mask", content=(images / "a.png").read_bytes())
    assert np.array_equal(saved, np.asarray(Image.open(io.BytesIO(answer.content))))


@pytest.fixture
def locked(run, tmp_path):
    """A service of this test alone that asks for a token."""
    (tmp_path / "token").write_text(TOKEN)
    running = start(run, tmp_path, "--token-file", str(tmp_path / "token"))
    yield running
    assert running.stop() == 0


def test_the_token_is_asked_for(locked, images, open_page):
    page = open_page(locked.address, 1280)
    page.wait_for_selector("#token:not([hidden])")
    page.fill("#secret", TOKEN)
    page.click("#token button")
    page.wait_for_selector("#token[hidden]", state="attached")
    page.set_input_files("#file", str(images / "a.png"))
    page.wait_for_selector("#result:not([hidden])")
    assert TOKEN not in page.content()
    # What the browser itself says of the first answer, 401.
    page.wrong[:] = [text for text in page.wrong if "401" not in text]
