"""The story of a message or a conversation, from the file it was read from to its place in the corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any

import pyarrow.compute as pc

from schemas.story import (
    ConversationStory,
    CopyStory,
    CorpusStory,
    FileStory,
    MessageStory,
    PlaceStory,
    StandingStory,
    Story,
)
from schemas.tables import MIXTURE
from schemas.visible import LONGEST, visible
from tasks.accounts import MADE_BY, BuildTables
from tasks.comparing import example_states
from tasks.finding import Match, conversation_of, messages_of
from tasks.measured import Measures
from tasks.openings import LINE, find_examples, read_openings
from tasks.running import Run

#: Copies whose text is shown, unless all are asked for.
COPIES = 5


@dataclass(frozen=True)
class Place:
    """Rows of the tables: a conversation's, its messages', and those of them that are told."""

    conversation: int
    messages: range
    told: Sequence[int]


def explain(run: Run, tables: BuildTables, match: Match, full: bool) -> Story:
    """The story of what was found; of several copies (overlapping exports) the current one is told.

    `full` shows texts whole; else they are cut. Texts come out safe to look at.
    """
    places = [_place(tables, match.kind, row) for row in _rows(tables, match)]
    standings = [_standing(run, tables, place.conversation) for place in places]
    chosen = next((i for i, s in enumerate(standings) if s is None or s.current), 0)
    place = places[chosen]
    limit = None if full else (LONGEST if match.kind == "message" else LINE)
    conversation = _conversation(run, tables, place, standings[chosen], full)
    kind = "message" if match.kind == "message" else "conversation"
    lines = _lines(tables, place, limit)
    return Story(
        build=run.record.build,
        kind=kind,
        id=lines[0].message_id if kind == "message" else conversation.conversation_id,
        conversation=conversation,
        lines=lines,
        copies=[_file_of(run, tables, p.conversation) for i, p in enumerate(places) if i != chosen],
        unreached=[stage for stage in dict.fromkeys(MADE_BY.values()) if tables.dataset(stage) is None],
    )


def _rows(tables: BuildTables, match: Match) -> Sequence[int]:
    """An example leads to its conversation, of which there may be copies."""
    if match.kind != "example":
        return match.rows
    owner = tables.take("examples", match.rows[:1], ["conversation_id"])["conversation_id"][0]
    found, offset = [], 0
    for part in tables.scan("conversations", ["conversation_id"]):
        hits = pc.indices_nonzero(pc.equal(part["conversation_id"].combine_chunks(), owner))
        found += [offset + row for row in hits.to_pylist()]
        offset += part.num_rows
    return found


def _place(tables: BuildTables, kind: str, row: int) -> Place:
    if kind == "message":
        conversation, messages = conversation_of(tables, row)
        return Place(conversation, messages, [row])
    messages = messages_of(tables, row)
    return Place(row, messages, messages)


def _standing(run: Run, tables: BuildTables, conversation: int) -> StandingStory | None:
    if not tables.has("standing"):
        return None
    row = tables.take("standing", [conversation], ["current", "superseded_by"]).to_pylist()[0]
    newer = row["superseded_by"]
    return StandingStory(
        current=row["current"],
        superseded_by=newer,
        superseded_by_label=_file(run, newer).label if newer else None,
    )


def _file_of(run: Run, tables: BuildTables, conversation: int) -> FileStory:
    row = tables.take("conversations", [conversation], ["file_digest"])
    return _file(run, row["file_digest"][0].as_py())


def _file(run: Run, digest: str) -> FileStory:
    """The file as the build's plan names it; labels and paths are a person's own, and shown safely."""
    for file in run.record.inputs:
        if file.digest == digest:
            label, path = one_line(file.label, LONGEST), one_line(file.path, 1_000)
            return FileStory(digest=digest, label=label, path=path, format=file.format)
    return FileStory(digest=digest, label=None, path=None, format=None)


def _conversation(
    run: Run, tables: BuildTables, place: Place, standing: StandingStory | None, full: bool
) -> ConversationStory:
    row = tables.take("conversations", [place.conversation]).to_pylist()[0]
    return ConversationStory(
        conversation_id=row["conversation_id"],
        native_id=_safe(row["native_id"]),
        file=_file(run, row["file_digest"]),
        provider=one_line(row["provider"]),
        source=one_line(row["source"]),
        model=_safe(row["model"]),
        title=_safe(row["title"]),
        created_at=_time(row["created_at"]),
        updated_at=_time(row["updated_at"]),
        messages=row["messages"],
        branches=row["branches"],
        flags=[one_line(flag) for flag in row["flags"]],
        standing=standing,
        corpus=_corpus(tables, place, full),
    )


def _lines(tables: BuildTables, place: Place, limit: int | None) -> list[MessageStory]:
    """The told messages with everything that stands beside them."""
    rows = list(place.told)
    messages = tables.take("messages", rows).to_pylist()
    measures = Measures.read(tables, rows)
    placements: list[dict[str, Any]] = [{}] * len(rows)
    if tables.has("placements"):
        placements = tables.take("placements", rows, ["placement", "reason"]).to_pylist()
    return [
        MessageStory(
            message_id=message["message_id"],
            position=message["position"],
            role=message["role"],
            author=_safe(message["author"]),
            model=_safe(message["model"]),
            created_at=_time(message["created_at"]),
            text=visible(message["content"], limit or max(len(message["content"]), 1)),
            text_cut=limit is not None and len(message["content"]) > limit,
            signals=measures.signals(at, message["content"]),
            verdict=measures.verdict(at, message["content"]),
            placement=placement.get("placement"),
            placement_reason=placement.get("reason"),
        )
        for at, (message, placement) in enumerate(zip(messages, placements, strict=True))
    ]


def _corpus(tables: BuildTables, place: Place, full: bool) -> CorpusStory | None:
    """The way of the conversation's example; None when none was made of it."""
    if not tables.has("placements"):
        return None
    homes = tables.take("placements", place.messages, ["example_id"])["example_id"].to_pylist()
    example = next((home for home in homes if home is not None), None)
    if example is None:
        return None
    story = _label(tables, _twins(tables, CorpusStory(example_id=example), full))
    if not tables.has("mixture"):
        return story
    places = _places(tables, example)
    if not places:
        return story.model_copy(update={"left_out": _left_out(tables, example)})
    first = places[0]
    return story.model_copy(
        update={
            "phase": first.phase,
            "split": first.split,
            "order": first.order,
            "split_size": first.size,
            "places": places,
        }
    )


