"""Train, draft, review, train again: which images are chosen, and two rounds through the real desk."""

import numpy as np
import pytest

from flexunet.config.files import load_config
from flexunet.config.writing import write_config
from flexunet.data.dataset.manifest import Manifest
from flexunet.data.images.files.write import write_image
from flexunet.data.phantom.dataset import write_phantom_dataset
from flexunet.errors import ConfigError
from flexunet.review.desk import Desk
from flexunet.review.loop.choose import choose, class_entropies
from flexunet.review.loop.page import write_loop_page
from flexunet.review.loop.rounds import ARMS, Loop, advance, outcome_of
from flexunet.review.readings.decisions import Verdict
from flexunet.review.settings import DeskSettings
from flexunet.review.sources.open import Given

CONFIG = """
[model]
image_width = 32
image_height = 32
num_layers = 2
base_filters = 2
base_kernels = [3, 3]
[train]
images_dir = "dataset/train/images"
masks_dir = "dataset/train/masks"
epochs = 1
epoch_change_infer = false
run_dir = "run"
[valid]
images_dir = "dataset/valid/images"
masks_dir = "dataset/valid/masks"
"""


def test_entropy_of_a_class_is_that_of_the_pixels_that_show_it():
    probabilities = np.zeros((1, 4, 3))
    probabilities[0] = [[1, 0, 0], [0.5, 0.5, 0], [0.25, 0.5, 0.25], [0.9, 0.02, 0.08]]

    def entropy(*shares):
        return -sum(share * np.log(share) for share in shares) / np.log(3)

    found = class_entropies(probabilities)
    assert found[1] == pytest.approx((entropy(0.5, 0.5) + entropy(0.25, 0.5, 0.25)) / 2)
    assert found[2] == pytest.approx((entropy(0.25, 0.5, 0.25) + entropy(0.9, 0.02, 0.08)) / 2)
    assert class_entropies(np.zeros((2, 2, 1))) == {1: 0.0}
    assert class_entropies(np.full((2, 2, 1), 0.5))[1] == pytest.approx(1)


def test_late_rounds_take_the_least_certain_and_early_ones_spread():
    pool = {f"{number:03d}": {1: (number + 1) / 100} for number in range(100)}
    late = choose(pool, 10, 20, np.random.default_rng(0))
    assert late == [f"{number:03d}" for number in range(99, 89, -1)]
    early = choose(pool, 10, 1, np.random.default_rng(0))
    assert set(early) != set(late)
    draws = [choose(pool, 10, 1, np.random.default_rng(seed)) for seed in range(50)]
    assert 55 < np.mean([[int(name) for name in draw] for draw in draws]) < 90  # the uncertain, more often
    assert choose(pool, 10, 1, np.random.default_rng(0)) == early


def test_each_class_gets_its_turn():
    pool = {f"a{number}": {1: 0.9, 2: 0.0} for number in range(20)}
    pool |= {f"b{number}": {1: 0.0, 2: 0.1} for number in range(3)}
    chosen = choose(pool, 6, 20, np.random.default_rng(0))
    assert sorted(name[0] for name in chosen) == ["a", "a", "a", "b", "b", "b"]
    assert len(choose(pool, 99, 1, np.random.default_rng(0))) == 23
    assert choose({}, 5, 1, np.random.default_rng(0)) == []


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    from flexunet.training.run import train

    folder = tmp_path_factory.mktemp("loop")
    write_phantom_dataset(
        folder / "dataset", patients=4, splits={"train": 0.5, "valid": 0.5}, width=32, height=32
    )
    (folder / "config.toml").write_text(CONFIG)
    train(load_config(folder / "config.toml"))
    rng = np.random.default_rng(0)
    for number in range(5):
        write_image(folder / "pool" / f"new_{number}.png", rng.integers(0, 256, (40, 40), dtype=np.uint8))
    return folder


def review(folder, run, verdicts):
    """A reader's hand: each image in turn, drawn on where the verdict is `correct`."""
    desk = Desk(DeskSettings(Given(folder), run=load_config(run)))
    _, rows = desk.queue.page(desk.wish("ann"))
    for (item, _), verdict in zip(rows, verdicts, strict=False):
        where = desk.where(item, "")
        mask = desk.masks.newest(where)
        if verdict == "correct":
            labels = np.zeros_like(mask.labels)
            labels[5:15, 5:15] = 1
            mask = desk.masks.replace(where, mask.version, labels, "ann", "brush")
        checked = desk.images.checked(item.id)
        desk.decisions.sign(where, checked, mask.version, Verdict(verdict, 4.0), "ann")
    desk.close()


def test_two_rounds(trained, tmp_path, open_page):
    loop = Loop(trained / "run", trained / "pool", tmp_path / "loop", take=1, seed=3)
    said = []
    first = advance(loop, said.append)
    assert first == tmp_path / "loop" / "round_1" / "to_review"
    rows = Manifest.read(first).rows
    assert [row["arm"] for row in rows] == ["chosen", "random"]
    assert {row["status"] for row in rows} == {"draft"}
    assert advance(loop, said.append) == first
    assert said[-1] == "round 1: 2 images wait for their review"
    review(first, loop.run, ["correct", "correct"])
    outcome = outcome_of(loop, 1)
    assert {arm: (outcome[arm].images, outcome[arm].waiting) for arm in ARMS} == dict.fromkeys(ARMS, (1, 0))
    second = advance(loop, said.append)
    assert second == tmp_path / "loop" / "round_2" / "to_review"
    used = {row["file"] for row in rows}
    assert not used & {row["file"] for row in Manifest.read(second).rows}
    for arm, row in zip(ARMS, rows, strict=True):
        training = Manifest.read(tmp_path / "loop" / "round_1" / arm / "train").rows
        reviewed = [each for each in training if each.get("arm")]
        assert [(each["file"], each["status"], each["annotator"]) for each in reviewed] == [
            (row["file"], "corrected", "ann")
        ]
        assert (loop.run_of(1, arm) / "finished").is_file()
    page = open_page(write_loop_page(loop).as_uri(), 1000)
    cells = page.locator("tbody tr").evaluate_all("rows => rows.map(r => r.innerText.split(/\\s+/))")
    assert [cell[:6] for cell in cells[:2]] == [
        ["1", "chosen", "1", "0", "0", "1"],
        ["1", "random", "1", "0", "0", "1"],
    ]
    review(second, loop.run, ["reject", "unsure"])
    third = advance(loop, said.append)
    assert len(Manifest.read(third).rows) == 1
    review(third, loop.run, ["accept"])
    assert advance(loop, said.append) is None
    assert said[-1] == "the pool is used up"


def test_a_run_without_validation_images_is_refused(trained, tmp_path):
    config = load_config(trained / "run")
    config.valid.images_dir = config.valid.masks_dir = None
    write_config(config, tmp_path / "run" / "config.toml")
    with pytest.raises(ConfigError, match="same validation images"):
        advance(Loop(tmp_path / "run", trained / "pool", tmp_path / "loop"), print)
