"""Tables of what the published system names otherwise, from the tables that the readers use."""

from __future__ import annotations

from flexunet.config.architectures import ARCHITECTURES
from flexunet.config.published_keys import OLDER_DEFAULTS
from flexunet.config.schema import section_class
from flexunet.config.writing import toml_value


def architectures() -> str:
    """Published class names and the name that `[model] model` has here; both are read."""
    rows = [
        f"| {', '.join(f'`{name}`' for name in row.published)} | `{row.name}` |"
        for row in ARCHITECTURES
        if row.published
    ]
    return "\n".join(["| published name | name here |", "|---|---|", *rows])


def older_defaults() -> str:
    """Defaults of keys that a configuration of the older dialect leaves out."""
    rows = []
    for (section, key), older in OLDER_DEFAULTS.items():
        newer = section_class(section).model_fields[key].default
        said = "width of the model" if older is None else f"`{toml_value(older)}`"
        rows.append(f"| `[{section}] {key}` | {said} | `{toml_value(newer)}` |")
    return "\n".join(["| key | older dialect | otherwise |", "|---|---|---|", *rows])
