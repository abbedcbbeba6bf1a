import dataclasses
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import StoreError
from schemas.summary import BuildSummary, CorpusCounts, ImportCounts, MessageCounts
from tasks.reports import ReportContext, collect_statistics, render_page
from tasks.reports.story import funnel


def test_ledger_counts_every_message_once(tables: Any, context: ReportContext) -> None:
    ledger = collect_statistics(tables, context).messages
    assert ledger.parsed == {"user": 6, "assistant": 7}
    assert (ledger.kept, ledger.trained, ledger.masked, ledger.dropped) == (7, 2, 1, 5)
    assert ledger.balances
    found = {(r.outcome, r.reason): (r.messages, r.by_role) for r in ledger.reasons}
    assert found == {
        ("dropped", "superseded"): (2, {"user": 1, "assistant": 1}),
        ("dropped", "single_word"): (1, {"assistant": 1}),
        ("dropped", "masked_piece_of_reply"): (1, {"assistant": 1}),
        ("dropped", "unanswered"): (1, {"user": 1}),
        ("kept", "opening_greeting"): (1, {"assistant": 1}),
        ("masked", "blacklist"): (1, {"assistant": 1}),
    }
    assert ledger.flagged == 1


def test_conversations_files_and_what_was_set_aside(tables: Any, context: ReportContext) -> None:
    statistics = collect_statistics(tables, context)
    chats = statistics.conversations
    assert (chats.seen, chats.kept, chats.empty, chats.failed) == (6, 4, 1, 1)
    assert (chats.superseded, chats.current) == (1, 3)
    assert statistics.files == 1
    assert statistics.set_aside == {"tool_result": 6}


def test_superseded_copies_counted_as_duplicates_by_the_summary_are_told_apart(
    tables: Any, context: ReportContext
) -> None:
    imports = ImportCounts(seen=8, kept=3, empty=1, failed=1, duplicate=3)
    summary = context.summary.model_copy(update={"imports": imports})
    chats = collect_statistics(tables, dataclasses.replace(context, summary=summary)).conversations
    assert (chats.seen, chats.kept, chats.empty, chats.failed, chats.duplicate) == (8, 4, 1, 1, 2)
    assert (chats.superseded, chats.current) == (1, 3)


def test_rules_count_current_messages_by_role_with_samples(tables: Any, context: ReportContext) -> None:
    signals = collect_statistics(tables, context).signals
    assert signals is not None
    assert signals.messages == 11
    circle, resonates = signals.rules
    assert (circle.rule, circle.family, circle.name) == ("blacklist:circle back", "blacklist", "circle back")
    assert (circle.messages, circle.hits) == (2, 3)
    assert circle.messages_by_role == {"user": 1, "assistant": 1}
    assert circle.hits_by_role == {"user": 1, "assistant": 2}
    assert circle.actions == {"kept": 1, "masked": 1}
    assert [(s.message_id, s.before, s.hit, s.after) for s in circle.samples] == [
        ("m1", "Let us ", "circle back", ". Yes, circle back!"),
        ("m2", "🔥🔥 fine, ", "circle back", " then"),
    ]
    assert (resonates.rule, resonates.messages, resonates.actions) == (
        "slop:that resonates",
        1,
        {"dropped": 1},
    )


def test_scores_by_bin_label_and_language_and_never_zero_for_unscored(
    tables: Any, context: ReportContext
) -> None:
    signals = collect_statistics(tables, context).signals
    assert signals is not None
    toxicity = signals.toxicity
    assert {role: {i: n for i, n in enumerate(bins) if n} for role, bins in toxicity.histogram.items()} == {
        "user": {0: 2},
        "assistant": {7: 1, 16: 1},
    }
    assert (toxicity.scored, toxicity.unscored) == (4, 7)
    labels = {label.label: (label.scored, label.above) for label in toxicity.labels}
    assert labels["toxicity"] == (4, 1)
    assert labels["threat"] == (0, 0)
    languages = {x.language: (x.messages, x.scored, x.unscored) for x in signals.languages}
    assert languages == {"ro": (7, 0, 7), "en": (4, 4, 0)}


