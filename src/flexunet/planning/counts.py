"""Parameters and multiply-adds of architectures, kept, so that a list of models builds none.

Those of the default configuration are in `counts.json` beside this module; `python -m
flexunet.planning.counts` writes it anew, and a test compares it with the models. Others are kept in the
user's cache folder, by the digest of the configuration and of the code that builds models.
"""

from __future__ import annotations

import contextlib
import functools
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

from flexunet.config.architectures import ARCHITECTURES, Architecture
from flexunet.config.files import default_config
from flexunet.data.dataset.digests import digest_of, digest_of_text
from flexunet.errors import InputError
from flexunet.files import write_text

if TYPE_CHECKING:
    import keras

    from flexunet.config.schema import Config

SHIPPED = Path(__file__).with_name("counts.json")


@dataclass(frozen=True)
class Counts:
    """What an architecture costs as configured.

    Attributes:
        parameters: Numbers in its weights; none where it cannot be built.
        multiply_adds: Of one image.
        problem: Why it cannot be built.
    """

    parameters: int | None = None
    multiply_adds: int | None = None
    problem: str | None = None


def counts_of(entry: Architecture, config: Config) -> Counts:
    """The counts of an architecture with the keys of a configuration, kept ones where there are any."""
    if known := _shipped().get(_key(entry, config)):
        return known
    path = user_cache_path("flexunet") / "counts" / f"{_key(entry, config)}-{_code()}.json"
    try:
        return Counts(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        counts = count(entry, config)
    with contextlib.suppress(InputError, OSError):  # what cannot be kept is counted again
        write_text(path, json.dumps(asdict(counts)))
    return counts


def count(entry: Architecture, config: Config) -> Counts:
    """Build an architecture without arrays for its weights, and count."""
    import keras

    from flexunet.models.registry import module_of

    try:
        with keras.StatelessScope(initialize_variables=False):
            return counts_of_model(module_of(entry).build(config))
    except InputError as error:
        return Counts(problem=str(error))


def counts_of_model(model: keras.Model) -> Counts:
    """The counts of a model that is built."""
    from flexunet.models.operations_count import multiply_adds

    return Counts(model.count_params(), multiply_adds(model))


def write_shipped() -> None:
    """Write `counts.json`: all architectures as `flexunet models` lists them without an option."""
    rows = {}
    for entry in ARCHITECTURES:
        config = listed_config()
        rows[entry.name] = {"key": _key(entry, config), **asdict(count(entry, config))}
    write_text(SHIPPED, json.dumps(rows, indent=1) + "\n")


def listed_config(size: int = 256) -> Config:
    """The default configuration with images of a size."""
    config = default_config(())
    config.model.image_width = config.model.image_height = size
    return config


def _key(entry: Architecture, config: Config) -> str:
    keys = config.model.model_dump(mode="json", exclude={"model"})
    return digest_of_text(json.dumps([entry.module, keys, sorted(config.model.model_fields_set)]))


@functools.cache
def _shipped() -> dict[str, Counts]:
    rows = json.loads(SHIPPED.read_bytes())
    return {row.pop("key"): Counts(**row) for row in rows.values()}


@functools.cache
def _code() -> str:
    """Digest of the modules that build models."""
    files = sorted((Path(__file__).parents[1] / "models").rglob("*.py"))
    return digest_of_text(" ".join(digest_of(file) for file in files))[:16]


if __name__ == "__main__":
    write_shipped()
