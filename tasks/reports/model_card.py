"""The model card of an adapter: README.md with the header that the Hugging Face hub reads. No chat text in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from tasks.reports.card_parts import (
    CorpusFacts,
    card_header,
    lineage_section,
    plain,
    set_aside_words,
    settings_section,
    sources_and_languages,
    table,
)


@dataclass(frozen=True, kw_only=True)
class CardFacts(CorpusFacts):
    """What a card tells of an adapter; `base_is_local`: the preset names a folder of the machine that trained."""

    preset: str
    preset_values: Mapping[str, Any]
    base: str
    base_is_demo: bool
    base_is_local: bool
    base_license: str | None
    result: Mapping[str, Any]
    template: str | None = None


def render_card(facts: CardFacts) -> str:
    """The card as Markdown. The same facts give the same bytes."""
    more = {} if facts.base_is_demo else {"base_model": facts.base}
    sections = (
        card_header(facts, "peft", ("lora", "vatra", "personality"), **more),
        _opening(facts),
        _training(facts),
        _data(facts),
        _use(facts),
        lineage_section(facts, "adapter", facts.result["libraries"], facts.template),
        settings_section(facts, facts.preset_values),
    )
    return "\n\n".join(sections) + "\n"


def _opening(facts: CardFacts) -> str:
    demo = (
        "\n\n**It stands on the demo base, a tiny model with random weights: it has learnt nothing worth keeping.**"
        if facts.base_is_demo
        else ""
    )
    return (
        f"# {plain(facts.name)}\n\nA LoRA adapter, made with this preset: {plain(facts.preset)}\n\n"
        "**This is an AI.** It is a language model's adapter, trained on conversations; it is not a person, has no "
        "body and no memories of its own, and says things that are not true. Whoever talks with it must be told so, "
        "whatever name and voice it was given." + demo
    )


def _training(facts: CardFacts) -> str:
    result, preset = facts.result, facts.preset_values
    rows: list[tuple[str, object]] = [
        ("base", facts.base),
        ("identity of the base", result["base_identity"]),
        ("licence of the base", facts.base_license or "see the base's own card"),
        ("trained by", f"{result['backend']}, quantization {result['quantization']}, {result['dtype']}"),
        ("rank / alpha / dropout", f"{preset['rank']} / {preset['alpha']} / {preset['dropout']:g}"),
        ("adapted layers", f"{', '.join(result['target_modules'])} ({result['adapted_layers']} in all)"),
        ("trainable of all weights", f"{result['trainable_parameters']:,} of {result['base_parameters']:,}"),
        ("optimizer steps", f"{result['steps']:,}"),
        ("loss, first and last step", f"{result['first_loss']:.4f}, {result['last_loss']:.4f}"),
    ]
    if result.get("validation_loss_after") is not None:
        before, after = result["validation_loss_before"], result["validation_loss_after"]
        rows.append(("loss on held-out examples, before and after", f"{before:.4f}, {after:.4f}"))
    else:
        rows.append(("loss on held-out examples", "not measured: nothing was held out"))
    return "## Training\n\n" + table(("", ""), rows)


def _data(facts: CardFacts) -> str:
    result = facts.result
    whole = result["examples"] + sum(result["examples_set_aside"].values())
    left = sum(phase["windows_not_reached"] for phase in result["phases"])
    short = f" The steps ended before they came to {left:,} of the windows." if left else ""
    text = (
        f"## Data\n\nRead: {result['examples']:,} of {whole:,} distinct examples, with {result['replies']:,} replies "
        f"to learn; loss lies on {result['trained_tokens']:,} of {result['tokens']:,} tokens. "
        f"Not read: {set_aside_words(result)}.{short}\n\n"
    )
    if len(result["phases"]) > 1:
        phases = [
            (f"{phase['number']}. {phase['name']}", f"{phase['examples']:,}", f"{phase['steps']:,}")
            for phase in result["phases"]
        ]
        text += "An example may stand in several phases, as a row in each.\n\n"
        text += table(("phase", "rows", "steps"), phases) + "\n\n"
    return text + sources_and_languages(facts, "adapter")


def _use(facts: CardFacts) -> str:
    values = facts.preset_values
    if names := values.get("role_names"):
        spoken = plain(f"{names['user']} and {names['assistant']}")
        form = f"which writes the names {spoken} in place of the base's own chat format"
    else:
        form = "which is the base's own chat format, in its form for training"
    system = ""
    if values.get("system"):
        system = (
            "- It was trained with a system prompt (under Settings, as `system`). The tokenizer does not put it "
            "there by itself: give it as the first message, where a conversation has none.\n"
        )
    share = ""
    if facts.base_is_local:
        share = (
            "- **Before you share it:** `adapter/adapter_config.json` names the base by its folder on the machine that "
            "trained, for PEFT to find it, and so may tell a user's name. Put the base's hub id into "
            "`base_model_name_or_path` first.\n"
        )
    return (
        f"## Use and limits\n\n{share}"
        f"- Speak to it with the template in `template.json`, {form}; the tokenizer beside it has the same. With "
        f"another template, end mark or system prompt it was not trained, and answers worse or without end.\n{system}"
        "- It was trained to imitate a voice. It was not tested for facts, advice, safety, or languages that are not "
        "named above. Do not let it decide about people, and do not let it pass for a human being.\n"
        "- It may repeat what stands in its conversations, private things included. Look at the corpus before you pass "
        "it on: what was learnt cannot be taken out again."
    )


def merged_card(card: str, dtype: str) -> str:
    """The card of the model that base and adapter became, from the adapter's own."""
    _, header, body = card.split("---\n", 2)
    values = yaml.safe_load(header) | {"library_name": "transformers"}
    if "base_model" in values:
        values["base_model_relation"] = "finetune"
    share = body.partition("- **Before you share it:**")
    if share[1]:  # of the adapter's configuration, which is not in this folder
        body = share[0] + share[2].partition("\n")[2]
    told = f"**This folder is base and adapter merged into one model, in {dtype}.** The rest is the adapter's card."
    head, gap, rest = body.lstrip("\n").partition("\n\n")
    return f"---\n{yaml.safe_dump(values, sort_keys=False, allow_unicode=True)}---\n\n{head}{gap}{told}{gap}{rest}"