def test_lengths_fall_into_their_bins(tables: Any, context: ReportContext) -> None:
    signals = collect_statistics(tables, context).signals
    assert signals is not None
    user, assistant = signals.lengths
    assert (user.role, user.messages, user.longest) == ("user", 5, 25)
    assert {i: n for i, n in enumerate(user.bins) if n} == {3: 1, 4: 3, 5: 1}
    assert {i: n for i, n in enumerate(assistant.bins) if n} == {2: 1, 4: 2, 5: 3}
    assert (
        assistant.chars == len("Let us circle back. Yes, circle back!Begin with the hearth.ok") + 11 + 25 + 17
    )


def test_examples_duplicates_corpus_and_sources(tables: Any, context: ReportContext) -> None:
    statistics = collect_statistics(tables, context)
    assert statistics.examples is not None
    assert statistics.duplicates is not None
    assert (statistics.examples.total, statistics.examples.trainable) == (3, 4)
    assert statistics.examples.repairs == {"joined_user": 4}
    assert statistics.examples.categories == {"home": 1}
    twins = statistics.duplicates
    assert (twins.clusters, twins.examples, twins.removed, twins.largest) == (1, 2, 1, 2)
    assert (twins.sizes, twins.methods) == ({"2": 1}, {"exact": 1})
    assert statistics.corpus == {"train": 1, "validation": 1, "test": 0}
    claude, journal = statistics.sources
    assert (claude.source, claude.conversations, claude.messages) == ("claude", 3, 8)
    assert (claude.kept, claude.masked, claude.dropped) == (4, 1, 3)
    assert claude.reasons == {"superseded": 2, "single_word": 1}
    assert (journal.kept, journal.masked, journal.dropped, journal.examples) == (3, 0, 2, 2)
    assert journal.splits == {"train": 0, "validation": 1, "test": 0}


def test_categories_are_counted_by_how_they_were_come_by(tables: Any, context: ReportContext) -> None:
    labels = collect_statistics(tables, context).labels
    assert labels is not None
    assert (labels.total, labels.unassigned) == (3, 1)
    assert labels.methods == {"declared": 1, "classifier": 1, "unassigned": 1}
    assert {c.category: dict(c.methods) for c in labels.categories if c.examples} == {
        "tool": {"declared": 1, "classifier": 1}
    }
    assert sum(c.examples for c in labels.categories) + labels.unassigned == labels.total
    assert collect_statistics(tables.without("labels"), context).labels is None


def test_before_assembly_the_verdicts_decide(tables: Any, context: ReportContext) -> None:
    statistics = collect_statistics(
        tables.without("placements", "examples", "clusters", "train", "validation", "test"), context
    )
    ledger = statistics.messages
    assert (ledger.kept, ledger.masked, ledger.dropped, ledger.trained) == (8, 2, 3, None)
    assert statistics.examples is None
    assert statistics.duplicates is None
    assert statistics.corpus is None


def test_before_the_filter_nothing_is_decided(tables: Any, context: ReportContext) -> None:
    statistics = collect_statistics(tables.without("placements", "verdicts", "signals", "standing"), context)
    assert not statistics.messages.decided
    assert statistics.messages.total == 13
    assert statistics.signals is None
    assert statistics.conversations.current is None
    assert [s.messages for s in statistics.sources] == [8, 5]


def test_without_tables_the_summary_is_told(build_tables: Any) -> None:
    counts = MessageCounts(parsed={"user": 2, "assistant": 3}, kept=4, dropped={"empty": 1, "slop": 0})
    summary = BuildSummary(messages=counts, corpus=CorpusCounts(train=2))
    statistics = collect_statistics(build_tables([]).without("messages"), ReportContext(summary))
    assert (statistics.messages.total, statistics.messages.kept, statistics.messages.dropped) == (5, 4, 1)
    assert [r.reason for r in statistics.messages.reasons] == ["empty"]
    assert statistics.corpus == {"train": 2, "validation": 0, "test": 0}


def test_empty_tables_count_nothing(build_tables: Any, make_table: Any) -> None:
    tables = build_tables([[]])
    tables.parts |= {name: [make_table(name, [])] for name in ("imports", "examples", "clusters", "train")}
    statistics = collect_statistics(tables, ReportContext(BuildSummary()))
    assert statistics.messages.total == 0
    assert statistics.signals is not None
    assert statistics.signals.rules == ()
    assert statistics.duplicates is not None
    assert statistics.duplicates.largest == 0


