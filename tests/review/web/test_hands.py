"""The page for all hands and eyes: four views, touch, the keyboard alone, screen readers."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from flexunet.config.schema import Config
from flexunet.config.writing import write_config
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.write import write_mask
from flexunet.data.tables import write_rows

# Side, view, exam, and where the chest wall lies in the file: the left CC is the wrong way round.
VIEWS = [
    ("R", "CC", "2026", "right"),
    ("L", "CC", "2026", "right"),
    ("R", "MLO", "2026", "right"),
    ("L", "MLO", "2026", "left"),
    ("R", "CC", "2024", "right"),
]


@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    """Four views of an exam, and one of an earlier exam; chest walls lie at either side."""
    root = tmp_path_factory.mktemp("patient") / "patient"
    rows = ["file,mask,split,source,patient,operation,parameters,sha256,side,view,exam"]
    for number, (side, view, exam, wall) in enumerate(VIEWS):
        name = f"images/{side}_{view}_{exam}.png"
        columns = np.mgrid[:300, :240][1]
        greys = 60000 - 200 * columns if wall == "left" else 12000 + 200 * columns
        write_image(root / name, greys.astype(np.uint16))
        mask = np.zeros((300, 240), np.uint8)
        mask[100:120, 100:120] = 1
        write_mask(root / name.replace("images", "masks"), mask, ColorMap.binary())
        rows.append(f"{name},{name.replace('images', 'masks')},,s{number},P1,,,,{side},{view},{exam}")
    (root / "manifest.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A run of three epochs, of which one has no validation loss, and what it predicted."""
    run = tmp_path_factory.mktemp("results") / "run"
    write_config(Config(train={"run_dir": str(run)}), run / "config.toml")
    history = {"loss": [1.0, 0.5, 0.25], "val_loss": [1.0, float("nan"), 0.5]}
    (run / "history.json").write_text(json.dumps(history), encoding="utf-8")
    (run / "report.html").write_text("<title>report</title>", encoding="utf-8")
    rows = [("sure.png", 0.9, 0.1), ("doubtful.png", 0.6, 0.2)]
    write_rows(run / "masks_lesions" / "images.csv", ("file", "confidence", "entropy"), rows)
    return run.parent


@pytest.fixture(scope="module")
def address(start_desk, patient, results):
    return start_desk(patient, "--blind", "--reader", "ann", "--results", str(results)).address


def test_four_views_meet_at_the_chest_wall(visit, address):
    with visit(address) as desk:
        page = desk.page
        # Blind: neither the draft nor copying from it.
        assert "Blind" in page.locator("header").inner_text()
        assert page.get_by_role("button", name="Copy").is_disabled()
        assert page.locator(".lesions .go").count() == 0
        page.locator(".queue button", has_text="R_CC_2026").click()
        page.wait_for_selector(".status .about:has-text('R_CC_2026')")
        desk.wait()
        page.locator(".review .canvas").focus()
        page.keyboard.press("y")
        for at in range(4):
            page.wait_for_selector(f".cell:nth-child({at + 1}) .canvas[data-complete]")
        titles = page.locator(".cell .title").all_inner_texts()
        assert [" ".join(title.split()[:2]) for title in titles] == ["R CC", "L CC", "R MLO", "L MLO"]
        views = [
            [float(value) for value in canvas.get_attribute("data-view").split()]
            for canvas in page.locator(".cell .canvas").all()
        ]
        assert [view[3] for view in views] == [0, 1, 0, 0]  # the left CC is mirrored
        width, zoom = page.locator(".cell .canvas").first.evaluate("each => each.clientWidth"), views[0][2]
        walls = [240 - view[0] if view[3] or at % 2 == 0 else view[0] for at, view in enumerate(views)]
        assert walls == pytest.approx([width / 2 / zoom] * 4)  # each wall at the inner edge of its pane

        # Zoom and place are linked, and told from the chest wall.
        page.locator(".cell .canvas").first.hover()
        page.mouse.wheel(0, -300)
        zooms = {
            canvas.get_attribute("data-view").split()[2] for canvas in page.locator(".cell .canvas").all()
        }
        assert len(zooms) == 1
        assert float(zooms.pop()) > zoom

        page.get_by_label("Show", exact=True).last.select_option("beside")
        page.wait_for_selector(".views[data-count='2'] .cell:nth-child(2) .canvas[data-complete]")
        assert [title.split()[-1] for title in page.locator(".cell .title").all_inner_texts()] == [
            "R_CC_2026.png",
            "R_CC_2024.png",
        ]


