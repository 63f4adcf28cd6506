"""What is asked for at the same time is predicted together, and everybody gets their own."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import pytest

from flexunet.config.files import load_config
from flexunet.errors import EngineError
from flexunet.inference.predict.predictor import Predictor
from flexunet.serve.batching import BatchingModel, share_models

from .conftest import draw


class Doubling:
    """Twice the input; waits at a gate, notes the sizes of its batches, chokes on negative numbers."""

    def __init__(self):
        self.gate = threading.Event()
        self.started = threading.Event()
        self.sizes = []

    def predict_on_batch(self, pixels):
        self.sizes.append(len(pixels))
        self.started.set()
        self.gate.wait()
        if (pixels < 0).any():
            raise ValueError("negative")
        return pixels * 2


def image(value, count=1):
    return np.full((count, 2, 2, 1), value, np.float32)


def ask_behind_a_closed_gate(batching, wanted):
    """Ask for one image, and for the others while that one is at work; futures of all."""
    pool = ThreadPoolExecutor(len(wanted))
    first = pool.submit(batching.predict_on_batch, wanted[0])
    assert batching.model.started.wait()
    futures = [first]
    for number, pixels in enumerate(wanted[1:], start=1):
        futures.append(pool.submit(batching.predict_on_batch, pixels))
        while batching._waiting.qsize() < number:  # in this order
            time.sleep(0.001)
    batching.model.gate.set()
    wait(futures)
    pool.shutdown()
    return futures


def test_waiting_images_go_together_and_come_apart():
    batching = BatchingModel(Doubling(), most=4)
    futures = ask_behind_a_closed_gate(batching, [image(value) for value in range(1, 8)])
    assert [float(future.result().max()) for future in futures] == [2, 4, 6, 8, 10, 12, 14]
    assert all(future.result().shape == (1, 2, 2, 1) for future in futures)
    # The one at the gate, then four, then the last two.
    assert batching.model.sizes == [1, 4, 2]
    batching.close()


def test_batches_are_filled_up_to_powers_of_two_and_cut_back():
    noted = []
    model = Doubling()
    model.gate.set()
    batching = BatchingModel(model, most=4, observe=lambda images, seconds: noted.append(images))
    answer = batching.predict_on_batch(image(3, count=3))
    assert answer.shape == (3, 2, 2, 1)
    assert (answer == 6).all()
    assert (model.sizes, noted) == ([4], [3])
    batching.warm_up((2, 2, 1))
    assert model.sizes[1:] == [1, 2, 4]
    batching.fill = False
    assert batching.predict_on_batch(image(3, count=3)).shape == (3, 2, 2, 1)
    assert model.sizes[4:] == [3]
    batching.close()


def test_more_than_a_batch_holds_go_by_themselves():
    batching = BatchingModel(Doubling(), most=2)
    futures = ask_behind_a_closed_gate(batching, [image(1), image(2, count=3), image(3)])
    assert [len(future.result()) for future in futures] == [1, 3, 1]
    assert batching.model.sizes == [1, 4, 1]
    batching.close()


def test_the_fault_of_one_is_not_that_of_its_neighbours():
    batching = BatchingModel(Doubling(), most=4)
    futures = ask_behind_a_closed_gate(batching, [image(1), image(2), image(-1), image(3)])
    assert [float(futures[number].result().max()) for number in (0, 1, 3)] == [2, 4, 6]
    with pytest.raises(ValueError, match="negative"):
        futures[2].result()
    batching.close()


def test_what_waits_is_answered_before_it_closes():
    batching = BatchingModel(Doubling(), most=1)
    pool = ThreadPoolExecutor(4)
    futures = [pool.submit(batching.predict_on_batch, image(value)) for value in (1, 2, 3)]
    while batching._waiting.qsize() < 2:
        time.sleep(0.001)
    closing = pool.submit(batching.close)
    batching._closed.wait()
    batching.model.gate.set()
    closing.result()
    assert sorted(float(future.result().max()) for future in futures) == [2, 4, 6]
    with pytest.raises(EngineError, match="shutting down"):
        batching.predict_on_batch(image(1))
    pool.shutdown()


def test_members_of_an_ensemble_are_shared_too(run):
    config = load_config(run, [f"infer.ensemble={[str(run), str(run)]!r}"])
    images = [draw(seed) for seed in range(6)]
    expected = [Predictor.load(config)(image) for image in images]
    predictor = Predictor.load(config)
    noted = []
    close = share_models(predictor, most=2, observe=lambda images, seconds: noted.append(images))
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(predictor, images))
    close()
    assert sum(noted) == 12  # six images through two models
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    with pytest.raises(EngineError, match="shutting down"):
        predictor(images[0])