def test_summary_and_tables_that_disagree_are_named(tables: Any, context: ReportContext) -> None:
    counts = MessageCounts(parsed={"user": 6, "assistant": 8}, kept=7, masked=1, dropped={"x": 5})
    summary = context.summary.model_copy(update={"messages": counts})
    statistics = collect_statistics(tables, dataclasses.replace(context, summary=summary))
    assert statistics.disagreements == ("messages parsed: the summary says 14, the tables 13",)


def test_a_drop_without_a_reason_is_shown_as_such(build_tables: Any, context: ReportContext) -> None:
    messages = [("c1", "user", "Hello there", "en", None, "keep", None, "dropped", None)]
    ledger = collect_statistics(build_tables([["c1"]], messages), context).messages
    assert [(r.reason, r.messages) for r in ledger.reasons] == [("unexplained", 1)]


def test_misaligned_tables_are_refused(tables: Any, context: ReportContext) -> None:
    tables.parts["verdicts"] = [part.slice(1) for part in tables.parts["verdicts"]]
    with pytest.raises(StoreError, match="aligned"):
        collect_statistics(tables, context)


def test_a_missing_part_is_refused(tables: Any, context: ReportContext) -> None:
    tables.parts["signals"] = tables.parts["signals"][:1]
    with pytest.raises(StoreError, match="signals has fewer parts"):
        collect_statistics(tables, context)


def test_nan_is_not_a_score(build_tables: Any, context: ReportContext) -> None:
    messages = [("c1", "user", "Hello there", "en", float("nan"), "keep", None, "context", None)]
    signals = collect_statistics(build_tables([["c1"]], messages), context).signals
    assert signals is not None
    assert (signals.toxicity.scored, signals.toxicity.unscored, signals.toxicity.histogram) == (0, 1, {})


def test_text_is_read_from_messages_only(tables: Any, context: ReportContext) -> None:
    collect_statistics(tables, context)
    assert [name for name, columns in tables.asked if "content" in columns] == ["messages"]
    assert not [name for name, columns in tables.asked if "messages" in columns]


def test_slices_of_larger_tables_count_the_same(tables: Any, context: ReportContext) -> None:
    expected = collect_statistics(tables, context)
    for name, parts in tables.parts.items():
        joined = pa.concat_tables(parts).combine_chunks()
        ends = [sum(map(len, parts[: i + 1])) for i in range(len(parts))]
        tables.parts[name] = [joined.slice(e - len(p), len(p)) for e, p in zip(ends, parts, strict=True)]
    assert collect_statistics(tables, context) == expected


@settings(derandomize=True, max_examples=15, deadline=None)
@given(cuts=st.lists(st.booleans(), min_size=3, max_size=3))
def test_part_boundaries_change_nothing(build_tables: Any, cuts: list[bool]) -> None:
    parts: list[list[str]] = [["c1"]]
    for conversation, cut in zip(("c2", "c3", "c4"), cuts, strict=True):
        if cut:
            parts.append([])
        parts[-1].append(conversation)
    context = ReportContext(BuildSummary(), scorer="profanity", settings={"toxicity": {"threshold": 0.8}})
    one = collect_statistics(build_tables([["c1", "c2", "c3", "c4"]]), context)
    assert collect_statistics(build_tables(parts), context) == one


def test_what_sources_leave_out_is_told_by_source_and_reason(
    tables: Any, context: ReportContext, make_table: Any
) -> None:
    def left(source: str, **reasons: int) -> dict[str, Any]:
        counts = [{"reason": why, "count": n} for why, n in reasons.items()]
        return {"source": source, "conversations_left_out": counts}

    rows = [left("kitchen", language=1, rating=4), left("kitchen", language=2), {"source": "chats"}]
    tables.parts["imports"] = [make_table("imports", rows)]
    imports = ImportCounts(seen=11, kept=4, left_out=7)
    summary = context.summary.model_copy(update={"imports": imports})
    context = dataclasses.replace(context, summary=summary)
    statistics = collect_statistics(tables, context)
    found = [(item.source, item.reason, item.records) for item in statistics.left_out]
    assert found == [("kitchen", "rating", 4), ("kitchen", "language", 3)]
    assert funnel(statistics)[0].steps[1].lost == ("−7 left out",)
    page = render_page(statistics, context)
    assert "Records that their sources leave out" in page
