"""Exports for other trainers: exactly the replies that may be learned are learned there, and the rest is counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UsageError
from schemas.settings import LoraPreset
from schemas.settings.loading import load_lora_preset
from schemas.settings.training import PretrainedBase
from tasks.trainer_configs import axolotl_config, llama_factory_config
from tasks.trainer_exports import _ROWS, FORMATS, TrainerExport, export_for_trainer, plain_turns
from tests.models.lora.families import FAMILIES, family_tokenizer
from tests.schemas.rows import MemoryDataset, an_id, table


def say(role: str, content: str, trainable: bool = False) -> dict[str, Any]:
    return {"role": role, "author": None, "intensity": None, "content": content, "trainable": trainable}


CHAT = [
    say("system", "Be kind."),
    say("user", "one"),
    say("assistant", "first 😀", True),
    say("user", "two"),
    say("assistant", "MASKED"),
    say("user", "three"),
    say("assistant", "third\n\nlines", True),
]


class Corpus:
    """The part of a corpus's dataset that exports look at."""

    def __init__(self, **splits: list[list[dict[str, Any]]]) -> None:
        self._tables = {
            split: MemoryDataset([
                table(split, *({"example_id": an_id(split, n), "conversation_id": an_id("c", n), "phase": 1,
                                "source": "claude", "messages": chat} for n, chat in enumerate(chats)))
            ])
            for split, chats in splits.items()
        }  # fmt: skip

    def rows(self, split: str) -> int:
        return sum(part.num_rows for part in self._tables[split].parts) if split in self._tables else 0

    def scan(self, split: str, columns: list[str]) -> Any:
        return self._tables[split].scan(split, columns) if split in self._tables else iter(())


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture
def preset() -> LoraPreset:
    return load_lora_preset("llama-3-8b")


def rows_of(
    form: str, chat: list[dict[str, Any]], per_reply: bool = False
) -> tuple[list[Any], dict[str, int]]:
    made = TrainerExport(per_reply=per_reply)
    return list(_ROWS[form](plain_turns(chat, None), made, "train")), dict(made.left_out)


@pytest.mark.parametrize("per_reply", [False, True])
def test_llama_factory_counts_what_stands_behind_the_last_learned_reply(per_reply: bool) -> None:
    tail = [*CHAT, say("user", "four"), say("assistant", "MASKED"), say("user", "five")]
    rows, left_out = rows_of("llama-factory", tail, per_reply)
    assert rows[-1]["conversations"][-1]["value"] == "third\n\nlines"
    assert left_out == {"questions without a reply": 2, "masked replies": 1}
    assert rows_of("unsloth", [*CHAT, say("user", "four")])[1]["questions without a reply"] == 1


@pytest.mark.parametrize("form", ["llama-factory", "unsloth"])
def test_replies_on_both_sides_of_a_system_turn_are_learned_together_or_not_at_all(form: str) -> None:
    apart = [*CHAT, say("system", "Now be brief."), say("assistant", "MASKED")]
    rows, left_out = rows_of(form, apart, per_reply=True)
    assert [
        row["conversations"][-1].get("value", row["conversations"][-1].get("content")) for row in rows
    ] == ["first 😀"]
    assert left_out["replies joined to a masked one"] == 1


def test_axolotl_switches_each_message(tmp_path: Path, preset: LoraPreset) -> None:
    made = export_for_trainer(Corpus(train=[CHAT], validation=[CHAT]), "axolotl", tmp_path / "x", preset)  # type: ignore[arg-type]
    (row,) = read(tmp_path / "x/train.jsonl")
    assert [(m["role"], m["train"]) for m in row["messages"]] == [
        ("system", False), ("user", False), ("assistant", True), ("user", False), ("assistant", False),
        ("user", False), ("assistant", True),
    ]  # fmt: skip
    assert made.replies == {"train": 2, "validation": 2}
    config = yaml.safe_load((tmp_path / "x/config.yaml").read_text())
    data = config["datasets"][0]
    assert (data["message_field_training"], data["roles_to_train"], data["train_on_eos"]) == (
        "train",
        [],
        "turn",
    )
    assert config["eot_tokens"] == ["<|eot_id|>"]
    assert (config["adapter"], config["load_in_4bit"], config["lora_r"], config["learning_rate"]) == (
        "qlora", True, 16, 2e-4,
    )  # fmt: skip
    assert config["test_datasets"][0]["path"] == "validation.jsonl"


def test_llama_factory_learns_the_last_reply_of_a_row(tmp_path: Path, preset: LoraPreset) -> None:
    made = export_for_trainer(Corpus(train=[CHAT]), "llama-factory", tmp_path / "x", preset)  # type: ignore[arg-type]
    rows = read(tmp_path / "x/train.jsonl")
    assert [row["conversations"][-1]["value"] for row in rows] == ["first 😀", "third\n\nlines"]
    assert [row["system"] for row in rows] == ["Be kind.", "Be kind."]
    assert [turn["from"] for turn in rows[1]["conversations"]] == ["human", "gpt"] * 3
    config = yaml.safe_load((tmp_path / "x/train.yaml").read_text())
    assert (config["mask_history"], config["template"], config["dataset"]) == (True, "llama3", "vatra_train")
    info = json.loads((tmp_path / "x/dataset_info.json").read_text())
    assert info["vatra_train"]["file_name"] == "train.jsonl"
    assert "eval_dataset" not in config
    assert made.per_reply


