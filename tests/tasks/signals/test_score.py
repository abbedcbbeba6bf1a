"""The score stage: signals row for row, and a toxicity score that is null wherever nobody was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from schemas.parts import Part
from schemas.settings import Rule, ScoreSettings
from schemas.tables import SIGNALS, TOXICITY_LABELS
from tasks.signals import ToxicityModel, score_part
from tests.schemas.rows import conversation_tables, table

EN = "Could you explain how the tides work in the harbour?"
RO = "Mulțumesc frumos, mâine dimineață merg la piață cu bunica."
SETTINGS = ScoreSettings(
    languages=("en", "ro"),
    rules={"slop": (Rule(name="tides", pattern=r"\btides\b"),)},
    scorer="shouting",
    scorer_digest="none",
)


class Shouting:
    """Scores the share of capitals: a real scorer, if a crude one. Remembers what it was asked."""

    languages = frozenset({"en"})
    labels = ("toxicity", "insult")

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def score(self, hashes: Sequence[str], texts: Sequence[str]) -> Mapping[str, np.ndarray]:
        self.asked += zip(hashes, texts, strict=True)
        capitals = np.array([sum(map(str.isupper, text)) / len(text) for text in texts])
        return {"toxicity": capitals, "insult": capitals / 2}


def score(lines: Sequence[tuple[str, str]], model: ToxicityModel | None) -> Part:
    (part,) = score_part({"messages": conversation_tables(lines)["messages"]}, SETTINGS, model)
    return part


def test_signals_are_aligned_and_have_their_schema() -> None:
    messages = conversation_tables([("user", EN), ("assistant", RO)])["messages"]
    (part,) = score_part({"messages": messages}, SETTINGS, None)
    signals = part.tables["signals"]
    assert signals.schema.equals(SIGNALS)
    assert signals["message_id"].to_pylist() == messages["message_id"].to_pylist()
    assert signals["language"].to_pylist() == ["en", "ro"]


def test_without_a_scorer_every_score_is_null_and_never_zero() -> None:
    part = score([("user", EN), ("assistant", "NO! " + EN)], None)
    for label in TOXICITY_LABELS:
        assert part.tables["signals"][label].to_pylist() == [None, None]
    assert part.tally == {"unscored:en": 2}


def test_scores_are_for_the_scorers_languages_and_labels_only() -> None:
    model = Shouting()
    loud = "THE TIDES ARE LATE AGAIN IN THIS HARBOUR"
    part = score([("user", EN), ("assistant", RO), ("user", loud)], model)
    rows = part.tables["signals"].to_pylist()
    assert rows[0]["toxicity"] == pytest.approx(1 / len(EN))
    assert rows[2]["toxicity"] == pytest.approx(sum(map(str.isupper, loud)) / len(loud))
    assert rows[2]["insult"] == pytest.approx(rows[2]["toxicity"] / 2)
    assert [rows[1][label] for label in TOXICITY_LABELS] == [None] * 6
    assert {label for label in TOXICITY_LABELS if rows[2][label] is not None} == {"toxicity", "insult"}
    assert [text for _, text in model.asked] == [EN, loud]
    assert part.tally == {"scored:en": 2, "unscored:ro": 1}


def test_a_short_message_is_scored_in_the_language_that_it_inherits() -> None:
    model = Shouting()
    part = score([("user", EN), ("assistant", "OK")], model)
    assert part.tables["signals"]["language_inherited"].to_pylist() == [False, True]
    assert part.tables["signals"]["toxicity"][1].as_py() == 1.0


def test_texts_come_with_their_content_hashes() -> None:
    messages = conversation_tables([("user", RO), ("assistant", EN)])["messages"]
    model = Shouting()
    list(score_part({"messages": messages}, SETTINGS, model))
    assert model.asked == [(messages["content_hash"][1].as_py(), EN)]


def test_a_scorer_is_not_asked_about_nothing() -> None:
    model = Shouting()
    part = score([("user", RO)], model)
    assert model.asked == []
    assert part.tally == {"unscored:ro": 1}


def test_lengths_count_what_is_seen_and_hits_what_stands() -> None:
    text = "\u200b\u200b 😀 the tides, don't ask"
    (row,) = score([("user", text)], None).tables["signals"].to_pylist()
    assert (row["chars"], row["visible_chars"], row["words"]) == (len(text), len(text) - 3, 4)
    (hit,) = row["rule_hits"]
    assert text[hit["start"] : hit["end"]] == "tides"
    assert hit["rule"] == "slop:tides"


def test_invisible_and_dots() -> None:
    rows = score([("user", "\u200b\ufeff"), ("assistant", " … ")], None).tables["signals"].to_pylist()
    assert [row["visible_chars"] for row in rows] == [0, 1]
    assert [row["ellipsis_only"] for row in rows] == [False, True]


def test_an_empty_part() -> None:
    (part,) = score_part({"messages": table("messages")}, SETTINGS, Shouting())
    assert part.tables["signals"].equals(SIGNALS.empty_table())
