"""What a person must be told of a build that ended well: what it could not have, and what nothing is left of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from schemas.settings import BuildSettings
from schemas.summary import BuildSummary
from tasks.mixing.ids import Finder, join, read_ids
from tasks.reports import Statistics, Tables
from tasks.reports.mixture import told_bounds, told_part
from tasks.reports.reasons import reason_title
from tasks.reports.story import counted
from tasks.reports.tables import scan_present

#: Sources that a line names, and reasons that are told of one.
NAMED, REASONS = 6, 3
#: The setting behind a reason, where it is not the reason's own name.
_SETTINGS = {
    "single_word": "quality.single_word", "too_short": "quality.min_chars", "toxicity": "toxicity.threshold",
    "too_long": "mix.max_tokens", "contaminated": "dedup.evaluations",
}  # fmt: skip
#: Reasons that were asked for in so many words: a source that these keep out is not missed.
_ASKED_FOR = {"source_without_share", "category_without_range"}


def find_shortfalls(
    tables: Tables,
    summary: BuildSummary,
    statistics: Statistics,
    settings: BuildSettings,
    frozen_in_vain: int = 0,
) -> list[str]:
    """One line each, the gravest first; none for a build that did not reach its mixture.

    `frozen_in_vain`: frozen ids that name nothing of the build.
    """
    if statistics.corpus is None or summary.mixture is None:
        return []
    lost = {row.source for row in statistics.sources if not sum(row.splits.values())}
    left_out = Counter[tuple[str, str]]()
    if settings.mix.ranges or lost:
        left_out = _left_out(tables)
    return [
        *_total(summary, settings),
        *_absent(summary),
        *_splits(summary, settings),
        *_uncategorised(statistics, left_out, settings),
        *_nothing_left(tables, statistics, left_out),
        *_frozen(frozen_in_vain),
    ]


def _total(summary: BuildSummary, settings: BuildSettings) -> Iterator[str]:
    for target in summary.mixture.targets if summary.mixture else ():
        asked = target.asked[1]
        if target.kind == "total" and asked is not None and target.rows < asked:
            relaxed = (
                "; mix.on_shortage=relax let the build go on" if settings.mix.on_shortage == "relax" else ""
            )
            yield f"Only {target.rows:,} of the {int(asked):,} examples asked for (mix.total) can be had{relaxed}."


def _absent(summary: BuildSummary) -> Iterator[str]:
    """Parts of the contract that nothing came of."""
    absent = [
        f"{told_part(target.name)} ({told_bounds(target.low, target.high, 100, '%')})"
        for target in (summary.mixture.contract if summary.mixture else ())
        if (target.low or 0) > 0 and not target.got
    ]
    if absent:
        yield f"The mixture asks for these and the corpus has no example of them: {_some(absent, '; ')}."


def _splits(summary: BuildSummary, settings: BuildSettings) -> Iterator[str]:
    """Splits that were asked for and that no example fell to: conversations are drawn, and these are few."""
    counts = summary.corpus.model_dump()
    for split in ("validation", "test") if counts["train"] else ():
        asked = getattr(settings.mix, split)
        if asked > 0 and not counts[split]:
            yield (
                f"No example is held out for {split}, although {asked:.0%} were asked for: the corpus has only "
                f"{sum(counts.values()):,}."
            )


def _uncategorised(
    statistics: Statistics, left_out: Mapping[tuple[str, str], int], settings: BuildSettings
) -> Iterator[str]:
    """Examples that ranges leave out since they have no category, by source; where most of one goes, first."""
    if not settings.mix.ranges:
        return
    sizes = {row.source: row.examples for row in statistics.sources}
    counts = {source: n for (source, reason), n in left_out.items() if reason == "uncategorised"}
    if not counts:
        return
    order = sorted(counts, key=lambda source: (-counts[source] / sizes[source], -counts[source], source))
    named = _some([f"{source} {counts[source]:,} of {sizes[source]:,}" for source in order])
    yield (
        f"{sum(counts.values()):,} examples have no category, and mix.ranges leave them out: {named}. Declare the "
        f"category of such a source in a sources file, or lower label.confidence ({settings.label.confidence:g})."
    )


def _nothing_left(
    tables: Tables, statistics: Statistics, left_out: Mapping[tuple[str, str], int]
) -> Iterator[str]:
    """Sources that were read and of which nothing is in the corpus, with what took most of them."""
    read: Counter[str] = Counter()
    for part in scan_present(tables, "imports", ("source", "conversations_seen")):
        for row in part.to_pylist():
            read[row["source"]] += row["conversations_seen"]
    found = {row.source: row for row in statistics.sources}
    gone = []
    for source in sorted({*read, *found}):
        row = found.get(source)
        seen = max(read[source], row.conversations if row else 0)
        if not seen or (row is not None and any(row.splits.values())):
            continue
        examples = {reason: n for (name, reason), n in left_out.items() if name == source}
        if _ASKED_FOR & set(examples):
            continue
        if row is None:
            records = {item.reason: item.records for item in statistics.left_out if item.source == source}
            why = _told(records, "record")
        else:
            why = _told(examples, "example") if examples else _told(row.reasons, "message")
        gone.append(f"{source}: nothing of it is left, of {counted(seen, 'conversation')} read{why}.")
    yield from gone[:NAMED]
    if gone[NAMED:]:
        yield f"Nothing is left of {len(gone) - NAMED:,} more sources; the report's table of sources shows them."


def _frozen(in_vain: int) -> Iterator[str]:
    """A file of another build, or ids that were typed wrongly."""
    if in_vain:
        one = in_vain == 1
        yield (
            f"mix.frozen: {in_vain:,} {'id names' if one else 'ids name'} no example and no conversation of this "
            f"build, and {'was' if one else 'were'} passed over."
        )


def _told(reasons: Mapping[str, int], unit: str) -> str:
    # Of equal ones a rule comes first: what it drops takes the questions with it.
    most = sorted(reasons.items(), key=lambda item: (-item[1], item[0] not in _SETTINGS, item[0]))[:REASONS]
    named = [
        f"{reason_title(reason).lower()}{f' ({_SETTINGS[reason]})' if reason in _SETTINGS else ''} took "
        f"{counted(count, unit)}"
        for reason, count in most
    ]
    return f"; {', '.join(named)}" if named else ""


def _left_out(tables: Tables) -> Counter[tuple[str, str]]:
    """Examples that are not in the corpus, by source and reason."""
    ids, reasons = [], []
    for part in scan_present(tables, "clusters", ("example_id", "keeper_id", "method")):
        twins = part.filter(pc.not_equal(part["example_id"], part["keeper_id"]))
        ids.append(read_ids(twins["example_id"]))
        reasons.append(pc.binary_join_element_wise(twins["method"], "duplicate", "_"))
    for part in scan_present(tables, "contaminated", ("example_id",)):
        ids.append(read_ids(part["example_id"]))
        reasons.append(pa.array(["contaminated"] * part.num_rows, pa.string()))
    for part in scan_present(tables, "left_out", ("example_id", "reason")):
        ids.append(read_ids(part["example_id"]))
        reasons.append(part["reason"])
    found: Counter[tuple[str, str]] = Counter()
    if not ids:
        return found
    finder, why = Finder(join(ids)), _coded(reasons)
    for part in scan_present(tables, "examples", ("example_id", "source")):
        rows = finder.rows(read_ids(part["example_id"]))
        gone = part.filter(pa.array(rows >= 0))
        table = pa.table({"source": gone["source"], "reason": why.take(pa.array(rows[rows >= 0]))})
        for row in table.group_by(["source", "reason"]).aggregate([([], "count_all")]).to_pylist():
            found[row["source"], row["reason"]] += row["count_all"]
    return found


def _coded(columns: Iterable[Any]) -> pa.Array:
    """Columns of few words behind one another, as a dictionary: a byte or four for each row."""
    chunks = [chunk for column in columns for chunk in getattr(column, "chunks", [column])]
    return pa.chunked_array(chunks, pa.string()).dictionary_encode().combine_chunks()


def _some(names: list[str], between: str = ", ") -> str:
    more = len(names) - NAMED
    return between.join(names[:NAMED]) + (f"{between}and {more:,} more" if more > 0 else "")
