"""What a service tells about its model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flexunet.data.configured import color_map, crop_size
from flexunet.errors import InputError
from flexunet.evaluation.report.outputs import read_scores
from flexunet.evaluation.scores.registry import shown_in
from flexunet.evaluation.tables.document import estimate_of
from flexunet.inference.runtimes.load import engine_name
from flexunet.version import __version__

if TYPE_CHECKING:
    from flexunet.config.schema import Config

_REPLY_KEYS = {"sensitivity": "lesion_sensitivity"}  # what replies have always called it
NOTICE = "For research. Not a medical device; the results do not replace a radiologist."


def model_facts(config: Config, digest: str, *, tiled: bool) -> dict[str, Any]:
    """The run, its model, its classes and how good its evaluation found it; ready for JSON.

    Args:
        config: The configuration of the run.
        digest: Digest of the model's weights.
        tiled: Whether images are predicted tile by tile; after training on crops they are in any case.
    """
    colors = color_map(config)
    names = ["background", *colors.foreground_names]
    return {
        "run": config.run_dir.resolve().name,
        "flexunet": __version__,
        "architecture": config.model.model,
        "digest": digest,
        "engine": engine_name(config),
        "input": {
            "width": config.model.image_width,
            "height": config.model.image_height,
            "channels": config.model.image_channels,
            "tiled": tiled or crop_size(config) is not None,
            "dicom_window": config.image.dicom_window,
            "normalize": config.image.normalize,
        },
        "classes": [
            {"index": index, "name": name, "color": colors.palette[index].tolist()}
            for index, name in enumerate(names)
        ],
        "evaluation": evaluation_of(config),
        "notice": NOTICE,
    }


def evaluation_of(config: Config) -> dict[str, Any] | None:
    """The main scores of the run's evaluation with their intervals; None where it has none to read."""
    try:
        scores = read_scores(config.output(config.evaluate.output_dir))
    except InputError:
        return None
    return {
        "split": scores.split,
        "created": scores.created,
        "images": scores.images,
        "patients": scores.patients if scores.patients_known else None,
        **{
            _REPLY_KEYS.get(score.key, score.key): estimate_of(scores, score).model_dump(mode="json")
            for score in shown_in("tiles")
        },
    }
