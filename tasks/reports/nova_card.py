"""The model card of a NOVA: README.md with the header that the Hugging Face hub reads. No chat text in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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

_WORD = "model"


@dataclass(frozen=True, kw_only=True)
class NovaCardFacts(CorpusFacts):
    """What a card tells of a NOVA; `result` is what its training said of itself, `labelled_tokens` of what it read."""

    preset: str
    preset_values: Mapping[str, Any]
    result: Mapping[str, Any]
    labelled_tokens: int


def render_nova_card(facts: NovaCardFacts) -> str:
    """The card as Markdown. The same facts give the same bytes."""
    sections = (
        card_header(facts, "transformers", ("nova", "vatra", "personality"), custom_code=True),
        _opening(facts),
        _members(facts),
        _training(facts),
        _data(facts),
        _use(facts),
        lineage_section(facts, _WORD, facts.result["libraries"]),
        settings_section(facts, facts.preset_values),
    )
    return "\n\n".join(sections) + "\n"


def _opening(facts: NovaCardFacts) -> str:
    return (
        f"# {plain(facts.name)}\n\nA NOVA, the tribal transformer, with {facts.result['parameters']:,} weights. "
        f"What its preset says of itself (the settings that held stand below): {plain(facts.preset)}\n\n"
        "**This is an AI.** It is a small language model, trained from nothing on conversations; it is not a person, "
        "has no body and no memories of its own, and says things that are not true. Its members are voices of one "
        "model. Whoever talks with it must be told so, whatever names they were given."
    )


def _members(facts: NovaCardFacts) -> str:
    result = facts.result
    labels = result["labels"]
    rows = [(name, f"{labels['turns'][name]:,}", f"{labels['tokens'][name]:,}") for name in result["members"]]
    return (
        "## Members\n\nThe first is the core. A context detector weighs the members at every position of a text; it "
        "learned from turns whose author the corpus knows, and the names themselves are in no text. Counted over the "
        "whole training split.\n\n" + table(("member", "labelled turns", "labelled tokens"), rows)
    )


def _training(facts: NovaCardFacts) -> str:
    result, preset = facts.result, facts.preset_values
    rows: list[tuple[str, object]] = [
        ("weights", f"{result['parameters']:,}"),
        ("layers / width / heads / context", " / ".join(str(preset[k]) for k in _SIZES)),
        ("mixing of members", preset["mixing"]),
        ("vocabulary", f"{result['vocab_size']:,} tokens of byte-level BPE, learned from the same corpus"),
        ("computed in", result["dtype"]),
        ("optimizer steps", f"{result['steps']:,}"),
        (
            "loss of the next token, first and last step",
            f"{result['first_lm_loss']:.4f}, {result['last_lm_loss']:.4f}",
        ),
    ]
    if result["after"] is None:
        rows.append(("bits per byte of held-out text", "not measured: nothing was held out"))
    else:
        measured = (f"{result[when]['bits_per_byte']:.4f}" for when in ("before", "after"))
        rows.append(("bits per byte of held-out text, before and after", ", ".join(measured)))
    return "## Training\n\n" + table(("", ""), rows)


_SIZES = ("layers", "d_model", "heads", "context")


def _data(facts: NovaCardFacts) -> str:
    result = facts.result
    whole = result["examples"] + sum(result["examples_set_aside"].values())
    return (
        f"## Data\n\nRead: {result['examples']:,} of {whole:,} distinct examples; loss lies on "
        f"{result['trained_tokens']:,} of {result['tokens']:,} tokens, and of {facts.labelled_tokens:,} it "
        f"is known who speaks. Not read: {set_aside_words(result)}.\n\n" + sources_and_languages(facts, _WORD)
    )


def _use(facts: NovaCardFacts) -> str:
    return (
        "## Use and limits\n\n"
        "- `import models.tribal.modeling` (of vatra) registers the architecture; `AutoModelForCausalLM` and "
        "`AutoTokenizer` then open `model/`, whose chat template is the one that it was trained with.\n"
        "- It knows nothing but its corpus. It was not tested for facts, advice, safety, or languages that are not "
        "named above. Do not let it decide about people, and do not let it pass for a human being.\n"
        "- It may repeat what stands in its conversations, private things included; the smaller the corpus, the more "
        "of it. Look at the corpus before you pass the model on: what was learnt cannot be taken out again."
    )
