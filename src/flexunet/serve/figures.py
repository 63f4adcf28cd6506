"""Figures of a running service, in the text format of Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Figures:
    """What is counted and timed.

    Attributes:
        requests: Answers, by method, route and status.
        seconds: Time from request to answer, by route.
        at_work: Predictions that are waiting or under way.
        arriving: Images that are being sent.
        refused: Requests turned away because too many were waiting.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "flexunet_requests", "Answers.", ("method", "route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "flexunet_request_seconds",
            "Time from request to answer.",
            ("route",),
            registry=self.registry,
            buckets=_SECONDS,
        )
        self.at_work = Gauge(
            "flexunet_predictions_at_work", "Predictions that wait or run.", registry=self.registry
        )
        self.arriving = Gauge("flexunet_images_arriving", "Images being sent.", registry=self.registry)
        self.refused = Counter(
            "flexunet_refused",
            "Requests refused because too many images were waiting.",
            registry=self.registry,
        )
        self._images = Counter("flexunet_images", "Images through the model.", registry=self.registry)
        self._batches = Histogram(
            "flexunet_batch_images",
            "Images of a batch.",
            registry=self.registry,
            buckets=(1, 2, 4, 8, 16, 32),
        )
        self._model = Histogram(
            "flexunet_model_seconds", "Time of a batch.", registry=self.registry, buckets=_SECONDS
        )

    def observe_batch(self, images: int, seconds: float) -> None:
        """Note a batch that went through the model."""
        self._images.inc(images)
        self._batches.observe(images)
        self._model.observe(seconds)

    def text(self) -> bytes:
        """All figures."""
        return generate_latest(self.registry)
