"""The table of keys in docs/configuration.md, made from the schema.

Run `python -m flexunet.config.page docs/configuration.md` after a change of the schema; a test compares.
"""

from __future__ import annotations

import re
import sys
from typing import Any

from flexunet.config.published_keys import ALIASES, NO_EFFECT
from flexunet.config.schema import Config, section_class
from flexunet.config.writing import toml_value
from flexunet.files import renew_page, with_tables

_START = "<!-- The tables below are made by `python -m flexunet.config.page`; do not edit them. -->"
_END = "<!-- End of the tables. -->"


def key_tables() -> str:
    """Every section and key, other spellings, and keys without effect, as Markdown."""
    parts = []
    for section in Config.model_fields:
        cls = section_class(section)
        schema = cls.model_json_schema()
        rows = [
            f"| `{key}` | {_kind(schema['properties'][key], schema)} | {_default(field.default)} "
            f"| {field.description} |"
            for key, field in cls.model_fields.items()
        ]
        parts.append(
            f"### [{section}]\n\n{cls.__doc__}\n\n| key | value | default | meaning |\n|---|---|---|---|\n"
            + "\n".join(rows)
        )
    parts.append(
        "### Other spellings that are understood\n\n| written | read as |\n|---|---|\n"
        + "\n".join(f"| {_name(written)} | {_name(meant)} |" for written, meant in ALIASES.items())
    )
    parts.append(
        "### Keys that are accepted without effect\n\n| key | why |\n|---|---|\n"
        + "\n".join(f"| {_name(key)} | {reason} |" for key, reason in NO_EFFECT.items())
    )
    return "\n\n".join(parts)


def json_schema() -> dict[str, Any]:
    """The JSON schema of a configuration."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}


def renewed(page: str) -> str:
    """The page with its tables made anew.

    Raises:
        ValueError: if the page has no place for them.
    """
    return with_tables(page, _START, _END, key_tables())


def _name(key: tuple[str, str]) -> str:
    return f"`[{key[0]}]`, every key" if key[1] == "*" else f"`[{key[0]}] {key[1]}`"


def _default(value: Any) -> str:
    return "not set" if value is None else f"`{toml_value(value)}`"


def _kind(schema: dict[str, Any], root: dict[str, Any]) -> str:
    """What values a key takes, in words."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
    if "path" in schema:
        kind = {"input": "path, read", "output": "path, written"}.get(schema["path"], "path")
        return f"list: {kind}" if "array" in str(schema) else kind
    if "anyOf" in schema:
        return " or ".join(kind for each in schema["anyOf"] if (kind := _kind(each, root)) != "nothing")
    if "enum" in schema:
        return ", ".join(f"`{toml_value(value)}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{toml_value(schema['const'])}`"
    if schema.get("type") == "array":
        if "prefixItems" in schema:
            return f"{len(schema['prefixItems'])} {_plural(_kind(schema['prefixItems'][0], root))}"
        return f"list of {_plural(_kind(schema['items'], root))}"
    of_objects = schema.get("type") == "object" and schema.get("additionalProperties")
    if isinstance(of_objects, dict) and of_objects.get("type") == "object":
        return "name = {colour = class index}"
    words = {
        "boolean": "true, false",
        "integer": "whole number",
        "number": "number",
        "string": "text",
        "null": "nothing",
        "object": "colour = class index",
    }
    return words[schema["type"]] + _bounds(schema)


def _bounds(schema: dict[str, Any]) -> str:
    bounds = []
    if "exclusiveMinimum" in schema:
        bounds.append(f"above {schema['exclusiveMinimum']:g}")
    if "minimum" in schema:
        bounds.append(f"from {schema['minimum']:g}")
    if "exclusiveMaximum" in schema:
        bounds.append(f"below {schema['exclusiveMaximum']:g}")
    if "maximum" in schema:
        bounds.append(f"to {schema['maximum']:g}")
    return f" {' '.join(bounds)}" if bounds else ""


def _plural(kind: str) -> str:
    return re.sub(r"\b(number|text|path)\b", r"\1s", kind)


if __name__ == "__main__":
    renew_page(sys.argv[1], renewed)
