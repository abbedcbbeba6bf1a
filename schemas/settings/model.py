"""The base of all settings models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

_FLAG = PydanticCustomError("flag", "A number is asked for, not true or false (yes, no, on, off)")

#: Marks a setting that is filled in when a build is planned: forms do not show it.
INTERNAL: dict[str, Any] = {"internal": True}


class Settings(BaseModel):
    """Frozen, no unknown keys, no NaN, no flag for a number; equal settings serialise to equal JSON."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_default=True,
        field_title_generator=lambda name, info: name.replace("_", " ").capitalize(),
    )

    @model_validator(mode="before")
    @classmethod
    def _no_flag_for_a_number(cls, given: Any) -> Any:
        """YAML has many words for true, and pydantic takes true for 1."""
        for name, field in cls.model_fields.items() if isinstance(given, dict) else ():
            if _has_flag(given.get(name)) and _is_of_numbers(field.annotation):
                raise ValidationError.from_exception_data(
                    cls.__name__, [{"type": _FLAG, "loc": (name,), "input": given[name]}]
                )
        return given


def _has_flag(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_has_flag, value))
    return _has_flag(list(value.values())) if isinstance(value, dict) else isinstance(value, bool)


def _is_of_numbers(annotation: Any) -> bool:
    """Whether a field holds numbers and neither flags nor what has fields of its own."""
    kinds = set(_kinds(annotation))
    return bool(kinds & {int, float}) and all(kind in (int, float, str, type(None), ...) for kind in kinds)


def _kinds(annotation: Any) -> Iterator[Any]:
    """The types at the leaves: of `dict[str, tuple[float, float]] | None` str, float and None."""
    inner = get_args(annotation)
    if get_origin(annotation) is Annotated:
        inner = inner[:1]
    if not inner:
        yield annotation
    for part in inner:
        yield from _kinds(part)