def test_a_blind_reader_sees_the_draft_after_the_own_decision(visit, address):
    with visit(address) as desk:
        page = desk.page
        desk.open("L_MLO_2026")
        assert not desk.mask().any()
        assert page.get_by_role("button", name="Copy").is_disabled()
        page.locator(".review .canvas").focus()
        page.keyboard.press("u")
        page.keyboard.press("Control+Enter")
        page.wait_for_selector(".queue .sign.unsure")
        desk.open("L_MLO_2026")
        assert page.get_by_role("button", name="Copy").is_enabled()
        assert not desk.mask().any()
        page.locator(".review .canvas").focus()
        page.keyboard.press("Shift+M")
        page.wait_for_selector(".lesions .go")
        desk.wait()
        assert desk.mask().sum() == 20 * 20


AXE = Path(__file__).parents[3] / "desk" / "node_modules" / "axe-core" / "axe.min.js"


def serious(page):
    """What axe-core finds of serious or critical impact on the page as it is now."""
    found = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
    return [
        (one["id"], [node["html"][:120] for node in one["nodes"]])
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


def test_results_are_shown(visit, address):
    with visit(address) as desk:
        page = desk.page
        page.get_by_role("link", name="Results").click()
        page.get_by_role("button", name="Curves of run").click()
        lines = page.locator(".charts polyline")
        lines.first.wait_for(state="attached")
        # 360 x 150 for values from 0.25 to 1 over three epochs; a missing value breaks the line.
        points = [line.get_attribute("points") for line in lines.all()]
        assert points == ["0.0,0.0 180.0,100.0 360.0,150.0", "0.0,0.0", "360.0,100.0"]
        page.get_by_role("button", name="run/masks_lesions").click()
        page.get_by_role("rowheader", name="doubtful.png").wait_for()
        names = page.locator("[role=region] tbody th").all_inner_texts()
        assert names == ["doubtful.png", "sure.png"]
        link = page.get_by_role("link", name="run/report.html").get_attribute("href")
        assert "report" in page.request.get(desk.address + link).text()


def test_axe_has_no_serious_finding(visit, address):
    if not AXE.is_file():
        pytest.skip(f"axe-core is not installed: run `npm ci` in {AXE.parents[2]}")
    with visit(address, 1024, 768) as desk:
        desk.open("L_CC_2026")
        page = desk.page
        # Over the debugger's line: the page's own policy lets no script in that is not its own.
        page.evaluate(AXE.read_text(encoding="utf-8"))
        assert serious(page) == []
        page.locator(".review .canvas").focus()
        page.keyboard.press("?")
        assert page.get_by_role("heading", name="Keys").is_visible()
        assert serious(page) == []
        page.keyboard.press("Escape")
        for name in ("Agreement", "Results", "Export", "Accounts"):
            page.get_by_role("link", name=name).click()
            page.get_by_role("heading", name=name).first.wait_for()
            assert serious(page) == []


def test_the_keyboard_reaches_everything_and_leaves_it(visit, address):
    """Tab goes from the first control through the canvas to the last and on: there is no trap."""
    with visit(address) as desk:
        desk.open("L_CC_2026")
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


def test_two_fingers_zoom_and_do_not_draw(visit, address):
    with visit(address, 1024, 768, has_touch=True) as desk:
        pinch_and_draw(desk)


def pinch_and_draw(desk):
    desk.open("R_MLO_2026")
    before = desk.mask()
    canvas = desk.page.locator(".review .canvas")
    zoom = desk.view[1]
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    hands = desk.page.context.new_cdp_session(desk.page)

    def touch(kind, *places):
        points = [{"x": place[0], "y": place[1], "id": number} for number, place in enumerate(places)]
        hands.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (x - 20, y))
    touch("touchStart", (x - 20, y), (x + 20, y))
    for reach in (30, 45, 60, 80):
        touch("touchMove", (x - reach, y), (x + reach, y))
    touch("touchEnd")
    desk.wait()
    assert desk.view[1] > 2 * zoom
    assert (desk.mask() == before).all()

    touch("touchStart", (x, y))
    touch("touchMove", (x + 30, y))
    touch("touchEnd")
    desk.page.wait_for_selector(".lesions .go")
    desk.wait()
    assert (desk.mask() != before).any()


@pytest.mark.parametrize("width", [480, 720])
def test_a_narrow_window_has_the_image_above_tools_and_queue(visit, address, width):
    with visit(address, width=width) as desk:
        desk.page.wait_for_selector(".review .canvas[data-complete]")
        boxes = [desk.page.locator(part).bounding_box() for part in (".middle", ".right", ".left")]
        assert [box["width"] for box in boxes] == [width] * 3
        for above, below in itertools.pairwise(boxes):
            assert below["y"] >= above["y"] + above["height"] - 1
        button = desk.page.locator(".queue button").last
        button.scroll_into_view_if_needed()
        assert button.is_visible()
        assert desk.page.evaluate("document.documentElement.scrollWidth") <= width
