"""FlexUNet: segment mammograms and other medical images from one configuration file.

The public names below load on first use, so that importing the package starts no engine.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from flexunet.version import __version__

if TYPE_CHECKING:
    from flexunet.config.files import load_config
    from flexunet.config.schema import Config
    from flexunet.data.dataset.pairs import Pair, find_pairs
    from flexunet.data.images.masks import ColorMap
    from flexunet.inference.predict.predictor import Predictor

_PUBLIC = {
    "Config": "flexunet.config.schema",
    "load_config": "flexunet.config.files",
    "ColorMap": "flexunet.data.images.masks",
    "Pair": "flexunet.data.dataset.pairs",
    "find_pairs": "flexunet.data.dataset.pairs",
    "Predictor": "flexunet.inference.predict.predictor",
}

__all__ = ["ColorMap", "Config", "Pair", "Predictor", "__version__", "find_pairs", "load_config"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'flexunet' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return __all__
