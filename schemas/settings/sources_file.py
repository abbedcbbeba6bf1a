"""The file of sources: a YAML with `sources`, a mapping of names to what each is. Errors name the nearest valid key."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from schemas.errors import SettingsError
from schemas.files import expanded
from schemas.settings.sources import Source, check_names
from schemas.settings.yamls import read_yaml

#: What a file may say beside its sources.
_TOP = ("sources", "description")


def load_sources(file: Path) -> dict[str, Source]:
    """The sources of a file, their paths made full from the file's own folder. Raises SettingsError."""
    values = read_yaml(file, "file of sources")
    unknown = next((key for key in values if key not in _TOP), None)
    if unknown is not None:
        fix = "A file of sources begins with `sources:`, and under it a name for each source."
        raise SettingsError(f"unknown key {unknown!r}", where=str(file), fix=fix)
    named = values.get("sources")
    if not isinstance(named, Mapping) or not named:
        raise SettingsError(
            "`sources` is no mapping of names to sources", where=str(file), fix="See docs/sources.md."
        )
    sources = {str(name): _source(str(name), value, str(file)) for name, value in named.items()}
    try:
        sources = check_names(sources)
    except ValueError as error:
        raise SettingsError(str(error), where=str(file)) from None
    folder = file.absolute().parent
    return {name: anchored(source, folder) for name, source in sources.items()}


def anchored(source: Source, folder: Path) -> Source:
    """The source with full paths: those that are not are taken from `folder`."""
    return source.model_copy(update={"path": tuple(str(folder / expanded(path)) for path in source.path)})


def _source(name: str, value: Any, where: str) -> Source:
    try:
        return Source.model_validate(value)
    except ValidationError as error:
        raise source_error(error, name, where) from None


def source_error(error: ValidationError, name: str, where: str) -> SettingsError:
    """One clear line from pydantic's report: which source, which key, what is wrong, what was meant."""
    errors = error.errors(include_url=False)
    first = next((each for each in errors if each["type"] == "extra_forbidden"), errors[0])
    path = [str(part) for part in first["loc"]]
    key = ".".join([f"sources.{name}", *path])
    if first["type"] == "extra_forbidden":
        known = list(keys_at(Source, path[:-1]))
        near = difflib.get_close_matches(path[-1], known, n=1, cutoff=0.6)
        elsewhere = [place for place in _places(path[-1]) if place != ".".join(path)]
        fix = f"Did you mean {near[0]}?" if near else f"Valid here: {', '.join(known)}."
        if not near and elsewhere:
            fix = f"It belongs under {elsewhere[0]}. " + fix
        return SettingsError(f"unknown key {key}", where=where, fix=fix)
    reason = first["msg"].removeprefix("Value error, ")
    shown = first.get("input")
    got = f" (got {shown!r})" if isinstance(shown, (str, int, float, bool)) and len(str(shown)) <= 60 else ""
    return SettingsError(f"{key}: {reason[:1].lower()}{reason[1:]}{got}", where=where)


def keys_at(model: type[BaseModel], path: list[str]) -> Iterator[str]:
    """The keys that are valid at a place in a source; numbers of elements and names in mappings are passed over."""
    current = model
    for part in path:
        field = current.model_fields.get(part)
        current = next(_models(field.annotation), current) if field is not None else current
    yield from current.model_fields


def _models(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for inner in get_args(kind):
        yield from _models(inner)


def _places(key: str) -> Iterator[str]:
    """Sections of a source that know the key, for somebody who wrote it a level too high."""
    for section, field in Source.model_fields.items():
        for model in _models(field.annotation):
            if key in model.model_fields:
                yield f"{section}.{key}"
