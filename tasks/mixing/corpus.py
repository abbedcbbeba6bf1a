"""The mix stage's pure function: the mixture, its accounts, and the corpus's Parquet shards in the mixture's order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.categories import CATEGORIES
from schemas.parts import Part
from schemas.settings import MixSettings
from schemas.tables import CORPUS, LEFT_OUT, MIXTURE, SPLITS
from tasks.mixing import phases
from tasks.mixing.accounting import account
from tasks.mixing.candidates import Candidates, Counter, Readable, count_tokens, read_candidates
from tasks.mixing.ids import write_ids
from tasks.mixing.scattering import Shard, gather
from tasks.mixing.selection import REASONS, Choice, choose
from tasks.mixing.splits import assign_splits, straddling, tie_groups

#: Rows of a part of the tables that list examples.
ROWS = 1 << 20


@contextmanager
def _temporary() -> Iterator[Path]:
    with TemporaryDirectory(prefix="vatra-") as name:
        yield Path(name)


@dataclass(frozen=True)
class MixInputs:
    """What mix reads: examples, clusters, contaminated and labels by name, a table of frozen splits (id, split) if
    there is one, and a folder for scratch files that is gone afterwards."""

    datasets: Mapping[str, Readable]
    frozen: pa.Table | None = None
    scratch: Callable[[], AbstractContextManager[Path]] = _temporary


def publish_corpus(
    inputs: MixInputs | Mapping[str, Readable], settings: MixSettings, counter: Counter | None = None
) -> Iterator[Part]:
    """Accounts, mixture, what was left out, then shard after shard: train, validation, test, and in them the phases.

    An empty split or phase has no shard. Raises StageFailed when the contract cannot be kept and must be.
    """
    if not isinstance(inputs, MixInputs):  # datasets alone
        inputs = MixInputs(inputs)
    examples = inputs.datasets["examples"]
    candidates = read_candidates(inputs.datasets)
    tokens = count_tokens(candidates, examples, settings.tokenizer, counter)
    groups = tie_groups(candidates, inputs.datasets["clusters"])
    splits = assign_splits(candidates, groups, settings, inputs.frozen)
    choice = choose(candidates, splits, tokens, settings)
    short = phases.shortages(candidates, choice.copies, splits.split, settings)
    choice.contract.add_remarks([*splits.remarks, *short])
    sequences = list(phases.sequences(candidates, choice.copies, splits.split, settings))
    _leave_unread(candidates, choice, sequences, settings)
    read = choice.copies > 0
    tally = {
        "straddling": straddling(candidates, groups, splits.split, read),
        "frozen_unknown": splits.frozen_unknown,
        "foreign_chars": 0,  # that of the shards is added, if there is one
    }
    del groups
    yield account(candidates, choice, splits.split, sequences, tokens, settings, tally)
    yield from _mixture(candidates, sequences)
    yield from _left_out(candidates, choice)
    with inputs.scratch() as scratch:
        yield from _shards(candidates, examples, sequences, settings, scratch)


def _leave_unread(
    candidates: Candidates, choice: Choice, sequences: Sequence[phases.Sequence], settings: MixSettings
) -> None:
    """What no phase reads is not in the corpus: by its category, or because of the phases' sizes."""
    read = np.zeros(len(candidates), bool)
    for sequence in sequences:
        read[sequence.rows] = True
    unread = (choice.copies > 0) & ~read
    if not unread.any():
        return
    named = [phase.reads for phase in phases.phases_of(settings)]
    wanted = np.array([any(not reads or name in reads for reads in named) for name in CATEGORIES] + [False])
    wanted[-1] = any(not reads for reads in named)
    in_some = wanted[candidates.category]
    choice.reason[unread & in_some] = REASONS.index("over_phase")
    choice.reason[unread & ~in_some] = REASONS.index("in_no_phase")
    choice.copies[unread] = 0


