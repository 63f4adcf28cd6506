"""Checklists filled from a run: what is filled, what is left to a person, and that nothing is guessed."""

import json
import re
import shutil

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.errors import ConfigError, PathError
from flexunet.reporting.agreement import read_agreement
from flexunet.reporting.claim import CLAIM
from flexunet.reporting.facts import read_facts
from flexunet.reporting.figures import DOUBLE_MM, SINGLE_MM
from flexunet.reporting.flow import flow_of
from flexunet.reporting.model_cards import MODELCARD
from flexunet.reporting.tripod import TRIPOD
from flexunet.reporting.write import fill, write_checklists
from flexunet.review.desk import Desk
from flexunet.review.readings.decisions import Verdict
from flexunet.review.settings import DeskSettings
from flexunet.review.sources.open import Given
from flexunet.review.store.tables import Item


def answers(checklist, facts):
    return {item.number: answer for item, answer in fill(checklist, facts).rows}


def test_the_checklists_have_the_items_of_their_sources():
    assert [item.number for item in CLAIM.items] == [str(number) for number in range(1, 45)]
    numbers = [item.number for item in TRIPOD.items]
    assert list(dict.fromkeys(int(re.match(r"\d+", number)[0]) for number in numbers)) == list(range(1, 28))
    assert len(numbers) == 52
    assert numbers.index("12g") < numbers.index("13") < numbers.index("18f")
    assert list(dict.fromkeys(int(item.number[0]) for item in MODELCARD.items)) == list(range(1, 10))


def test_items_are_filled_from_the_files_of_the_run(config):
    found = answers(CLAIM, read_facts(config))
    assert found["22"].state == "filled"
    assert "12,345 parameters" in found["22"].text
    assert "engine jax" in found["23"].text
    assert found["26"].text.endswith("epoch 2, 1.5000.")
    assert "3 of at most 9 epochs" in found["25"].text
    assert "No patient is in two splits." in found["20"].text
    assert found["27"].state == "not applicable"
    assert found["38"].state == "filled"  # there are films with and without a lesion
    assert "specificity 1.000" in found["38"].text
    assert found["39"].text.startswith("Worst images: ")
    assert "Dice 0.000, 0 of " in found["39"].text


def test_what_no_file_tells_is_left_to_a_person(config):
    found = answers(CLAIM, read_facts(config))
    for number in ("3", "4", "5", "11", "14", "18", "30", "33", "34", "41", "44"):
        assert found[number].state == "person", number
        assert found[number].ask
    assert "--robustness" in found["30"].ask
    # Every item says where it comes from, or what a person has to write.
    for checklist in (CLAIM, TRIPOD, MODELCARD):
        for number, answer in answers(checklist, read_facts(config)).items():
            assert answer.where or answer.ask or answer.state == "not applicable", (checklist.name, number)
            assert answer.state != "filled" or (answer.text and not answer.ask), (checklist.name, number)


def test_a_run_without_its_images_knows_less(reported, config, tmp_path):
    for section in (config.train, config.valid, config.test):
        section.images_dir = section.masks_dir = str(tmp_path / "gone")
    found = answers(CLAIM, read_facts(config))
    assert found["20"].state == "person"
    assert "not at hand" in found["20"].ask
    assert found["37"].state == "filled"  # the evaluation is still there


def test_films_left_out_are_in_the_flow(config, tmp_path):
    unknown = flow_of(read_facts(config))
    assert unknown.entered is None
    derived = tmp_path / "derived"
    (derived / "to_review").mkdir(parents=True)
    (derived / "derive_journal.jsonl").write_text("")
    (derived / "excluded.csv").write_text(
        "raw_file,state,reason\na.jpg,excluded,no breast\nb.jpg,failed,no breast\n"
    )
    (derived / "to_review/manifest.csv").write_text("file,mask,raw_file,reason\nx.png,,x.jpg,no mask\n")
    facts = read_facts(config, derived=derived)
    images = sum(split.images for split in facts.splits.values())
    flow = flow_of(facts)
    assert flow.entered == ["Films read", f"{images + 3} films"]
    assert flow.left_out == ["Left out: 3", "no breast: 2", "no mask: 1"]
    assert flow.used == ["Images with masks", f"{images} images", "6 patients"]
    found = answers(CLAIM, facts)
    assert found["35"].state == "filled"
    assert "no breast (2); no mask (1)" in found["8"].text


def test_agreement_of_readers_answers_its_item(config):
    pair = {"readers": ["ann", "bob"], "images": 12, "dice_mean": 0.81, "kappa": {"lesion": 0.7}}
    repeats = {"ann": {"images": 3, "dice_mean": 0.9}, "bob": {"images": 0, "dice_mean": None}}
    facts = read_facts(config, agreement={"pairs": [pair], "repeats": repeats})
    found = answers(CLAIM, facts)["18"]
    assert found.state == "filled"
    assert "ann and bob both read 12 images: mean Dice 0.810, Cohen's kappa" in found.text
    assert "ann read 3 images twice" in found.text
    assert "bob read" not in found.text


