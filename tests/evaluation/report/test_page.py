"""The report, the schema and the model card: complete, self-contained, readable by all eyes."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from flexunet.data.images.color_map import ColorMap
from flexunet.evaluation.charts.scores import froc_chart
from flexunet.evaluation.report.model_card import model_card
from flexunet.evaluation.report.outputs import published_text, read_scores, scores_json, write_evaluation
from flexunet.evaluation.report.overlays import COLORS, close_up, focus, overlay, regions
from flexunet.evaluation.report.page import write_report
from flexunet.evaluation.scores.images import score_image
from flexunet.evaluation.scores.intervals import Estimate
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.build import Circumstances, make_scores
from flexunet.evaluation.summary.regions import SENTENCE
from flexunet.evaluation.tables.document import (
    PublishedMetric,
    PublishedMetrics,
    Scores,
    json_schema,
    with_score_table,
)
from flexunet.evaluation.tables.extremes import Extremes
from flexunet.evaluation.tables.rows import ImageOrigin, Tally

ROOT = Path(__file__).parents[3]


VOID = {"meta", "img", "br", "wbr", "line", "path", "circle", "rect", "polygon"}


class Page(HTMLParser):
    """Collects what a page refers to, and checks that tags are closed."""

    def __init__(self):
        super().__init__()
        self.open, self.addresses, self.text = [], [], []

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("src", "href", "srcset", "data", "action", "poster", "xlink:href"):
                self.addresses.append(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, text):
        self.text.append(text)


def test_of_regions_of_the_film_the_figures_of_lesions_are_folded(film_of_regions, tmp_path):
    truth, prediction = film_of_regions
    rules = ScoringRules(bootstrap_samples=50)
    tally = Tally()
    for index in range(4):
        tally.add(ImageOrigin(str(index), str(index), str(index)), score_image(truth, prediction, 3, rules))
    tables = tally.finish()
    about = Circumstances("t", "p", ColorMap({(k, k, k): k for k in range(3)}), environment={"test": True})
    write_report(tmp_path / "report.html", make_scores(tables, rules, about), tables, title="tissue")
    page = (tmp_path / "report.html").read_text()
    Page().feed(page)
    _, lesions = page.split("<h2>Lesions</h2>")
    assert (
        lesions.index(SENTENCE)
        < lesions.index("<summary>")
        < lesions.index("predicted region finds a lesion")
    )
    assert "Is there any lesion?" not in page
    tiles = page.split('<div class="tiles">')[1].split("</section>")[0]
    assert "dice_per_image_mean" in tiles
    assert "sensitivity" not in tiles
    assert "froc_<wbr>mean_<wbr>sensitivity" in page.split("<h2>All scores</h2>")[1]


@pytest.fixture
def written(make_tables, tmp_path):
    """The files of a drawn evaluation with everything in it."""
    tables = make_tables(images=20, probabilities=True)
    gallery = Extremes(2)
    for index in range(5):
        truth = np.zeros((40, 40), np.uint8)
        truth[5:15, 5:15] = 1
        prediction = np.roll(truth, index, 0)
        gallery.offer(
            f"case {index}", None, truth, prediction, score_image(truth, prediction, 2, ScoringRules())
        )
    curves = tmp_path / "curves"
    curves.mkdir()
    (curves / "train_losses.csv").write_text("epoch, loss, val_loss\n0, 0.5880, 0.6304\n1, 0.4, 0.5\n")
    (curves / "train_metrics.csv").write_text("epoch,dice,val_dice,\n0,0.5,0.4\n1,0.6,0.5\n")
    about = Circumstances(
        "<script>alert(1)</script>",
        "prediction & more",
        ColorMap.binary(),
        previous=("the last run", make_tables(images=20, noise=0.5, seed=1)),
        audit={"shared_sources": 3, "checked": "names"},
    )
    scores = make_scores(tables, ScoringRules(bootstrap_samples=100), about)
    write_evaluation(tmp_path, scores, tables, gallery, title="A <run>", curves_dir=curves)
    return tmp_path, scores


def test_the_page_needs_nothing_but_itself(written):
    text = (written[0] / "report.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert page.open == []
    assert page.addresses
    assert all(address.startswith("data:image/") for address in page.addresses)
    outside = re.sub(r"data:image/jpeg;base64,[A-Za-z0-9+/=]+", "", text)
    assert not re.search(r"https?:|//[a-z]|@import|url\(|<script|<link|<iframe", outside)
    assert "default-src 'none'" in text
    assert 'name="viewport" content="width=device-width' in text


def test_what_comes_from_outside_is_escaped(written):
    text = (written[0] / "report.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "A &lt;run&gt;" in text


def test_the_page_says_what_the_scores_say(written):
    page = Page()
    page.feed((written[0] / "report.html").read_text(encoding="utf-8"))
    words = " ".join(" ".join(page.text).split())
    scores = written[1]
    assert f"{scores.foreground.dice_per_image_mean.value:.3f}" in words
    for section in (
        "The published metrics",
        "Lesions",
        "Probabilities",
        "Worst images",
        "On whom",
        "Training",
    ):
        assert section in words
    assert "3 originals have copies in training" in words
    assert "Against the last run" in words
    for rate in ("1/8", "1/4", "1/2"):
        assert rate in words


def words_of(page):
    """The text of a report, words apart by one blank."""
    parsed = Page()
    parsed.feed(page)
    return " ".join(" ".join(parsed.text).split())


def draw_report(scores, tables, folder, gallery=None):
    """The text of a report of its own."""
    write_report(folder / "own.html", scores, tables, gallery, title="own")
    return (folder / "own.html").read_text(encoding="utf-8")


def test_a_loss_is_no_bar_beside_the_dice_coefficients(written, make_tables):
    folder, scores = written
    metrics = [
        PublishedMetric(name="dice + categorical_crossentropy", value=0.9842, empty_prediction=None),
        PublishedMetric(name="dice_coef_foreground", value=0.4564, empty_prediction=0.0),
    ]
    published = PublishedMetrics(computed_on="batches", figures=metrics)
    page = draw_report(scores.model_copy(update={"published": published}), make_tables(images=20), folder)
    bars = page.split('<div class="bars">')[1].split("<p")[0]
    assert "--part: 0.4564" in bars
    assert "0.9842" not in bars
    assert "dice + categorical_crossentropy: 0.9842." in words_of(page)


def test_the_axis_of_the_froc_curve_reaches_the_predicted_masks(written):
    lesions = written[1].lesions
    many = lesions.model_copy(update={"false_positives_per_image": Estimate(value=125.0)})
    center = [float(re.search(r'cx="([\d.]+)".*r="6"', froc_chart(one)).group(1)) for one in (lesions, many)]
    assert center[0] < center[1] < 400  # the axis ends at 420
    assert ">128</text>" in froc_chart(many)
    assert ">32</text>" not in froc_chart(lesions)


def test_hard_masks_are_not_said_to_have_probabilities(make_tables, written):
    tables = make_tables(images=20)
    scores = make_scores(
        tables, ScoringRules(bootstrap_samples=50), Circumstances("t", "p", ColorMap.binary())
    )
    assert "Hard masks decide the same at every threshold" in words_of(
        draw_report(scores, tables, written[0])
    )
    soft = (written[0] / "report.html").read_text(encoding="utf-8")
    assert "only as far as the reliability curve says so" in words_of(soft)


def test_few_images_are_not_called_the_worst(written, make_tables):
    gallery, truth = Extremes(2), np.eye(30, dtype=np.uint8)
    for name in ("a", "b"):
        gallery.offer(name, None, truth, truth, score_image(truth, truth, 2, ScoringRules()))
    page = words_of(draw_report(written[1], make_tables(images=20), written[0], gallery))
    assert "Images, the worst first" in page
    assert "Worst images" not in page
    assert "2 images below are drawn on grey" in page


def test_labels_of_charts_stand_apart(written, charts):
    page = (written[0] / "report.html").read_text(encoding="utf-8")
    drawn = re.findall(r'<svg class="chart".*?</svg>', page)
    assert len(drawn) >= 6
    assert [charts.collisions(svg) for svg in drawn] == [[]] * len(drawn)


def test_no_bare_dice_is_printed(written):
    page = Page()
    page.feed((written[0] / "report.html").read_text(encoding="utf-8"))
    assert not re.search(r"\bDice\b", " ".join(page.text))


def test_scores_json_is_what_the_schema_says(written):
    folder, scores = written
    document = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    assert Scores.model_validate(document) == scores == read_scores(folder)
    assert scores_json(scores) == (folder / "scores.json").read_text(encoding="utf-8")
    document["something"] = 1
    with pytest.raises(ValueError, match="something"):
        Scores.model_validate(document)


def test_the_schema_in_docs_is_the_schema_of_the_code():
    path = ROOT / "docs" / "scores.schema.json"
    assert json.loads(path.read_text(encoding="utf-8")) == json_schema(), (
        "write it again: python -m flexunet.evaluation.tables.document docs"
    )


def test_the_table_of_scores_in_docs_is_that_of_the_rows():
    page = (ROOT / "docs" / "scores-schema.md").read_text(encoding="utf-8")
    assert with_score_table(page) == page, (
        "write it again: python -m flexunet.evaluation.tables.document docs"
    )
    with pytest.raises(ValueError, match="needs the lines"):
        with_score_table("# Scores\n")


def test_every_key_of_the_document_is_explained():
    text = (ROOT / "docs" / "scores-schema.md").read_text(encoding="utf-8")
    missing = [name for name in json_schema()["properties"] if f"`{name}`" not in text]
    assert not missing


def test_the_card_has_the_figures_and_the_limits(written):
    card = model_card(written[1], "a | model", {"architecture": "flexunet"})
    assert card.startswith("# Model card: a | model\n")
    assert f"{written[1].foreground.dice_per_image_mean.value:.3f}" in card
    assert "| architecture | flexunet |" in card
    assert "no medical device" in card
    assert not re.search(r"\bDice\b", card)


def test_published_figures_as_published():
    assert [published_text(value) for value in (0.118987657, 0.91397, 0.9990161, 1.0)] == [
        "0.119", "0.914", "0.999", "1.0"
    ]  # fmt: skip


def test_best_and_worst_cases_are_kept_and_no_more():
    gallery = Extremes(2)
    truth = np.zeros((30, 30), np.uint8)
    truth[5:15, 5:15] = 1
    for shift in (3, 0, 5, 1, 4):
        prediction = np.roll(truth, shift, 0)
        scores = score_image(truth, prediction, 2, ScoringRules())
        gallery.offer(f"shift {shift}", None, truth, prediction, scores)
    empty = np.zeros_like(truth)
    gallery.offer("nothing", None, empty, empty, score_image(empty, empty, 2, ScoringRules()))
    assert [case.name for case in gallery.worst] == ["shift 5", "shift 4"]
    assert [case.name for case in gallery.best] == ["shift 0", "shift 1"]
    np.testing.assert_array_equal(gallery.best[0].masks()[0], truth)


def test_every_pixel_is_right_missed_false_or_confused():
    rng = np.random.default_rng(1)
    truth, prediction = rng.integers(0, 3, (2, 20, 20), np.uint8)
    found = regions(truth, prediction)
    total = sum(region.astype(int) for region in found.values())
    np.testing.assert_array_equal(total, ((truth > 0) | (prediction > 0)).astype(int))
    assert found.keys() == COLORS.keys()


def test_the_close_up_holds_the_largest_region():
    truth, prediction = np.zeros((100, 200), np.uint8), np.zeros((100, 200), np.uint8)
    truth[80:98, 170:195] = 1
    top, left, side = focus(truth, prediction)
    assert top <= 80
    assert top + side == 100
    assert left + side == 200
    image = np.full((100, 200, 3), 1000, np.uint16)
    assert close_up(image, truth, prediction, 64).shape == (64, 64, 3)
    assert overlay(image, truth, prediction, 64).shape == (32, 64, 3)


def linear(color):
    values = np.array(color) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize(
    "matrix",
    [
        np.eye(3),
        # Machado, Oliveira, Fernandes (2009), IEEE TVCG 15(6), severity 1: protan, deutan, tritan.
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ],
    ids=["normal", "protan", "deutan", "tritan"],
)
def test_the_three_colours_stay_apart_for_every_kind_of_colour_vision(matrix):
    from skimage.color import rgb2lab

    seen = []
    for name in ("correct", "missed", "false"):
        light = np.clip(np.array(matrix) @ linear(COLORS[name]), 0, 1)
        screen = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
        seen.append(rgb2lab(screen))
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert np.linalg.norm(seen[first] - seen[second]) > 25


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_print_is_dark_on_white_where_the_screen_is_dark_too(written, open_page, scheme):
    page = open_page((written[0] / "report.html").as_uri(), 1200)
    page.emulate_media(color_scheme=scheme, media="print")
    ink, paper = (
        page.evaluate(f"getComputedStyle(document.querySelector('section')).{name}")
        for name in ("color", "backgroundColor")
    )
    assert brightness(ink) < 0.15 < 0.95 < brightness(paper)
    page.emulate_media(color_scheme=scheme, media="screen")
    assert (brightness(page.evaluate("getComputedStyle(document.body).color")) > 0.8) is (scheme == "dark")


def brightness(color):
    """Mean of the three channels of `rgb(r, g, b)`, from 0 to 1."""
    channels = [int(each) for each in re.findall(r"\d+", color)]
    return sum(channels[:3]) / (3 * 255)


def test_every_page_is_dark_on_the_screen_alone():
    pages = [
        path for path in ROOT.glob("src/flexunet/**/*.jinja") if "prefers-color-scheme" in path.read_text()
    ]
    assert len(pages) >= 5
    for path in pages:
        assert "@media screen and (prefers-color-scheme: dark)" in path.read_text(), path