def _mixture(candidates: Candidates, sequences: Sequence[phases.Sequence]) -> Iterator[Part]:
    held: list[pa.Table] = []
    size = 0
    for sequence in sequences:
        for start in range(0, len(sequence.rows), ROWS):
            rows = sequence.rows[start : start + ROWS]
            columns = {
                "example_id": write_ids(candidates.ids.take(rows)),
                "phase": np.full(len(rows), sequence.phase, np.int32),
                "split": _repeated(SPLITS[sequence.split], len(rows)),
                "order": np.arange(start, start + len(rows)),
            }
            if size + len(rows) > ROWS:
                yield Part({"mixture": pa.concat_tables(held)})
                held, size = [], 0
            held.append(pa.table(columns, schema=MIXTURE))
            size += len(rows)
    yield Part({"mixture": pa.concat_tables(held) if held else MIXTURE.empty_table()})


def _left_out(candidates: Candidates, choice: Choice) -> Iterator[Part]:
    rows = np.flatnonzero(candidates.left & (choice.copies == 0))
    rows = rows[np.lexsort(candidates.ids.take(rows)[::-1])]  # by id: the content alone decides
    names = pa.array(REASONS)
    for start in range(0, max(1, len(rows)), ROWS):
        some = rows[start : start + ROWS]
        reasons = names.take(pa.array(choice.reason[some]))
        yield Part({"left_out": pa.table([write_ids(candidates.ids.take(some)), reasons], schema=LEFT_OUT)})


def _shards(
    candidates: Candidates,
    examples: Readable,
    sequences: Sequence[phases.Sequence],
    settings: MixSettings,
    scratch: Path,
) -> Iterator[Part]:
    shards = [shard for sequence in sequences for shard in _cut(candidates, sequence, settings)]
    carried = gather(examples, candidates.parts, shards, scratch)
    for shard, table in zip(shards, carried, strict=True):
        data = _complete(candidates, shard, table)
        foreign = abs(_characters(data) - int(candidates.chars[shard.rows].sum()))
        yield Part({shard.table: data}, {"foreign_chars": foreign}, shard.label)


def _cut(candidates: Candidates, sequence: phases.Sequence, settings: MixSettings) -> Iterator[Shard]:
    """Cut by bytes of text; the names say which file of how many it is, of which split and phase."""
    number = (np.cumsum(candidates.text_bytes[sequence.rows]) - 1) // settings.shard_bytes
    starts = np.flatnonzero(np.r_[True, number[1:] != number[:-1]])
    split = SPLITS[sequence.split]
    phase = f"-phase{sequence.phase}" if settings.phases else ""
    for at, (start, end) in enumerate(pairwise([*starts, len(number)])):
        label = f"{split}{phase}-{at:05d}-of-{len(starts):05d}"
        yield Shard(split, sequence.phase, label, sequence.rows[start:end])


def _complete(candidates: Candidates, shard: Shard, carried: pa.Table) -> pa.Table:
    """The shard with the columns that are known by number."""
    rows = shard.rows
    categories = pa.array([*CATEGORIES, None], pa.string())
    columns = {
        "example_id": write_ids(candidates.ids.take(rows)),
        "conversation_id": write_ids(candidates.conversations.take(rows)),
        "source": pa.array(candidates.sources).take(pa.array(candidates.source[rows])),
        "phase": pa.array(np.full(len(rows), shard.phase, np.int32)),
        "category": categories.take(pa.array(candidates.category[rows].astype(np.int64) % len(categories))),
        "messages": carried["messages"],
        "language": carried["language"],
    }
    return pa.table([columns[name] for name in CORPUS.names], schema=CORPUS)


def _repeated(text: str, times: int) -> pa.Array:
    return pa.array([text]).take(pa.array(np.zeros(times, np.int8)))


def _characters(shard: pa.Table) -> int:
    """Characters that a model will read in the shard."""
    lists = shard["messages"].chunks
    lines = [pc.struct_field(pc.list_flatten(chunk), "content") for chunk in lists]
    return sum(pc.sum(pc.utf8_length(chunk)).as_py() or 0 for chunk in lines)
