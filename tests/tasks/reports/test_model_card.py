"""The model card: the hub reads its header, hostile names are plain text, and what must be said is said."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.reports.model_card import CardFacts, render_card

RESULT: dict[str, Any] = {
    "target_modules": ["q_proj"], "adapted_layers": 2, "trainable_parameters": 1000, "base_parameters": 10_000,
    "steps": 20, "first_loss": 2.0, "last_loss": 1.5, "validation_loss_before": 2.1, "validation_loss_after": 1.6,
    "examples": 39, "replies": 98, "trained_tokens": 10, "tokens": 20, "examples_set_aside": {"too_long": 2},
    "libraries": {"torch": "2.13"},
}  # fmt: skip


def facts(**more: Any) -> CardFacts:
    values: dict[str, Any] = {
        "preset": "Qwen in 4 bits", "preset_values": {"rank": 16, "alpha": 16, "dropout": 0.0}, "base": "Qwen/Qwen3-8B",
        "base_is_demo": False, "base_license": None, "result": RESULT, "corpus": "2" * 32, "build": "20261121-1-aa",
        "stages": {"filter": "3" * 32}, "sources": {"claude": 20, "hippocorpus": 19},
        "licenses": {"hippocorpus": "CC BY 4.0"}, "languages": {"ro": 30, "en": 9},
        "filter_settings": {"quality": {"min_chars": 10}}, "template": "4" * 32,
    }  # fmt: skip
    return CardFacts(**(values | more))


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
        "20261121-1-aa", '"min_chars": 10', "ro (30), en (9)", "2 too_long", "lineage.parquet",
    ):  # fmt: skip
        assert said in text, said
    assert "demo base" not in text
    assert "learnt nothing worth keeping" in render_card(facts(base_is_demo=True))
    assert render_card(facts()) == text


def test_names_in_place_of_roles_are_said() -> None:
    values = {"rank": 16, "alpha": 16, "dropout": 0.0, "role_names": {"user": "Drew", "assistant": "Ada"}}
    assert "`Drew:` and `Ada:`: the base's own chat format is not used" in render_card(
        facts(preset_values=values)
    )
    assert "in place of roles" not in render_card(facts())


@pytest.mark.parametrize("name", ["a|b\n# Title", "<script>x</script>", "\u202eevil", "---\nlicense: mit"])
def test_names_are_no_markdown(name: str) -> None:
    from huggingface_hub import ModelCard

    text = render_card(facts(sources={name: 3}, licenses={name: name}, preset=name, build=name))
    assert ModelCard(text).data.license == "other"
    body = text.split("---\n", 2)[2]
    assert "\n# Title" not in body
    assert "<script>" not in body
    assert "\u202e" not in body
