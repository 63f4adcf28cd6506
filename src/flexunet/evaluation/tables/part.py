"""What the documents of this room are made of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A part of the document; it has the keys below and no others."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="null")
