"""What pydantic says of wrong settings, in one clear line: which key, what is wrong, what was meant."""

from __future__ import annotations

import difflib
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from schemas.errors import SettingsError


def settings_error(error: ValidationError, model: type[BaseModel], where: str) -> SettingsError:
    """One clear line from pydantic's report; an unknown key is answered with the nearest valid one."""
    errors = error.errors(include_url=False)
    # A misspelt key is the cause of the missing one that is reported before it.
    first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    path = _without_tags(model, [str(part) for part in first["loc"]])
    key = ".".join(path)
    if first["type"] == "extra_forbidden":
        known = _keys_at(model, path[:-1])
        near = difflib.get_close_matches(path[-1], known, n=1, cutoff=0.5)
        prefix = ".".join([*path[:-1], ""])
        valid = f"Valid here: {', '.join(known)}." if known else None
        fix = f"Did you mean {prefix}{near[0]}?" if near else valid
        return SettingsError(f"unknown setting {key}", where=where, fix=fix)
    reason = first["msg"].removeprefix("Value error, ")
    shown = first.get("input")
    # What stands under `notify` may hold a token, wherever it was put by mistake.
    tellable = isinstance(shown, (int, float, bool)) or (_short(shown) and path[:1] != ["notify"])
    got = f" (got {shown!r})" if tellable else ""
    of = f"setting {key}" if key else "these settings do not go together"
    return SettingsError(f"{of}: {reason[:1].lower()}{reason[1:]}{got}", where=where)


def _short(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 60


def _keys_at(model: type[BaseModel], path: list[str]) -> list[str]:
    """The keys that are valid at a place; numbers of elements are passed over."""
    current: list[Any] = [model]
    for part in path:
        fields = [one.model_fields[part] for one in current if part in getattr(one, "model_fields", {})]
        if fields:
            current = _models_in(fields[0].annotation)
        elif not part.isdigit():
            return []
    return list(dict.fromkeys(key for one in current for key in getattr(one, "model_fields", {})))


def _models_in(annotation: Any) -> list[Any]:
    """The models that a field may hold, itself or as elements."""
    if hasattr(annotation, "model_fields"):
        return [annotation]
    return [model for member in get_args(annotation) for model in _models_in(member)]


def _without_tags(model: type[BaseModel], path: list[str]) -> list[str]:
    """The path as a person wrote it: pydantic puts the kind of a union's member between the keys."""
    kept: list[str] = []
    for part in path:
        field = model.model_fields.get(kept[-1]) if kept else None
        if len(kept) == 1 and field is not None and field.discriminator and part != field.discriminator:
            kinds = {
                str(m.model_fields[str(field.discriminator)].default) for m in _models_in(field.annotation)
            }
            if part in kinds:
                continue
        kept.append(part)
    return kept
