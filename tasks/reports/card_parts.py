"""What the cards of all trained models share: the hub's header, tables, sources and languages, lineage, settings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from schemas.visible import visible

#: What is said of a source whose licence nobody gave.
UNKNOWN = "not given: find out before you pass the {word} on"


@dataclass(frozen=True, kw_only=True)
class CorpusFacts:
    """Where what the artifact `name` learned came from. `sources` maps a source to its distinct examples that were
    read, `licenses` to its licence."""

    name: str
    corpus: str
    build: str | None
    stages: Mapping[str, str]
    sources: Mapping[str, int]
    licenses: Mapping[str, str]
    languages: Mapping[str, int]
    filter_settings: Mapping[str, Any]


def card_header(facts: CorpusFacts, library: str, tags: Sequence[str], **more: Any) -> str:
    """The header that the hub reads; languages only where they are codes that it knows."""
    values: dict[str, Any] = {
        "library_name": library,
        "pipeline_tag": "text-generation",
        "license": "other",
        "license_name": "see-sources",
        "tags": list(tags),
        **more,
    }
    if known := [code for code in facts.languages if code.isalpha() and len(code) in (2, 3)]:
        values["language"] = known
    return f"---\n{yaml.safe_dump(values, sort_keys=False, allow_unicode=True)}---"


def set_aside_words(result: Mapping[str, Any]) -> str:
    """Examples that were not read, by reason."""
    aside = result["examples_set_aside"]
    return ", ".join(f"{n:,} {plain(why.replace('_', ' '))}" for why, n in aside.items() if n) or "nothing"


def sources_and_languages(facts: CorpusFacts, word: str) -> str:
    """The table of sources with their licences, and the languages."""
    rows = [
        (source, f"{count:,}", facts.licenses.get(source) or UNKNOWN.format(word=word))
        for source, count in facts.sources.items()
    ]
    spoken = ", ".join(f"{plain(code)} ({count:,})" for code, count in facts.languages.items())
    return f"{table(('source', 'examples', 'licence'), rows)}\n\nLanguages, by examples: {spoken or 'not known'}."


def lineage_section(
    facts: CorpusFacts, word: str, libraries: Mapping[str, str], template: str | None = None
) -> str:
    """Fingerprints of all that it came from, and the libraries that made it."""
    rows: list[tuple[str, object]] = [("corpus", f"`{facts.corpus}`")]
    if facts.build:
        rows.append(("build of the corpus", f"`{plain(facts.build)}`"))
    rows += [(f"stage {name}", f"`{mark}`") for name, mark in facts.stages.items()]
    if template:
        rows.append(("template", f"`{template}`"))
    rows.append(("libraries", ", ".join(f"{name} {number}" for name, number in libraries.items())))
    return (
        f"## Lineage\n\n`lineage.parquet`, which stands with the {word}, names every example that training read, "
        "and every one that it measured itself on.\n\n" + table(("what", "fingerprint"), rows)
    )


def settings_section(facts: CorpusFacts, preset_values: Mapping[str, Any]) -> str:
    """All settings that decided what was read and how it was learned."""
    kept = json.dumps(facts.filter_settings, indent=2, sort_keys=True, ensure_ascii=False)
    preset = json.dumps(preset_values, indent=2, ensure_ascii=False)
    return (
        f"## Settings\n\nOf the filter:\n\n```json\n{kept}\n```\n\nOf the training:\n\n```json\n{preset}\n```"
    )


def table(heads: tuple[str, ...], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table whose cells are plain text."""
    lines = [" | ".join(heads), " | ".join("---" for _ in heads)]
    lines += [" | ".join(plain(cell) for cell in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def plain(value: object) -> str:
    """Text that is no Markdown of its own: names may hold anything."""
    return visible(str(value), 400).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
