"""What is to be told of a build, if anything: it failed, or it keeps another share of the messages than the last."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.errors import StoreError, UsageError
from schemas.manifest import BuildRecord
from schemas.notice import KeptShareMove, Notice, NoticeCounts
from schemas.settings import NotifySettings
from schemas.totals import (
    DECIDERS,
    Summaries,
    corpus_totals,
    deciding_stage,
    import_totals,
    kept_share,
    message_totals,
)
from schemas.visible import visible
from storage.catalog import list_builds
from storage.heads import Heads
from storage.home import Home
from tasks.overview import standing_heads

#: Longest error line, and most reasons, that are told.
ERROR, REASONS = 400, 40


def notice_of_failure(home: Home, error: str, record: BuildRecord | None = None) -> Notice:
    """A build that failed, with its counts as far as it came; without a record it could not even be planned."""
    line = visible(next(iter(error.splitlines()), ""), ERROR)
    found = _summaries(Heads(home.store), record)[0] if record else {}
    name = f"build {record.build}" if record else "a build"
    return Notice(
        what="build failed",
        text=f"vatra ({_name(home)}): {name} failed: {line}",
        home=_name(home),
        build=record.build if record else None,
        error=line,
        counts=_counts(found),
    )


def notice_of_move(home: Home, record: BuildRecord, settings: NotifySettings) -> Notice | None:
    """A kept share that moved by more than the settings allow since the last complete build; else None."""
    if settings.kept_share_moved is None:
        return None
    heads = Heads(home.store)
    now, _ = _summaries(heads, record)
    for earlier in _candidates(home, record):
        before = _complete(heads, earlier)
        if before is None:
            continue
        move = _compare(now, before, earlier)
        if move is None or abs(move.now - move.before) <= settings.kept_share_moved + 1e-12:
            return None
        told = f"keeps {move.now:.1%} of its messages; build {earlier} kept {move.before:.1%}"
        return Notice(
            what="kept share moved",
            text=f"vatra ({_name(home)}): build {record.build} {told}",
            home=_name(home),
            build=record.build,
            kept_share=move,
            counts=_counts(now),
        )
    return None


def _candidates(home: Home, record: BuildRecord) -> Iterator[str]:
    """The build it was made from, then all that came before it, newest first."""
    if record.parent:
        yield record.parent
    yield from (build for build in list_builds(home.store) if build < record.build)


def _complete(heads: Heads, build: str) -> Summaries | None:
    """Summaries of a build in which all that was planned stands and messages were judged; else None."""
    try:
        record = heads.record(build)
    except (StoreError, UsageError):  # a damaged plan is no measure for anything
        return None
    found, whole = _summaries(heads, record)
    return found if whole and deciding_stage(found) else None


def _summaries(heads: Heads, record: BuildRecord) -> tuple[Summaries, bool]:
    """Summaries by stage, and whether every stage of the plan stands."""
    found, problem = standing_heads(heads, record)
    whole = problem is None and len(found) == len(record.stages)
    return {stage: head.summary for stage, head in found.items()}, whole


def _compare(now: Summaries, before: Summaries, since: str) -> KeptShareMove | None:
    """Both by the ledger of one stage: assembly drops what the filter keeps, so the two are not to be mixed."""
    stage = next((stage for stage in DECIDERS if stage in now and stage in before), None)
    if stage is None:
        return None
    shares = [kept_share(message_totals(found, stage)) for found in (now, before)]
    if shares[0] is None or shares[1] is None:
        return None
    return KeptShareMove(now=round(shares[0], 6), before=round(shares[1], 6), since=since)


def _counts(found: Summaries) -> NoticeCounts:
    messages = message_totals(found)
    dropped = {visible(reason, 60): count for reason, count in list(messages.dropped.items())[:REASONS]}
    if rest := sum(messages.dropped.values()) - sum(dropped.values()):
        dropped["other reasons"] = rest
    return NoticeCounts(
        conversations=import_totals(found).kept,
        messages=sum(messages.parsed.values()),
        kept=messages.kept,
        masked=messages.masked,
        dropped=dropped,
        examples=sum(corpus_totals(found).model_dump().values()),
    )


def _name(home: Home) -> str:
    return visible(home.path.name, 80)
