"""Score images as they come: a bounded number in flight, only their scores kept."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from flexunet.cluster import work_on_cluster
from flexunet.data.images.color_map import IGNORED
from flexunet.data.images.masks.indices import without_ignored
from flexunet.evaluation.scores.images import ImageScores, score_image
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.tables.extremes import Extremes
from flexunet.evaluation.tables.rows import ImageOrigin, Tables, Tally
from flexunet.inference.predict.calibration import Calibration
from flexunet.inference.predict.probabilities import mask_of
from flexunet.progress import Progress, silent

Given = TypeVar("Given")
Made = TypeVar("Made")


class Prediction(NamedTuple):
    """One image to score.

    Attributes:
        origin: Which image it is.
        truth: Class indices, uint8 `(H, W)`.
        mask: Predicted class indices; None takes the most probable class.
        probabilities: Float32 `(H, W, C)`, or None.
        spacing: Height and width of a pixel in mm, or None.
        image_path: The image, for pictures of the best and worst images.
        breast: Share of the image that the breast covers; NaN where the image is not at hand.
        numbers: The lesion of each pixel of the truth, where components do not tell lesions apart.
    """

    origin: ImageOrigin
    truth: NDArray[np.uint8]
    mask: NDArray[np.uint8] | None = None
    probabilities: NDArray[np.float32] | None = None
    spacing: tuple[float, float] | None = None
    image_path: str | None = None
    breast: float = float("nan")
    numbers: NDArray[np.uint8] | None = None


def default_jobs() -> int:
    """Number of processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_bounded(function: Callable[[Given], Made], items: Iterable[Given], jobs: int) -> Iterator[Made]:
    """Apply a function in threads, results in order, never more than twice `jobs` items in flight.

    Threads suffice: decoding, labelling and sorting release the interpreter's lock.

    Args:
        function: What to do with each item.
        items: The items, taken as they are needed.
        jobs: Threads; 1 works in the caller's.

    Yields:
        The results.
    """
    if jobs <= 1:
        yield from map(function, items)
        return
    waiting: deque[Future[Made]] = deque()
    source = iter(items)
    pool = ThreadPoolExecutor(jobs)
    try:
        waiting.extend(pool.submit(function, item) for item in islice(source, 2 * jobs))
        while waiting:
            made = waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(source, 1))
            yield made
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def score_stream(
    items: Iterable[Given],
    read: Callable[[Given], Prediction],
    num_classes: int,
    rules: ScoringRules,
    *,
    jobs: int | None = None,
    ray: str | None = None,
    calibration: Calibration | None = None,
    gallery: Extremes | None = None,
    progress: Progress = silent,
    stage: str = "scoring",
    total: int = 0,
) -> Tables:
    """Score many images; memory holds a few images at a time and their scores.

    Args:
        items: What `read` takes, e.g. pairs of paths.
        read: Makes the prediction to score of an item; runs in the worker threads.
        num_classes: Number of classes, background included.
        rules: The rules.
        jobs: Threads, all processors by default.
        ray: Address of a Ray cluster that reads and scores in place of threads; see `work_on_cluster`.
        calibration: Temperature and threshold fitted on the validation split.
        gallery: Keeps the best and worst images for the report.
        progress: Told how many images are scored.
        stage: What it is told is being done.
        total: Number of items, for the progress.

    Returns:
        The tables.

    Raises:
        DatasetError: if there are no images or two have the same name.
    """

    def work(item: Given) -> tuple[Prediction, ImageScores]:
        found = read(item)
        mask = found.mask
        if mask is None and found.probabilities is not None:
            mask = mask_of(found.probabilities)
        scores = score_image(
            found.truth,
            mask,
            num_classes,
            rules,
            probabilities=found.probabilities,
            spacing=found.spacing,
            calibration=calibration,
            numbers=found.numbers,
        )
        truth, ignored = without_ignored(found.truth) if num_classes <= IGNORED else (found.truth, None)
        if ignored is not None and mask is not None:
            mask = np.where(ignored, np.uint8(0), mask)  # pictures show what counts
        scored = found._replace(truth=truth, mask=mask, probabilities=None, numbers=None)
        return scored, scores._replace(breast=found.breast)

    tally = Tally()
    made = (
        work_on_cluster(work, list(items), ray)
        if ray
        else map_bounded(work, items, default_jobs() if jobs is None else jobs)
    )
    for done, (prediction, scores) in enumerate(made, start=1):
        tally.add(prediction.origin, scores)
        if gallery is not None and prediction.mask is not None:
            gallery.offer(
                prediction.origin.name, prediction.image_path, prediction.truth, prediction.mask, scores
            )
        progress(stage, done, total)
    return tally.finish()
