"""Images in flight: nothing is lost, nothing piles up, one that fails takes no other with it."""

import pickle
import threading
from pathlib import Path

import numpy as np
import pytest

from flexunet.config.schema import Config
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.errors import ImageError, ShapeError
from flexunet.inference.cases import Case, CaseReader
from flexunet.inference.image_work import ImageWork
from flexunet.inference.outputs.write import Outputs
from flexunet.inference.pipeline import Pipeline
from flexunet.inference.predict.predictor import Prediction


class Work:
    """Stands where `ImageWork` stands: images are numbers in their names; counts what is in flight."""

    tiled = False

    def __init__(self, side=10, unreadable=()):
        self.side = side
        self.unreadable = unreadable
        self.in_flight = 0
        self.most = 0
        self.lock = threading.Lock()

    def read(self, path):
        if int(path.stem) in self.unreadable:
            raise ImageError(f"{path} is torn")
        with self.lock:
            self.in_flight += 1
            self.most = max(self.most, self.in_flight)
        image = np.full((self.side, self.side, 1), int(path.stem), np.uint8)
        return Case(path, path.name, image, None, None, False)

    def write(self, case, name, prediction):
        with self.lock:
            self.in_flight -= 1
        return {"mask": name, "found": float(prediction.probabilities.max())}


class Doubles:
    """A model that doubles; what it refuses, it refuses for the whole batch."""

    classes = 1

    def __init__(self, batch_size=3, refused=()):
        self.batch_size = batch_size
        self.refused = refused
        self.calls = []

    def prepare(self, image):
        return image

    def forward(self, prepared):
        numbers = [int(each.max()) for each in prepared]
        self.calls.append(numbers)
        if bad := [number for number in numbers if number in self.refused]:
            raise ShapeError(f"cannot take {bad[0]}")
        return [each * np.float32(2) for each in prepared]

    def finish(self, raw, height, width):
        return Prediction(raw)


def names_of(count):
    return {Path(f"{number}.png"): f"{number}.png" for number in range(count)}


def test_every_image_comes_out_once_and_failures_stay_alone():
    outcomes = []
    work, model = Work(unreadable={4}), Doubles(refused={7})
    Pipeline(work, model).run(
        names_of(20),
        outcomes.append,
        finished=lambda path: {"old": True} if path.stem == "9" else None,
        complete=lambda path, record: record | {"path": path},
    )
    by_number = {int(outcome.path.stem): outcome for outcome in outcomes}
    assert sorted(by_number) == list(range(20))
    assert len(outcomes) == 20
    assert by_number[4].failure == "4.png is torn"
    assert by_number[7].failure == "cannot take 7"
    assert by_number[9].reused
    for number in set(range(20)) - {4, 7, 9}:
        assert by_number[number].record == {
            "mask": f"{number}.png", "found": 2 * number, "path": Path(f"{number}.png")
        }  # fmt: skip
    assert max(map(len, model.calls)) <= 3


@pytest.mark.parametrize(("memory", "most"), [(1 << 30, 11), (3 * 10 * 10 * 21, 3), (1, 2)])
def test_no_more_images_in_flight_than_memory_allows(memory, most):
    # A pixel is counted as 1 byte of image, 4 of probability and 16 of what is made of them. The first two
    # are read before their size is known.
    work = Work()
    outcomes = []
    Pipeline(work, Doubles(), memory=memory).run(names_of(40), outcomes.append)
    assert len(outcomes) == 40
    assert work.most <= most


def test_what_was_predicted_is_written_when_an_error_ends_the_run():
    outcomes = []

    class Breaks(Doubles):
        def forward(self, prepared):
            if len(self.calls) == 5:
                raise MemoryError
            return super().forward(prepared)

    pipeline = Pipeline(Work(), Breaks(batch_size=1))
    with pytest.raises(MemoryError):
        pipeline.run(names_of(20), outcomes.append)
    assert sorted(int(outcome.path.stem) for outcome in outcomes) == [0, 1, 2, 3, 4]


def test_the_work_on_an_image_travels_to_another_process(tmp_path):
    write_image(tmp_path / "a.png", np.full((12, 10), 200, np.uint8))
    config = Config(infer={"min_lesion_pixels": 3})
    outputs = Outputs(config, tmp_path / "masks", tmp_path / "masks_overlay")
    work = pickle.loads(pickle.dumps(ImageWork(CaseReader(config, {tmp_path / "a.png": "a.png"}), outputs)))
    case = work.read(tmp_path / "a.png")
    probabilities = np.zeros((12, 10, 1), np.float32)
    probabilities[2:4, 2:4] = probabilities[8, 8] = 0.9
    record = work.write(case, "a.png", Prediction(probabilities))
    assert record["foreground_pixels"] == 4
    assert read_image(tmp_path / "masks" / "a.png").any(axis=2).sum() == 4
