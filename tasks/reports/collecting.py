"""From a build's tables to the statistics of its report, in the memory of one part."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

from schemas.tables import SPLITS
from tasks.reports.categories import count_labels
from tasks.reports.context import ReportContext
from tasks.reports.counting import largest_first, record_sums, tally, whole
from tasks.reports.ledger import LedgerCounter, ledger_of_summary
from tasks.reports.message_parts import message_parts
from tasks.reports.near_copies import contaminated, near_copies
from tasks.reports.signal_counts import SignalCounter
from tasks.reports.statistics import (
    ConversationCounts,
    DuplicateCounts,
    ExampleCounts,
    LeftOut,
    MessageLedger,
    SourceCount,
    Statistics,
)
from tasks.reports.tables import Tables, scan_present

#: Sizes of clusters that are counted together: largest size of the group, label.
CLUSTER_SIZES = ((2, "2"), (3, "3"), (5, "4–5"), (10, "6–10"), (10**18, "more than 10"))


def collect_statistics(tables: Tables, context: ReportContext) -> Statistics:
    """Count a build; tables that it did not reach leave None. Raises StoreError on misaligned tables."""
    ledger, signals = LedgerCounter(), SignalCounter(context.threshold)
    for part in message_parts(tables):
        ledger.add(part)
        signals.add(part)
    examples_by_source: Counter[str] = Counter()
    examples = _examples(tables, examples_by_source)
    corpus_by_source: Counter[tuple[str, str]] = Counter()
    corpus = _corpus(tables, context, corpus_by_source)
    counted = ledger.ledger() if tables.has("messages") else ledger_of_summary(context.summary)
    return Statistics(
        files=len(context.files),
        conversations=_conversations(context, ledger),
        messages=counted,
        set_aside=_set_aside(tables),
        signals=signals.statistics() if tables.has("signals") and tables.has("messages") else None,
        sources=_sources(ledger, examples_by_source, corpus_by_source),
        examples=examples,
        duplicates=_duplicates(tables),
        corpus=corpus,
        labels=count_labels(tables),
        left_out=_left_out(tables),
        disagreements=_disagreements(context, counted, corpus) if tables.has("messages") else (),
    )


def _conversations(context: ReportContext, ledger: LedgerCounter) -> ConversationCounts:
    """Counts of the summary, in which superseded copies may stand as duplicates, told apart by the tables."""
    counts, read = context.summary.imports.model_dump(), ledger.conversations.total()
    if not any(counts.values()):
        counts["seen"] = counts["kept"] = read
    if read:
        counts["duplicate"] = max(0, counts["duplicate"] - (read - counts["kept"]))
        counts["kept"] = read
    return ConversationCounts(**counts, superseded=ledger.superseded)


def _left_out(tables: Tables) -> tuple[LeftOut, ...]:
    """By source as first read, the largest reason first."""
    sums: dict[str, Counter[str]] = {}
    for part in scan_present(tables, "imports", ("source", "conversations_left_out")):
        for row in part.to_pylist():
            found = sums.setdefault(row["source"], Counter())
            for item in row["conversations_left_out"] or ():
                found[item["reason"]] += item["count"]
    return tuple(
        LeftOut(source, why, n) for source, found in sums.items() for why, n in largest_first(found).items()
    )


def _set_aside(tables: Tables) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for part in scan_present(tables, "imports", ("messages_set_aside",)):
        sums += record_sums(part, "messages_set_aside")
    return largest_first(sums)


def _examples(tables: Tables, by_source: Counter[str]) -> ExampleCounts | None:
    if not tables.has("examples"):
        return None
    total = trainable = 0
    repairs: Counter[str] = Counter()
    categories: Counter[str] = Counter()
    for part in tables.scan("examples", ("source", "trainable", "repairs", "category")):
        total += part.num_rows
        trainable += pc.sum(part.column("trainable")).as_py() or 0
        repairs += record_sums(part, "repairs")
        for (source,), count in tally({"source": whole(part, "source")}).items():
            by_source[source] += count
        for (category,), count in tally({"category": whole(part, "category")}).items():
            categories[category or ""] += count
    named = {name: count for name, count in categories.items() if name}
    return ExampleCounts(total, trainable, largest_first(repairs), largest_first(named))


def _duplicates(tables: Tables) -> DuplicateCounts | None:
    if not tables.has("clusters"):
        return None
    members = pa.table({"cluster": pa.array([], pa.string()), "n": pa.array([], pa.int64())})
    removed = 0
    methods: Counter[str] = Counter()
    for part in tables.scan("clusters", ("example_id", "cluster_id", "keeper_id", "method")):
        leaving = pc.not_equal(whole(part, "example_id"), whole(part, "keeper_id"))
        removed += pc.sum(leaving).as_py() or 0
        for (method,), count in tally({"method": whole(part, "method").filter(leaving)}).items():
            methods[method] += count
        ones = pa.table(
            {"cluster": whole(part, "cluster_id"), "n": pa.array([1] * part.num_rows, pa.int64())}
        )
        summed = pa.concat_tables([members, ones]).group_by("cluster").aggregate([("n", "sum")])
        members = pa.table({"cluster": summed["cluster"], "n": summed["n_sum"]})
    by_size = {n: count for (n,), count in tally({"n": whole(members, "n")}).items()}
    sizes: Counter[str] = Counter()
    for n, count in by_size.items():
        sizes[next(label for most, label in CLUSTER_SIZES if n <= most)] += count
    ordered = {label: sizes[label] for _, label in CLUSTER_SIZES if sizes[label]}
    rows = sum(n * count for n, count in by_size.items())
    similarities, shown = near_copies(tables)
    return DuplicateCounts(
        clusters=len(members),
        examples=rows,
        removed=removed,
        largest=max(by_size, default=0),
        sizes=ordered,
        methods=largest_first(methods),
        similarities=similarities,
        shown=shown,
        contaminated=contaminated(tables),
    )


def _corpus(
    tables: Tables, context: ReportContext, by_source: Counter[tuple[str, str]]
) -> dict[str, int] | None:
    given = context.summary.corpus.model_dump()
    if not any(tables.has(split) for split in SPLITS):
        return given if any(given.values()) else None
    counts = dict.fromkeys(SPLITS, 0)
    portions = list(scan_present(tables, "portions", ("phase", "source", "split", "examples")))
    for part in portions:
        once = part.filter(pc.equal(part["phase"], 0))
        columns = {name: whole(once, name) for name in ("source", "split", "examples")}
        for (source, split), count in tally(columns, weight="examples").items():
            by_source[source, split] += count
            counts[split] += count
    if portions:
        return counts
    for split in SPLITS:  # a corpus of before there were phases: every example has one row
        for part in scan_present(tables, split, ("source",)):
            for (source,), count in tally({"source": whole(part, "source")}).items():
                by_source[source, split] += count
                counts[split] += count
    return counts


def _sources(
    ledger: LedgerCounter, examples: Counter[str], corpus: Counter[tuple[str, str]]
) -> tuple[SourceCount, ...]:
    messages: Counter[str] = Counter()
    for (source, _), count in ledger.by_source.items():
        messages[source] += count
    names = {*messages, *ledger.conversations, *examples, *(source for source, _ in corpus)}
    found = [
        SourceCount(
            source=name,
            conversations=ledger.conversations[name],
            messages=messages[name],
            kept=ledger.by_source[name, "kept"],
            masked=ledger.by_source[name, "masked"],
            dropped=ledger.by_source[name, "dropped"],
            examples=examples[name],
            splits={split: corpus[name, split] for split in SPLITS},
            reasons=largest_first(ledger.dropped.get(name, {})),
        )
        for name in names
    ]
    return tuple(sorted(found, key=lambda source: (-source.messages, -source.examples, source.source)))


def _disagreements(
    context: ReportContext, counted: MessageLedger, corpus: dict[str, int] | None
) -> tuple[str, ...]:
    """Where the summary and the tables tell different stories: a fault worth showing, not hiding."""
    said = context.summary.messages
    pairs = []
    if sum(said.parsed.values()):
        pairs.append(("messages parsed", sum(said.parsed.values()), counted.total))
    if counted.decided and (said.kept or said.masked or said.dropped):
        pairs += [
            ("messages kept", said.kept, counted.kept),
            ("messages masked", said.masked, counted.masked),
            ("messages dropped", sum(said.dropped.values()), counted.dropped),
        ]
    given = sum(context.summary.corpus.model_dump().values())
    if corpus is not None and given:
        pairs.append(("examples in the corpus", given, sum(corpus.values())))
    return tuple(f"{what}: the summary says {a:,}, the tables {b:,}" for what, a, b in pairs if a != b)
