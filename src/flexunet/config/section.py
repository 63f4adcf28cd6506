"""What every section of the configuration is built from: its base class and the types of its values.

One field has one line of description under it. That line is the help, the comment in a written TOML file,
the text in the JSON schema and the row in docs/configuration.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, WithJsonSchema

Color = tuple[int, int, int]


class Section(BaseModel):
    """One section; unknown keys are refused, and a value must have the type that its key asks for."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        validate_assignment=True,
        validate_default=True,
    )

    @classmethod
    def path_keys(cls, kind: str) -> Iterator[str]:
        """Names of the keys that hold a path of this kind: "input" or "output"."""
        for name, field in cls.model_fields.items():
            extra = field.json_schema_extra
            if isinstance(extra, dict) and extra.get("path") == kind:
                yield name

    @classmethod
    def is_path(cls, key: str) -> bool:
        """Whether the key holds a path."""
        field = cls.model_fields.get(key)
        return (
            field is not None
            and isinstance(field.json_schema_extra, dict)
            and "path" in field.json_schema_extra
        )


def _listed(value: Any) -> Any:
    if isinstance(value, (tuple, set, frozenset)):
        return list(value)
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return [value]
    return value


def _paired(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return (value, value)
    return tuple(value) if isinstance(value, list) else value


def tupled(value: Any) -> Any:
    """A list, as TOML writes it, as a tuple; anything else as it is."""
    return tuple(value) if isinstance(value, list) else value


def _ascending(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError(f"the first number is more than the second: write ({value[1]:g}, {value[0]:g})")
    return value


def _centers(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [tuple(center) if isinstance(center, list) else center for center in value]
    return value


def _rgb_map(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    colors = [_color(color) for color in value]
    if repeated := [color for color in colors if colors.count(color) > 1]:
        raise ValueError(f"the colour {repeated[0]} is given twice")
    return dict(zip(colors, value.values(), strict=True))


def _color(value: Any) -> Any:
    """The colour a key of `rgb_map` means: a tuple, or in TOML the text "255,255,255" or "#ffffff"."""
    if not isinstance(value, str):
        return tuple(value) if isinstance(value, list) else value
    if re.fullmatch(r"#[0-9a-fA-F]{6}", value.strip()):
        digits = value.strip()[1:]
        return tuple(int(digits[i : i + 2], 16) for i in (0, 2, 4))
    parts = [part.strip() for part in value.strip(" ()[]").split(",")]
    if len(parts) == 3 and all(part.isdecimal() for part in parts):
        return tuple(int(part) for part in parts)
    return value


def _grey_or_color(value: Any) -> Any:
    """A colour, of which a grey may be one number: 128 means (128, 128, 128)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return (value, value, value)
    return _color(value)


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


Byte = Annotated[int, Field(ge=0, le=255)]
Positive = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Pair = Annotated[tuple[Positive, Positive], Strict(False), BeforeValidator(_paired)]
Probability = Annotated[float, Field(ge=0, le=1)]
_Above0 = Annotated[float, Field(gt=0)]
_From0 = Annotated[float, Field(ge=0)]
_UpTo1 = Annotated[float, Field(gt=0, le=1)]
Range = Annotated[tuple[float, float], Strict(False), BeforeValidator(tupled), AfterValidator(_ascending)]
RangeAbove0 = Annotated[
    tuple[_Above0, _Above0], Strict(False), BeforeValidator(tupled), AfterValidator(_ascending)
]
RangeFrom0 = Annotated[
    tuple[_From0, _From0], Strict(False), BeforeValidator(tupled), AfterValidator(_ascending)
]
RangeUpTo1 = Annotated[
    tuple[_UpTo1, _UpTo1], Strict(False), BeforeValidator(tupled), AfterValidator(_ascending)
]
RGB = Annotated[tuple[Byte, Byte, Byte], Strict(False), BeforeValidator(tupled)]
_COLOR_TEXT = r"^\s*\d{1,3}\s*,\s*\d{1,3}\s*,\s*\d{1,3}\s*$|^#[0-9a-fA-F]{6}$"
_BYTE = {"type": "integer", "minimum": 0, "maximum": 255}
OptionalColor = Annotated[
    tuple[Byte, Byte, Byte] | None,
    Strict(False),
    BeforeValidator(_grey_or_color),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "prefixItems": [_BYTE] * 3, "minItems": 3, "maxItems": 3},
                _BYTE,
                {"type": "string", "pattern": _COLOR_TEXT},
                {"type": "null"},
            ]
        }
    ),
]
Center = tuple[float, float]
Centers = Annotated[list[Center], BeforeValidator(_centers)]
Texts = Annotated[list[str], BeforeValidator(_listed)]
Integers = Annotated[list[int], BeforeValidator(_listed)]
Floats = Annotated[list[float], BeforeValidator(_listed)]
Code = Annotated[str, Field(pattern=r"^[^,\\\s]{1,16}, *[^,\\\s]{1,16}, *[^\\]{1,64}$")]
Codes = Annotated[list[Code], BeforeValidator(_listed), Field(min_length=1)]
ColorOrder = Annotated[Literal["RGB", "BGR"], BeforeValidator(_upper)]
RgbMap = Annotated[
    dict[tuple[Byte, Byte, Byte], Byte],
    BeforeValidator(_rgb_map),
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"pattern": _COLOR_TEXT},
            "additionalProperties": _BYTE,
        }
    ),
]


def input_path(default: Any = None) -> Any:
    """A field for a path that is read: relative to the folder of the configuration file."""
    return Field(default, json_schema_extra={"path": "input"})


def output_path(default: Any = None) -> Any:
    """A field for a path that is written: relative to `[train] run_dir`."""
    return Field(default, json_schema_extra={"path": "output"})
