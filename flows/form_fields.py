"""What a form shows of the settings: all that a person can decide, and nothing that a plan fills in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.settings.model import INTERNAL

_REFERENCE = "#/definitions/"


def without_internal(schema: dict[str, Any]) -> dict[str, Any]:
    """A flow's schema without the settings that are marked as internal, in its definitions and in its defaults."""
    definitions = schema.get("definitions", {})
    hidden = {name: _hidden(one) for name, one in definitions.items()}
    inner = {name: _references(one) for name, one in definitions.items()}

    def shown(value: Any, of: str) -> Any:
        """A default of the definition `of`, without what is hidden in it."""
        if not isinstance(value, Mapping):
            return value
        below = inner.get(of, {})
        kept = {key: one for key, one in value.items() if key not in hidden.get(of, ())}
        return {key: shown(one, below[key]) if key in below else one for key, one in kept.items()}

    def cut(one: Mapping[str, Any], without: set[str]) -> dict[str, Any]:
        below, properties = _references(one), {}
        for key, field in one.get("properties", {}).items():
            if key in without:
                continue
            known = "default" in field and key in below
            properties[key] = {**field, "default": shown(field["default"], below[key])} if known else field
        return {**one, "properties": properties} if "properties" in one else dict(one)

    made = cut(schema, set())
    if definitions:
        made["definitions"] = {name: cut(one, hidden[name]) for name, one in definitions.items()}
    return made


def _hidden(one: Mapping[str, Any]) -> set[str]:
    (mark,) = INTERNAL
    return {name for name, field in one.get("properties", {}).items() if field.get(mark)}


def _references(one: Mapping[str, Any]) -> dict[str, str]:
    """The fields that hold another definition, and its name."""
    return {
        name: field["$ref"].removeprefix(_REFERENCE)
        for name, field in one.get("properties", {}).items()
        if isinstance(field.get("$ref"), str)
    }
