"""The model card: the hub reads its header, hostile names are plain text, and what must be said is said."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.reports.model_card import CardFacts, merged_card, render_card

RESULT: dict[str, Any] = {
    "target_modules": ["q_proj"], "adapted_layers": 2, "trainable_parameters": 1000, "base_parameters": 10_000,
    "steps": 20, "first_loss": 2.0, "last_loss": 1.5, "validation_loss_before": 2.1, "validation_loss_after": 1.6,
    "examples": 39, "replies": 98, "trained_tokens": 10, "tokens": 20, "examples_set_aside": {"too_long": 2},
    "libraries": {"torch": "2.13"}, "base_identity": "5" * 40, "backend": "trl", "quantization": "nf4",
    "dtype": "bfloat16",
    "phases": [{"number": 1, "name": "everything", "examples": 39, "steps": 20, "windows_not_reached": 0}],
}  # fmt: skip


def facts(**more: Any) -> CardFacts:
    values: dict[str, Any] = {
        "name": "ada", "preset": "Qwen in 4 bits", "preset_values": {"rank": 16, "alpha": 16, "dropout": 0.0},
        "base": "Qwen/Qwen3-8B", "base_is_demo": False, "base_is_local": False, "base_license": None, "result": RESULT,
        "corpus": "2" * 32, "build": "20261121-1-aa",
        "stages": {"filter": "3" * 32}, "sources": {"claude": 20, "hippocorpus": 19},
        "licenses": {"hippocorpus": "CC BY 4.0"}, "languages": {"ro": 30, "en": 9},
        "filter_settings": {"quality": {"min_chars": 10}}, "template": "4" * 32,
    }  # fmt: skip
    return CardFacts(**(values | more))


def test_it_claims_no_more_than_was_read() -> None:
    phase = {"number": 1, "name": "one", "examples": 48, "steps": 2, "windows_not_reached": 49}
    short = RESULT | {"examples": 8, "examples_set_aside": {"not_reached": 40}, "phases": [phase]}
    text = render_card(facts(result=short))
    assert "Read: 8 of 48 distinct examples" in text
    assert "Not read: 40 not reached. The steps ended before they came to 49 of the windows" in text
    assert "| phase |" not in text
    twice = RESULT | {"phases": [phase, phase | {"number": 2, "name": "two"}]}
    assert "| 2. two | 48 | 2 |" in render_card(facts(result=twice))


def test_how_it_came_about_and_what_to_mind() -> None:
    text = render_card(facts())
    for said in ("# ada\n", "trl, quantization nf4, bfloat16", "5" * 40, "the base's own chat format"):
        assert said in text, said
    for unsaid in ("nothing was held out", "system prompt (under", "Before you share it"):
        assert unsaid not in text, unsaid
    none = RESULT | {"validation_loss_before": None, "validation_loss_after": None}
    names = {"role_names": {"user": "Drew", "assistant": "Ada"}, "system": "Be kind."}
    told = render_card(
        facts(result=none, base_is_local=True, preset_values={**facts().preset_values, **names})
    )
    assert "names Drew and Ada in place of the base's own chat format" in told
    for said in ("nothing was held out", "system prompt (under", "Before you share it"):
        assert said in told, said


def test_the_merged_model_has_a_card_too() -> None:
    from huggingface_hub import ModelCard

    text = merged_card(render_card(facts(base_is_local=True)), "bf16")
    card = ModelCard(text)
    assert (card.data.library_name, card.data.base_model) == ("transformers", "Qwen/Qwen3-8B")
    assert card.text.strip().startswith(
        "# ada\n\n**This folder is base and adapter merged into one model, in bf16.**"
    )
    for said in ("**This is an AI.**", "not given: find out", "Use and limits", "Do not let it decide"):
        assert said in text, said
    assert "adapter_config" not in text


def test_the_hub_reads_it() -> None:
    from huggingface_hub import ModelCard

    card = ModelCard(render_card(facts()))
    assert card.data.base_model == "Qwen/Qwen3-8B"
    assert card.data.language == ["ro", "en"]
    assert card.data.library_name == "peft"
    assert card.data.license == "other"


def test_what_must_be_said() -> None:
    text = render_card(facts())
    for said in (
        "**This is an AI.**", "hippocorpus | 19 | CC BY 4.0", "claude | 20 | not given: find out", "2" * 32, "3" * 32,
        "20261121-1-aa", '"min_chars": 10', "ro (30), en (9)", "2 too long", "lineage.parquet",
    ):  # fmt: skip
        assert said in text, said
    assert "demo base" not in text
    assert "learnt nothing worth keeping" in render_card(facts(base_is_demo=True))
    assert render_card(facts()) == text


@pytest.mark.parametrize("name", ["a|b\n# Title", "<script>x</script>", "\u202eevil", "---\nlicense: mit"])
def test_names_are_no_markdown(name: str) -> None:
    from huggingface_hub import ModelCard

    text = render_card(facts(sources={name: 3}, licenses={name: name}, preset=name, build=name))
    assert ModelCard(text).data.license == "other"
    body = text.split("---\n", 2)[2]
    assert "\n# Title" not in body
    assert "<script>" not in body
    assert "\u202e" not in body
