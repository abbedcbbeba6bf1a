"""The public sets that the label classifier is trained and tested on.

`DIR` holds one folder per category with one folder per set, and MANIFEST.csv with repository, commit and licence.
A chat is a list of (role, text); rows are drawn per set by a seeded hash, so that each set counts alike.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.label_readers import READERS, Chat
from schemas.ids import hash_fields


@dataclass(frozen=True)
class Source:
    """A public set: its folder, its category by folder, and how its chats are read.

    `family` names sets that hold the same rows: they are held out together. `train` is False where the licence, of
    the set or of what it was made from, asks that what is derived be shared alike or not sold; and for
    llamafactory_v1_sft, of whose 500 rows 450 are those of alpaca_en_demo under another category.
    """

    name: str
    folder: str
    category: str
    family: str = ""
    train: bool = True


@dataclass(frozen=True)
class Row:
    """A chat with its source."""

    source: str
    family: str
    category: str
    chat: Chat
    train: bool


def read_rows(data: Path, per_source: int) -> list[Row]:
    """Up to `per_source` rows of each set, and all the seeds. Raises FileNotFoundError when a set is missing."""
    rows: list[Row] = []
    for source in SOURCES:
        folder = data / source.folder / source.name
        family = source.family or source.name
        drawn = _drawn(READERS[source.name](folder), per_source)
        rows += [Row(source.name, family, source.category, chat, source.train) for chat in drawn]
    return rows + seeds()


def read_romanian(data: Path, per_source: int) -> dict[str, list[Chat]]:
    """Romanian sets, of which none was trained on: comments, questions with short answers, poems."""
    return {name: _drawn(READERS[name](data / "romanian" / name), per_source) for name in ROMANIAN}


def _drawn(chats: Iterable[Chat], count: int) -> list[Chat]:
    """So many of the distinct chats that say something, by a hash of their text."""
    texts = {json.dumps(chat): chat for chat in chats if any(text.strip() for _, text in chat)}
    return [texts[text] for text in sorted(texts, key=lambda text: hash_fields("labels", text))[:count]]


def seeds() -> list[Row]:
    """Openings written by hand for this project, in English and Romanian: a source of their own."""
    text = (Path(__file__).parent / "label_seeds.yaml").read_text("utf-8")
    return [
        Row(f"seeds_{category}", f"seeds_{category}", category, [("user", line)], True)
        for category, lines in yaml.safe_load(text).items()
        for line in lines
    ]


SOURCES = (
    Source("human_eval", "technical_code", "technical"),
    Source("gpteacher_codegen", "technical_code", "technical"),
    Source("alpaca_en_demo", "instructional", "instructional", "alpaca", train=False),
    Source("llamafactory_preference", "instructional", "instructional"),
    Source("gsm8k_train", "analytical_math", "analytical"),
    Source("aqua", "analytical_math", "analytical"),
    Source("bbh", "analytical_math", "analytical"),
    Source("oasst_en_100", "conversational", "conversational"),
    Source("sgd_test034", "conversational", "conversational", train=False),
    Source("llamafactory_v1_sft", "conversational", "conversational", "alpaca", train=False),
    Source("counsel_chat", "empathetic", "empathetic", "counsel"),
    Source("counsel_chat_json", "empathetic", "empathetic", "counsel"),
    Source("tinyshakespeare", "creative", "creative"),
    Source("aesop_fables", "creative", "creative"),
    Source("whitman_leaves", "creative", "creative"),
    Source("glaive_toolcall_en", "tool_api", "tool"),
    Source("reason_tool_use", "tool_api", "tool"),
    Source("bfcl_basic", "tool_api", "tool"),
    Source("apibench_torchhub", "tool_api", "tool"),
    Source("toolalpaca_eval", "tool_api", "tool"),
    Source("nq_open", "factual_qa", "factual", train=False),
    Source("opentrivia_a", "factual_qa", "factual", train=False),
    Source("llamafactory_raw", "factual_qa", "factual", train=False),
    Source("hh_rlhf_harmless_test", "ethical_debate", "ethical"),
    Source("anthropic_evals_ethics", "ethical_debate", "ethical"),
    Source("arct", "ethical_debate", "ethical"),
    Source("medquad", "specialised_safety", "specialised"),
    Source("corpora_divination", "specialised_safety", "specialised"),
)  # fmt: skip

ROMANIAN = ("ro_offense_train", "xquad_ro", "eminescu_nodiacritics")
