"""The model card of an adapter: README.md with the header that the Hugging Face hub reads. No chat text in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from schemas.visible import visible

#: What is said of a source whose licence nobody gave.
UNKNOWN = "not given: find out before you pass the adapter on"


@dataclass(frozen=True)
class CardFacts:
    """What a card tells. `sources` maps a source to its examples in the training split, `licenses` to its licence."""

    preset: str
    preset_values: Mapping[str, Any]
    base: str
    base_is_demo: bool
    base_license: str | None
    result: Mapping[str, Any]
    corpus: str
    build: str | None
    stages: Mapping[str, str]
    sources: Mapping[str, int]
    licenses: Mapping[str, str]
    languages: Mapping[str, int]
    filter_settings: Mapping[str, Any]
    template: str | None = None
    examples: int = 0
    notes: tuple[str, ...] = field(default=())


def render_card(facts: CardFacts) -> str:
    """The card as Markdown. The same facts give the same bytes."""
    sections = (
        _header(facts), _opening(facts), _training(facts), _data(facts), _use(facts), _lineage(facts), _settings(facts)
    )  # fmt: skip
    return "\n\n".join(sections) + "\n"


def _header(facts: CardFacts) -> str:
    values: dict[str, Any] = {
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "license": "other",
        "license_name": "see-sources",
        "tags": ["lora", "vatra", "personality"],
    }
    if not facts.base_is_demo:
        values["base_model"] = facts.base
    if known := [code for code in facts.languages if code.isalpha() and len(code) in (2, 3)]:
        values["language"] = known
    return f"---\n{yaml.safe_dump(values, sort_keys=False, allow_unicode=True)}---"


def _opening(facts: CardFacts) -> str:
    demo = (
        "\n\n**It stands on the demo base, a tiny model with random weights: it has learnt nothing worth keeping.**"
        if facts.base_is_demo
        else ""
    )
    return (
        f"# LoRA adapter: {_plain(facts.preset)}\n\n"
        "**This is an AI.** It is a language model's adapter, trained on conversations; it is not a person, has no "
        "body and no memories of its own, and says things that are not true. Whoever talks with it must be told so, "
        "whatever name and voice it was given." + demo
    )


def _training(facts: CardFacts) -> str:
    result, preset = facts.result, facts.preset_values
    rows: list[tuple[str, object]] = [
        ("base", facts.base),
        ("licence of the base", facts.base_license or "see the base's own card"),
        ("rank / alpha / dropout", f"{preset['rank']} / {preset['alpha']} / {preset['dropout']:g}"),
        ("adapted layers", f"{', '.join(result['target_modules'])} ({result['adapted_layers']} in all)"),
        ("trainable of all weights", f"{result['trainable_parameters']:,} of {result['base_parameters']:,}"),
        ("optimizer steps", f"{result['steps']:,}"),
        ("loss, first and last step", f"{result['first_loss']:.4f}, {result['last_loss']:.4f}"),
    ]
    if result.get("validation_loss_after") is not None:
        before, after = result["validation_loss_before"], result["validation_loss_after"]
        rows.append(("loss on held-out examples, before and after", f"{before:.4f}, {after:.4f}"))
    return "## Training\n\n" + _table(("", ""), rows)


def _data(facts: CardFacts) -> str:
    result = facts.result
    aside = ", ".join(f"{n:,} {_plain(reason)}" for reason, n in result["examples_set_aside"].items() if n)
    text = (
        f"## Data\n\n{result['examples']:,} examples with {result['replies']:,} replies to learn; loss lies on "
        f"{result['trained_tokens']:,} of {result['tokens']:,} tokens. Set aside: {aside or 'nothing'}.\n\n"
    )
    rows = [
        (source, f"{count:,}", facts.licenses.get(source) or UNKNOWN)
        for source, count in facts.sources.items()
    ]
    text += _table(("source", "examples", "licence"), rows)
    spoken = ", ".join(f"{_plain(code)} ({count:,})" for code, count in facts.languages.items())
    return f"{text}\n\nLanguages, by examples: {spoken or 'not known'}."


def _names(facts: CardFacts) -> str:
    names = facts.preset_values.get("role_names")
    if not names:
        return ""
    user, assistant = _plain(names["user"]), _plain(names["assistant"])
    return (
        f"- It was trained with names in place of roles, `{user}:` and `{assistant}:`: the base's own chat format "
        "is not used.\n"
    )


def _use(facts: CardFacts) -> str:
    return (
        f"## Use and limits\n\n{_names(facts)}"
        "- Speak to it with the template in `template.json`, which is also the tokenizer's own; with another template, "
        "end mark or system prompt it was not trained, and answers worse or without end.\n"
        "- It was trained to imitate a voice. It was not tested for facts, advice, safety, or languages that are not "
        "named above. Do not let it decide about people, and do not let it pass for a human being.\n"
        "- It may repeat what stands in its conversations, private things included. Look at the corpus before you pass "
        "it on: what was learnt cannot be taken out again."
    )


def _lineage(facts: CardFacts) -> str:
    rows: list[tuple[str, object]] = [("corpus", f"`{facts.corpus}`")]
    if facts.build:
        rows.append(("build of the corpus", f"`{_plain(facts.build)}`"))
    rows += [(f"stage {name}", f"`{mark}`") for name, mark in facts.stages.items()]
    if facts.template:
        rows.append(("template", f"`{facts.template}`"))
    libraries = ", ".join(f"{name} {number}" for name, number in facts.result["libraries"].items())
    rows.append(("libraries", libraries))
    return (
        "## Lineage\n\n`lineage.parquet` names every example of the corpus that training looked at.\n\n"
        + _table(("what", "fingerprint"), rows)
    )


def _settings(facts: CardFacts) -> str:
    kept = json.dumps(facts.filter_settings, indent=2, sort_keys=True, ensure_ascii=False)
    preset = json.dumps(facts.preset_values, indent=2, ensure_ascii=False)
    return (
        f"## Settings\n\nOf the filter:\n\n```json\n{kept}\n```\n\nOf the training:\n\n```json\n{preset}\n```"
    )


def _table(heads: tuple[str, ...], rows: list[Any]) -> str:
    lines = [" | ".join(heads), " | ".join("---" for _ in heads)]
    lines += [" | ".join(_plain(cell) for cell in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _plain(value: object) -> str:
    """Text that is no Markdown of its own: names may hold anything."""
    return visible(str(value), 400).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
