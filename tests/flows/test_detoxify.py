"""Detoxify in a real build: a small checkpoint in the real format; scores are kept and never computed twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from storage.catalog import latest_build
from storage.datasets import find_dataset
from storage.store import Store
from tests.models.toxicity.checkpoints import write_detoxify_variant

ENGLISH = "You are a kind and dear friend to the whole house, and a good one."
ROMANIAN = "Noaptea trecută am cules mere cu Ana și am râs până dimineața."


def export(path: Path, *replies: str) -> Path:
    questions = [f"Tell me about evening number {number}, please." for number in range(len(replies))]
    turns = [
        [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]
        for question, reply in zip(questions, replies, strict=True)
    ]
    lines = [{"messages": messages} for messages in turns]
    path.write_text("\n".join(json.dumps(line) for line in lines), "utf-8")
    return path


def signals(home: Path) -> list[dict[str, Any]]:
    store = Store(str(home))
    record = latest_build(store, "score")
    scored = find_dataset(store, "score", record.stages["score"])
    assert scored is not None
    return [row for part in scored.scan("signals") for row in part.to_pylist()]


def test_detoxify_scores_english_once(home: Path, run_vatra: Any, tmp_path: Path) -> None:
    write_detoxify_variant(home / "cache")
    chats = export(tmp_path / "chats.jsonl", ENGLISH, ROMANIAN)
    first = run_vatra("stage", "score", chats, "--home", home, "--json")
    assert first.code == 0, first.errors
    rows = {row["language"]: row for row in signals(home) if row["chars"] in (len(ENGLISH), len(ROMANIAN))}
    assert 0 <= rows["en"]["toxicity"] <= 1
    assert 0 <= rows["en"]["threat"] <= 1
    assert rows["ro"]["toxicity"] is None, "original speaks English only"
    kept = [
        pq.read_table(path)["content_hash"].to_pylist() for path in sorted(home.glob("scores/*/*.parquet"))
    ]
    export(chats, ENGLISH, ROMANIAN, "One more evening by the good old house and the tree.")
    second = run_vatra("stage", "score", chats, "--home", home, "--json")
    assert second.code == 0, second.errors
    again = [
        pq.read_table(path)["content_hash"].to_pylist() for path in sorted(home.glob("scores/*/*.parquet"))
    ]
    assert again[: len(kept)] == kept
    new = [text for segment in again[len(kept) :] for text in segment]
    assert len(new) == 2, "the new question and the new reply, and nothing that was scored before"
