"""The base of all settings models."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

#: Marks a setting that is filled in when a build is planned: forms do not show it.
INTERNAL: dict[str, Any] = {"internal": True}


class Settings(BaseModel):
    """Frozen, no unknown keys, no NaN; equal settings serialise to equal JSON."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_default=True,
        field_title_generator=lambda name, info: name.replace("_", " ").capitalize(),
    )
