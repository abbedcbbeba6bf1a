"""The base of all settings models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict, model_validator


class Settings(BaseModel):
    """Frozen, no unknown keys, no NaN, no truth value for a number; equal settings serialise to equal JSON."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_default=True,
        field_title_generator=lambda name, info: name.replace("_", " ").capitalize(),
    )

    @model_validator(mode="before")
    @classmethod
    def _numbers_are_numbers(cls, values: Any) -> Any:
        """`seed: true` would be read as 1: YAML says yes and true where someone wanted to switch something on."""
        for name, info in cls.model_fields.items() if isinstance(values, dict) else ():
            if name in values and _holds_truth(values[name]):
                kinds = set(_kinds(info.annotation))
                if kinds & {int, float} and kinds <= _PLAIN:
                    raise ValueError(f"{name} needs a number, and not true or false")
        return values


#: Kinds of values of which none can be true or false.
_PLAIN = {int, float, str, type(None)}


def _kinds(annotation: Any) -> Iterator[Any]:
    """The kinds of single values that a field of this type may hold, in lists and mappings too."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    inner = [one for one in get_args(annotation) if one is not Ellipsis]
    if not inner:
        yield annotation
    for one in inner:
        yield from _kinds(one)


def _holds_truth(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_holds_truth, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(_holds_truth, value))
    return isinstance(value, bool)
