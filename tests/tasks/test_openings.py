"""Copies are shown with their sources and where they begin; an example with all its places in the corpus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pytest

from flows.stories import told
from schemas.story import ConversationStory, CopyStory, CorpusStory, FileStory, PlaceStory, Story
from tasks.explaining import _places
from tasks.openings import fill_clusters
from tasks.reports.statistics import ClusterShown
from tests.schemas.rows import an_id, table

FILE = FileStory(digest="d", label="a.json", path=None, format="json")


class Given:
    """Tables in memory, in parts, that are read by columns and by rows."""

    def __init__(self, **tables: Sequence[pa.Table]) -> None:
        self._tables = tables

    def scan(self, name: str, columns: Sequence[str] | None) -> Iterator[pa.Table]:
        for part in self._tables[name]:
            yield part if columns is None else part.select(list(columns))

    def take(self, name: str, rows: Sequence[int], columns: Sequence[str] | None = None) -> pa.Table:
        return pa.concat_tables(self.scan(name, columns)).take(list(rows))

    def column(self, name: str, columns: Sequence[str]) -> pa.Table:
        return pa.concat_tables(self.scan(name, columns))


def example(name: str, source: str, *turns: tuple[str, str]) -> dict[str, Any]:
    lines = [
        {"role": role, "author": None, "intensity": None, "content": text, "trainable": role == "assistant"}
        for role, text in turns
    ]
    return {"example_id": an_id(name), "source": source, "messages": lines}


def test_a_cluster_is_shown_with_the_sources_of_its_members_and_its_opening() -> None:
    rows = [
        example("a", "web", ("system", "Be kind."), ("user", "Cum\nfaci \x1b pâine?"), ("assistant", "Așa.")),
        example("b", "book", ("user", "Cum faci pâine")),
        example("c", "web", ("user", "Cum faci pâinea?")),
        example("d", "other", ("user", "no member")),
    ]
    clusters = [{"example_id": an_id(name), "cluster_id": "k", "keeper_id": an_id("a")} for name in "abc"]
    given = Given(
        examples=[table("examples", *rows[:2]), table("examples", *rows[2:])],
        clusters=[table("clusters", *clusters), table("clusters", {"example_id": an_id("d")})],
    )
    (filled,) = fill_clusters(given, [ClusterShown("k", an_id("a"), 2, 0.7)])
    assert filled.sources == {"web": 2, "book": 1}
    assert filled.opening == "Cum faci ‹U+001B› pâine?"
    assert fill_clusters(given, []) == ()


def test_every_place_of_an_example_is_found() -> None:
    mine, other = an_id("a"), an_id("b")
    rows = [(2, 1, mine), (1, 0, other), (1, 1, mine), (2, 0, mine)]
    mixture = [{"example_id": i, "phase": p, "split": "train", "order": n} for p, n, i in rows]
    portions = [{"phase": 1, "split": "train", "rows": 2}, {"phase": 2, "split": "train", "rows": 9}]
    given: Any = Given(
        mixture=[table("mixture", *mixture[:2]), table("mixture", *mixture[2:])],
        portions=[table("portions", *portions)],
    )
    assert [(p.phase, p.order, p.size) for p in _places(given, mine)] == [(1, 1, 2), (2, 0, 9), (2, 1, 9)]


@pytest.mark.parametrize(("full", "twins"), [(False, 5), (True, 12)])
def test_the_story_names_all_places_and_with_full_all_copies(full: bool, twins: int) -> None:
    corpus = CorpusStory(
        example_id="e", cluster_id="k", keeper_id="e", similarity=1.0, method="near",
        twins=[f"t{n}" for n in range(12)],
        copies=[
            CopyStory(example_id=f"t{n}", similarity=0.9, method="near", source="web", opening=f"opening {n}")
            for n in range(12)
        ],
        places=[PlaceStory(phase=p, split="train", order=2, size=9) for p in (4, 5)],
    )  # fmt: skip
    chat = ConversationStory(
        conversation_id="c", native_id=None, file=FILE, provider="p", source="web", model=None, title=None,
        created_at=None, updated_at=None, messages=1, branches=0, flags=[], standing=None, corpus=corpus,
    )  # fmt: skip
    lines = list(told(Story(build="b", kind="conversation", id="c", conversation=chat, lines=[]), full))
    shown = "\n".join(lines)
    assert shown.count("  twin") == shown.count("source web, similarity 0.90 (near): opening") == twins
    assert ("and 7 more, which --full names" in shown) is not full
    assert "train, phase 4, number 3 of 9" in shown
    assert "train, phase 5, number 3 of 9" in shown
