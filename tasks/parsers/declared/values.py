"""Texts made from a record: a path, a constant, texts joined, a template, the first that says something."""

from __future__ import annotations

import datetime
import html
import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from schemas.errors import SettingsError
from schemas.settings.mapping import Value
from tasks.parsers.declared.linear import replacing
from tasks.parsers.declared.paths import MISSING, Record, getter

#: Why a record, or a turn of it, is left out; never its text.
Maker = Callable[[Record], str]
_TEXT_KEYS = ("text", "value", "content")
_TEXT_KINDS = (None, "text", "input_text", "output_text")
#: The kinds that a reason may name: what else stands there are the data's own words, which no report may tell.
_OTHER_KINDS = (
    "text", "input_text", "output_text",
    "image", "image_url", "input_image", "audio", "input_audio", "output_audio", "video", "video_url", "file",
    "input_file", "document", "tool_use", "tool_call", "tool_calls", "tool_result", "function_call",
    "function_call_output", "thinking", "redacted_thinking", "reasoning", "refusal",
)  # fmt: skip
_TAGS = re.compile(r"<[^<>]{0,2000}>")
_BREAKS = re.compile(r"</?(?:p|div|br|li|ul|ol|h[1-6]|tr|blockquote)\b[^<>]{0,500}>", re.IGNORECASE)
# Begun inside of a run of spaces it would read the run once for each of them.
_MANY_BREAKS = re.compile(r"(?<![ \t])[ \t]*\n[ \t]*(?:\n\s*)?")
_BRACED = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


