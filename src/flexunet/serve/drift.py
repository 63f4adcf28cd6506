"""Drift of the images that a service has answered lately, as gauges for Prometheus.

Figures alone are kept: no picture, no name, no patient. Nothing here may cost an answer.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from flexunet.data.dataset.identity import Identity
from flexunet.data.dicom.read import read_facts
from flexunet.evaluation.drift.compare import Difference, compare
from flexunet.evaluation.drift.measures import (
    ImageMeasures,
    measures_of_acquisition,
    measures_of_picture,
    measures_of_prediction,
)
from flexunet.evaluation.drift.reference import Reference, read_reference

if TYPE_CHECKING:
    from flexunet.config.schema import Config
    from flexunet.inference.cases import Case

log = logging.getLogger("flexunet.serve")
WINDOW = 500  # images
_NOBODY = Identity("", "")


class DriftWindow(Collector):
    """The measures of the last images, compared with those of the training when somebody asks.

    Args:
        reference: What they are compared with.
        size: Number of images that are kept.
    """

    def __init__(self, reference: Reference, size: int = WINDOW):
        self.reference = reference
        self._recent: deque[ImageMeasures] = deque(maxlen=size)
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._compared: tuple[int, list[Difference]] = (0, [])
        self._seen = 0

    @classmethod
    def of_run(cls, config: Config) -> DriftWindow | None:
        """The window of a run; None where its training was not measured yet."""
        reference = read_reference(config)
        if reference is None:
            log.info("no drift gauges: run `flexunet drift %s` once to measure its training", config.run_dir)
            return None
        return cls(reference)

    def note(self, path: Path, case: Case, mask: np.ndarray, probabilities: np.ndarray) -> None:
        """Keep the measures of an image that was answered.

        Args:
            path: Its file.
            case: The image.
            mask: Its mask, as answered.
            probabilities: What the model said.
        """
        try:
            facts = read_facts(path) if case.is_dicom else None
            values = {
                **measures_of_picture(case.image),
                **measures_of_acquisition(_NOBODY, facts, case.spacing),
                **measures_of_prediction(mask, probabilities),
            }
        except Exception:
            log.exception("an image could not be measured for drift")
            return
        with self._lock:
            name = str(next(self._numbers))
            self._recent.append(ImageMeasures(name, name, values))
            self._seen += 1

    def differences(self) -> list[Difference]:
        """Every measure, compared; worked out again only after further images."""
        with self._lock:
            seen, recent = self._seen, list(self._recent)
        if self._compared[0] != seen or not self._compared[1]:
            self._compared = seen, compare(self.reference.measured, recent)
        return self._compared[1]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges."""
        differences = self.differences()
        count = GaugeMetricFamily("flexunet_drift_window_images", "Images that drift is computed over.")
        with self._lock:
            count.add_metric([], len(self._recent))
        yield count
        drifted = GaugeMetricFamily(
            "flexunet_drift", "1 where a measure has drifted, 0 where none is shown.", labels=("measure",)
        )
        index = GaugeMetricFamily(
            "flexunet_drift_psi", "Population stability index against the training.", labels=("measure",)
        )
        chance = GaugeMetricFamily(
            "flexunet_drift_p", "P value against the training, after Holm's correction.", labels=("measure",)
        )
        middle = GaugeMetricFamily(
            "flexunet_drift_median",
            "Median of the window; of words the share of the commonest word of the training.",
            labels=("measure",),
        )
        for one in differences:
            if one.p_corrected is None or one.psi is None or one.medians is None:
                continue  # too few images, or not known: no gauge, rather than one that says nothing
            name = [one.measure.name]
            drifted.add_metric(name, float(bool(one)))
            index.add_metric(name, one.psi)
            chance.add_metric(name, one.p_corrected)
            middle.add_metric(name, one.medians[1])
        yield from (drifted, index, chance, middle)

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing: the gauges are named when they are collected."""
        return []