def test_the_command_writes_pages_and_figures_at_journal_widths(reported, tmp_path):
    found = CliRunner().invoke(
        app, ["report", str(reported), "--claim", "--tripod", "--out", str(tmp_path)], env={"COLUMNS": "200"}
    )
    assert found.exit_code == 0, found.output
    counts = re.search(
        r"CLAIM 2024: (\d+) filled from data, (\d+) needs a person, (\d+) not applicable", found.output
    )
    assert sum(map(int, counts.groups())) == 44
    page = (tmp_path / "claim.html").read_text(encoding="utf-8")
    assert page.count('<td class="number">') == 44
    assert "<script" not in page
    assert "Calibration of probabilities" in page  # beyond the 44 items
    assert "Not known: calibration" in page  # masks have none
    markdown = (tmp_path / "claim.md").read_text(encoding="utf-8")
    assert sum(bool(re.match(r"\| \d+ \|", line)) for line in markdown.splitlines()) == 44
    document = json.loads((tmp_path / "tripod.json").read_text(encoding="utf-8"))
    assert len(document["items"]) == 52
    figures = {path.name: path for path in (tmp_path / "figures").iterdir()}
    assert {"flow.svg", "flow.pdf", "dice_by_size.svg", "decision.svg", "subgroups.pdf"} <= set(figures)
    assert "froc.svg" not in figures  # hard masks have one operating point
    for name, width in (("flow.svg", DOUBLE_MM), ("decision.svg", SINGLE_MM)):
        points = float(
            re.search(r'<svg [^>]*?width="([\d.]+)pt"', figures[name].read_text(encoding="utf-8"))[1]
        )
        assert points / 72 * 25.4 == pytest.approx(width, abs=0.1)
    assert figures["flow.pdf"].read_bytes().startswith(b"%PDF")


def test_the_same_run_gives_the_same_files(config, tmp_path):
    for name in ("one", "two"):
        write_checklists(read_facts(config), [MODELCARD], tmp_path / name)
    for path in (tmp_path / "one" / "figures").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / "figures" / path.name).read_bytes(), path.name


def test_hostile_names_are_text_on_the_page(config, tmp_path):
    pair = {"readers": ["<b>ann", "x|y"], "images": 1, "dice_mean": 1.0, "kappa": {"lesion": None}}
    facts = read_facts(config, agreement={"pairs": [pair], "repeats": {}})
    write_checklists(facts, [CLAIM], tmp_path)
    page = (tmp_path / "claim.html").read_text(encoding="utf-8")
    assert "<b>ann" not in page
    assert "&lt;b&gt;ann" in page
    assert "x\\|y" in (tmp_path / "claim.md").read_text(encoding="utf-8")


def test_what_cannot_be_is_refused(reported, tmp_path):
    def run(*arguments):
        return CliRunner().invoke(app, ["report", *map(str, arguments)]).exception

    assert isinstance(run(reported), ConfigError)
    assert isinstance(run(reported, "--claim", "--derived", tmp_path), PathError)
    assert isinstance(run(reported, "--claim", "--review", tmp_path), PathError)
    assert isinstance(run(reported, "--claim", "--evaluation", tmp_path), PathError)


def test_agreement_is_read_from_a_desk(reported):
    data = reported.parent / "data/test"
    desk = Desk(DeskSettings(Given(data), blind=True))
    try:
        with desk.database.read() as session:
            items = list(session.scalars(select(Item).order_by(Item.image)))[:3]
        for item in items:
            for reader, right in (("ann", 12), ("bob", 10)):
                where = desk.where(item, desk.track_of(reader))
                mask = desk.masks.newest(where)
                labels = mask.labels.copy()
                labels[2:12, 2 : right + 2] = 1
                drawn = desk.masks.replace(where, mask.version, labels, reader, "drawn")
                desk.decisions.sign(where, item, drawn.version, Verdict("correct", 5), reader)
    finally:
        desk.close()
    (pair,) = read_agreement(data)["pairs"]
    assert pair["readers"] == ["ann", "bob"]
    assert pair["images"] == 3
    assert pair["dice_mean"] == pytest.approx(2 * 100 / (120 + 100))


def test_other_evaluations_of_the_run_are_named(reported, config, tmp_path):
    assert "or that there was none" in answers(CLAIM, read_facts(config))["33"].ask
    elsewhere = reported / "elsewhere"
    shutil.copytree(reported / "evaluation", elsewhere)
    try:
        found = answers(CLAIM, read_facts(config))["33"]
    finally:
        shutil.rmtree(elsewhere)
    assert found.state == "person"
    assert found.text.startswith("Also evaluated with this run: elsewhere (")