def _places(tables: BuildTables, example: str) -> list[PlaceStory]:
    """Every row of the corpus that holds the example, phase after phase."""
    rows = [
        row
        for part in tables.scan("mixture", None)
        for row in part.filter(pc.equal(part["example_id"], example)).to_pylist()
    ]
    sizes = {(row["phase"], row["split"]): 0 for row in rows}
    for phase, split in sizes:
        sizes[phase, split] = _rows_of_phase(tables, phase, split)
    places = [
        PlaceStory(
            phase=row["phase"], split=row["split"], order=row["order"], size=sizes[row["phase"], row["split"]]
        )
        for row in rows
    ]
    return sorted(places, key=lambda place: (place.phase, place.order))


def _rows_of_phase(tables: BuildTables, phase: int, split: str) -> int:
    """Rows of one phase of one split: what `order` counts through."""
    portions = tables.column("portions", ["phase", "split", "rows"])
    own = pc.and_(pc.equal(portions["phase"], phase), pc.equal(portions["split"], split))
    return int(pc.sum(portions.filter(own)["rows"]).as_py() or 0)


def _twins(tables: BuildTables, story: CorpusStory, full: bool) -> CorpusStory:
    if not tables.has("clusters"):
        return story
    row = _row_where(tables, "clusters", story.example_id)
    if row is None:
        asked = _row_where(tables, "contaminated", story.example_id)
        return story.model_copy(update={"evaluation": asked and one_line(asked["evaluation"])})
    members = [
        member
        for part in tables.scan("clusters", ["example_id", "cluster_id", "similarity", "method"])
        for member in part.filter(pc.equal(part["cluster_id"], row["cluster_id"])).to_pylist()
        if member["example_id"] != story.example_id
    ]
    members.sort(key=lambda member: (-member["similarity"], member["example_id"]))
    return story.model_copy(
        update={
            "cluster_id": row["cluster_id"],
            "keeper_id": row["keeper_id"],
            "twins": sorted(member["example_id"] for member in members),
            "copies": _copies(tables, members, len(members) if full else COPIES),
            "similarity": round(row["similarity"], 4),
            "method": row["method"],
        }
    )


def _copies(tables: BuildTables, members: Sequence[dict[str, Any]], opened: int) -> list[CopyStory]:
    """The members of a cluster with their sources; of the first `opened` also where their texts begin."""
    found = find_examples(tables, [member["example_id"] for member in members])
    openings = read_openings(tables, [found[member["example_id"]][0] for member in members[:opened]])
    return [
        CopyStory(
            example_id=member["example_id"],
            similarity=round(member["similarity"], 4),
            method=member["method"],
            source=one_line(found[member["example_id"]][1]),
            opening=opening,
        )
        for member, opening in zip_longest(members, openings)
    ]


def _label(tables: BuildTables, story: CorpusStory) -> CorpusStory:
    row = _row_where(tables, "labels", story.example_id) if tables.has("labels") else None
    if row is None:
        return story
    sure = row["confidence"]
    return story.model_copy(
        update={
            "category": row["category"],
            "label_method": row["method"],
            "confidence": None if sure is None else round(sure, 4),
        }
    )


def _left_out(tables: BuildTables, example: str) -> str:
    """Why an example is not in the corpus, in the word that `vatra diff` uses too."""
    for part in tables.scan("examples", ["example_id", "text_hash"]):
        found = part.filter(pc.equal(part["example_id"], example))
        if found.num_rows:
            clusters = tables.column("clusters", ["example_id", "keeper_id", "method"])
            asked = tables.column("contaminated", ["example_id"])
            reasons = tables.column("left_out", ["example_id", "reason"])
            states = example_states(found, clusters, MIXTURE.empty_table(), reasons, asked)
            return str(states["state"][0]).partition(":")[2]
    return "not_assembled"


def _row_where(tables: BuildTables, table: str, example: str) -> dict[str, Any] | None:
    for part in tables.scan(table, None):
        found = part.filter(pc.equal(part["example_id"], example))
        if found.num_rows:
            row: dict[str, Any] = found.slice(0, 1).to_pylist()[0]
            return row
    return None


def _safe(text: str | None) -> str | None:
    return None if text is None else one_line(text)


def one_line(text: str, longest: int = LINE) -> str:
    """A text safe to look at, and without line breaks: a title must not pass for further facts."""
    return visible(" ".join(text.split()), longest)


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