class NoText(Exception):
    """There is no text where one was asked for; `reason` is counted."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def maker(value: Value) -> Maker:
    """A function from a record to the text. It raises NoText: missing, empty, or no text at all."""
    make = _raw(value)
    changes = list(_changes(value))
    if not changes and value.default is None:
        return make

    def made(record: Record) -> str:
        try:
            text = make(record)
            for change in changes:
                text = change(text)
            if not text.strip():
                raise NoText(f"empty:{_label(value)}")
        except NoText:
            if value.default is None:
                raise
            return value.default
        return text

    return made


def paths_of(value: Value) -> list[list[str]]:
    """The paths that the value needs; of each list at least one must be in the data."""
    if value.default is not None:
        return []
    if value.path is not None:
        return [[value.path]]
    if value.template is not None:
        return [[path] for path in _template_paths(value.template)]
    if value.elements is not None:
        return [[value.elements], *([[value.space_after]] if value.space_after else [])]
    if value.join is not None:
        return [paths for part in value.join for paths in paths_of(part)]
    if value.first_of is not None:
        options = [path for part in value.first_of for paths in paths_of(part) for path in paths]
        return [options] if all(paths_of(part) for part in value.first_of) else []
    return []


def as_text(found: Any, label: str, json_text: bool = False) -> str:
    """What stands in a record as a text. Raises NoText; a list of typed parts gives its text parts."""
    if isinstance(found, str):
        if found.strip():
            return found
        raise NoText(f"empty:{label}")
    if found is MISSING:
        raise NoText(f"missing:{label}")
    if found is None or (isinstance(found, float) and found != found):
        raise NoText(f"empty:{label}")
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, (int, float)):
        return str(int(found)) if isinstance(found, float) and found.is_integer() else str(found)
    if isinstance(found, (datetime.date, datetime.datetime)):
        return found.isoformat()
    if json_text:
        return json.dumps(found, ensure_ascii=False, default=str)
    if isinstance(found, list) and found and all(isinstance(part, dict) and "type" in part for part in found):
        return _typed_parts(found, label)
    raise NoText(f"{'list' if isinstance(found, list) else 'object'}_instead_of_text:{label}")


def _typed_parts(parts: list[dict[str, Any]], label: str) -> str:
    texts = [
        text
        for part in parts
        if part.get("type") in _TEXT_KINDS
        for text in [next((part[key] for key in _TEXT_KEYS if isinstance(part.get(key), str)), "")]
        if text.strip()
    ]
    if not texts:
        kinds = {kind if (kind := part.get("type")) in _OTHER_KINDS else "other" for part in parts}
        raise NoText(f"no_text_part:{'+'.join(sorted(kinds))}")  # a call among them must be told
    return "\n".join(texts)


def _raw(value: Value) -> Maker:
    if value.path is not None:
        get, label, as_json = getter(value.path), value.path, value.json_text
        return lambda record: as_text(get(record), label, as_json)
    if value.constant is not None:
        constant = value.constant
        return lambda record: constant
    if value.template is not None:
        return _template(value.template, value.json_text)
    if value.first_of is not None:
        return _first_of([maker(part) for part in value.first_of])
    if value.elements is not None:
        return _elements(value, value.elements)
    assert value.join is not None
    return _joined([maker(part) for part in value.join], value.separator)


def _looked_up(text: str, known: Mapping[str, str]) -> str:
    return known.get(text, known.get(text.strip(), text))


def _changes(value: Value) -> Iterable[Callable[[str], str]]:
    if value.html:
        yield plain
    for pattern, text in value.replace.items():
        yield replacing(pattern, text)
    if value.values and value.elements is None:
        yield partial(_looked_up, known=value.values)


def plain(text: str) -> str:
    """HTML as plain text: block tags are line breaks, other tags vanish, entities are read."""
    if "<" not in text and "&" not in text:
        return text
    text = _TAGS.sub("", _BREAKS.sub("\n", text))
    text = html.unescape(text).replace("\xa0", " ")
    return _MANY_BREAKS.sub(lambda found: "\n\n" if found[0].count("\n") > 1 else "\n", text).strip()


def _joined(makers: list[Maker], separator: str) -> Maker:
    def join(record: Record) -> str:
        texts, last = [], NoText("empty:join")
        for make in makers:
            try:
                texts.append(make(record))
            except NoText as nothing:
                last = nothing
        if not texts:
            raise last
        return separator.join(texts)

    return join


def _first_of(makers: list[Maker]) -> Maker:
    def first(record: Record) -> str:
        last = NoText("empty:first_of")
        for make in makers:
            try:
                return make(record)
            except NoText as nothing:
                last = nothing
        raise last

    return first


def _elements(value: Value, path: str) -> Maker:
    get, separator = getter(path), value.separator
    spaces = getter(value.space_after) if value.space_after else None
    known = value.values

    def join(record: Record) -> str:
        found = get(record)
        items = (
            found if isinstance(found, list) else list(found.values()) if isinstance(found, dict) else None
        )
        if items is None:
            return as_text(found, path)
        texts = [_looked_up(text, known) for text in map(_element, items) if text or spaces]
        if spaces is None:
            return as_text(separator.join(texts), path)
        behind = spaces(record)
        if not isinstance(behind, list) or len(behind) != len(texts):
            raise NoText(f"other_length:{value.space_after}")
        return as_text("".join(t + " " * bool(s) for t, s in zip(texts, behind, strict=True)).rstrip(), path)

    return join


def _element(item: Any) -> str:
    try:
        return as_text(item, "element", json_text=isinstance(item, (list, dict)))
    except NoText:
        return ""


def _template_paths(template: str) -> list[str]:
    return [found[1].strip() for found in _BRACED.finditer(template) if found[1] is not None]


def _template(template: str, json_text: bool) -> Maker:
    pieces: list[str | Maker] = []
    at = 0
    for found in _BRACED.finditer(template):
        pieces.append(template[at : found.start()])
        pieces.append(found[0][0] if found[1] is None else _at(found[1].strip(), json_text))
        at = found.end()
    pieces.append(template[at:])
    if any("{" in piece or "}" in piece for piece in pieces if isinstance(piece, str) and len(piece) > 1):
        raise SettingsError(
            "a brace of the template is not closed", where=template[:60], fix="Write {{ for a brace."
        )
    return lambda record: "".join(piece if isinstance(piece, str) else piece(record) for piece in pieces)


def _at(path: str, json_text: bool) -> Maker:
    get = getter(path)

    def make(record: Record) -> str:
        found = get(record)
        if (
            isinstance(found, list)
            and not json_text
            and not any(isinstance(item, (list, dict)) for item in found)
        ):
            found = "\n".join(text for text in map(_element, found) if text)
        return as_text(found, path, json_text)

    return make


def _label(value: Value) -> str:
    return value.path or value.elements or "text"