def test_llama_factory_takes_whole_conversations_when_nothing_is_masked(
    tmp_path: Path, preset: LoraPreset
) -> None:
    chat = [CHAT[1], CHAT[2], CHAT[5], CHAT[6]]
    made = export_for_trainer(Corpus(train=[chat]), "llama-factory", tmp_path / "x", preset)  # type: ignore[arg-type]
    (row,) = read(tmp_path / "x/train.jsonl")
    assert len(row["conversations"]) == 4
    assert yaml.safe_load((tmp_path / "x/train.yaml").read_text())["mask_history"] is False
    assert made.replies["train"] == 2


def test_unsloth_never_sees_a_masked_reply(tmp_path: Path, preset: LoraPreset) -> None:
    made = export_for_trainer(Corpus(train=[CHAT]), "unsloth", tmp_path / "x", preset)  # type: ignore[arg-type]
    rows = read(tmp_path / "x/train.jsonl")
    assert [[turn["content"] for turn in row["conversations"]] for row in rows] == [
        ["Be kind.", "one", "first 😀"], ["Be kind.", "three", "third\n\nlines"],
    ]  # fmt: skip
    assert made.left_out == {"masked replies, with their questions": 1}


@pytest.mark.parametrize(
    ("family", "template"),
    [
        ("llama-3", "llama3"),
        ("qwen-2.5", "qwen"),
        ("qwen-3", "qwen3_nothink"),
        ("mistral", "mistral"),
        ("gemma", "gemma"),
    ],
)
def test_a_base_in_a_folder_is_asked_itself(
    tmp_path: Path, preset: LoraPreset, family: str, template: str
) -> None:
    """Whatever the folder is called: its tokenizer knows how a turn ends, and training reads it there too."""
    folder = tmp_path / "my-base"
    family_tokenizer(family).save_pretrained(folder)
    own = preset.model_copy(update={"base": PretrainedBase(name=str(folder))})
    config = llama_factory_config(own, ["train"], False)["train.yaml"]
    assert (config["template"], config["model_name_or_path"]) == (template, str(folder))
    assert axolotl_config(own, ["train"], False)["config.yaml"]["eot_tokens"] == [FAMILIES[family][4]]


def test_a_base_that_nobody_knows_is_refused(preset: LoraPreset) -> None:
    own = preset.model_copy(update={"base": PretrainedBase(name="some/where")})
    with pytest.raises(UsageError, match=r"how some/where ends a turn.*Name the base's folder"):
        axolotl_config(own, ["train"], False)


turn = st.tuples(st.sampled_from(["user", "assistant", "tool_call", "tool"]), st.booleans())


@given(st.lists(turn, max_size=12), st.sampled_from(FORMATS), st.booleans())
def test_what_is_learned_is_what_may_be_learned(
    turns: list[tuple[str, bool]], form: str, per_reply: bool
) -> None:
    chat = [
        say(role, f"<{number}>", learn and role in ("assistant", "tool_call"))
        for number, (role, learn) in enumerate(turns)
    ]
    made = TrainerExport(per_reply=per_reply or any(
        m["role"] in ("assistant", "tool_call") and not m["trainable"] for m in chat))  # fmt: skip
    rows = list(_ROWS[form](plain_turns(chat, None), made, "train"))
    learned = [text for row in rows for text in _learned(form, row, made.per_reply)]
    allowed = {m["content"] for m in chat if m["trainable"]}
    parts = [part for text in learned for part in text.split("\n\n")]
    assert set(parts) <= allowed
    assert len(parts) == len(set(parts)) == made.replies["train"]
    missing = len(allowed) - len(parts)
    assert missing == 0 or sum(made.left_out.values()) > 0


def _learned(form: str, row: dict[str, Any], per_reply: bool) -> list[str]:
    """What the other trainer would put loss on."""
    if form == "axolotl":
        return [m["content"] for m in row["messages"] if m["train"]]
    if form == "llama-factory":
        said = row["conversations"]
        tags = [turn["from"] for turn in said]
        assert all((tag == "gpt") == (place % 2 == 1) for place, tag in enumerate(tags)), tags
        assert tags[-1] == "gpt"
        return [t["value"] for t in (said[-1:] if per_reply else said) if t["from"] == "gpt"]
    return [t["content"] for t in row["conversations"] if t["role"] == "assistant"]


def test_what_another_trainer_cannot_take(tmp_path: Path, preset: LoraPreset) -> None:
    corpus: Any = Corpus(train=[CHAT])
    for name, reason in (("demo", "demo base"), ("qwen3-8b-ada", "not names")):
        with pytest.raises(UsageError, match=reason):
            export_for_trainer(corpus, "axolotl", tmp_path / "x", load_lora_preset(name))
    strange = load_lora_preset("llama-3-8b", {"base": {"name": "some/thing"}})
    with pytest.raises(UsageError, match="ends a turn is not known"):
        export_for_trainer(corpus, "axolotl", tmp_path / "x", strange)
    with pytest.raises(UsageError, match="nothing to learn from"):
        export_for_trainer(Corpus(train=[CHAT[:2]]), "unsloth", tmp_path / "x", preset)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_replaced_unasked(tmp_path: Path, preset: LoraPreset) -> None:
    corpus: Any = Corpus(train=[CHAT])
    export_for_trainer(corpus, "axolotl", tmp_path / "x", preset)
    with pytest.raises(UsageError, match=r"stands already.*--overwrite"):
        export_for_trainer(corpus, "unsloth", tmp_path / "x", preset)
    export_for_trainer(corpus, "unsloth", tmp_path / "x", preset, overwrite=True)
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == ["config.yaml", "train.jsonl"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years")
    with pytest.raises(UsageError, match="stands already"):
        export_for_trainer(corpus, "axolotl", tmp_path / "mine", preset, overwrite=True)
    assert (tmp_path / "mine/thesis.txt").read_text() == "years"
