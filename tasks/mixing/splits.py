"""Which split an example falls to: what belongs together stays together, and new data moves only what it bridges.

A group is what near-duplicate clusters and conversations tie together. Its place is a seeded hash of the smallest
conversation id in it; files of frozen ids come before that, then hold-outs by time and source.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from fnmatch import fnmatchcase

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from schemas.errors import StageFailed
from schemas.settings import MixSettings
from schemas.settings.mixing import OWN
from schemas.tables import SPLITS
from tasks.mixing.candidates import NO_TIME, Candidates, Readable
from tasks.mixing.ids import Finder, Ids, draw, place_of, read_ids

TRAIN, VALIDATION, TEST = range(len(SPLITS))
#: Where a frozen table says nothing.
_FREE = -1


@dataclass(frozen=True)
class Groups:
    """The rows that clusters tie to others: `rows`, and the number of the group of each, from 0 to `count`.

    `keys` holds for every row of the candidates the smallest conversation id of its group.
    """

    keys: Ids
    rows: np.ndarray
    group: np.ndarray
    count: int


@dataclass(frozen=True)
class Splits:
    """Per candidate the number of its split, and which of them bridge frozen splits; ids frozen in vain.

    `remarks` tell what a hold-out or a frozen file could not do.
    """

    split: np.ndarray
    bridging: np.ndarray
    frozen_unknown: int
    remarks: tuple[str, ...] = ()


def tie_groups(candidates: Candidates, clusters: Readable) -> Groups:
    """Groups by clusters, and by conversations that a member of a cluster belongs to."""
    table = clusters.column("clusters", ["example_id", "cluster_id"])
    rows = Finder(candidates.ids).rows(read_ids(table["example_id"]))
    cluster = table["cluster_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    cluster, rows = cluster[rows >= 0], rows[rows >= 0]
    keys = Ids(candidates.conversations.high.copy(), candidates.conversations.low.copy())
    if not len(rows):
        return Groups(keys, rows, rows, 0)
    members = Finder(candidates.conversations.take(rows))
    at = members.rows(candidates.conversations)  # of equal conversations, always the same row of a cluster
    touched = np.flatnonzero(at >= 0)
    spots, conversation = np.unique(at[touched], return_inverse=True)
    own = conversation[np.searchsorted(touched, rows)]
    nodes = len(spots) + int(cluster.max()) + 1
    edges = coo_array((np.ones(len(rows), np.int8), (own, len(spots) + cluster)), shape=(nodes, nodes))
    count, component = connected_components(edges, directed=False)
    group = component[conversation]
    ids = candidates.conversations.take(touched)
    first = np.lexsort((ids.low, ids.high, group))
    smallest = first[np.r_[True, group[first][1:] != group[first][:-1]]]
    place = np.zeros(count, np.int64)
    place[group[smallest]] = smallest
    keys.high[touched], keys.low[touched] = ids.high[place[group]], ids.low[place[group]]
    return Groups(keys, touched, group, int(count))


def assign_splits(
    candidates: Candidates, groups: Groups, settings: MixSettings, frozen: pa.Table | None
) -> Splits:
    """The split of every candidate. Where nothing would be left to train on, nothing is held out by hash."""
    place = place_of(draw(groups.keys, settings.seed, "split"))
    split = np.full(len(candidates), TRAIN, np.int8)
    split[place < settings.test + settings.validation] = VALIDATION
    split[place < settings.test] = TEST
    held_out, remarks = _held_out(candidates, settings)
    held = _together(held_out, groups)
    if not ((split == TRAIN) & ~held & candidates.left).any():
        split[:] = TRAIN
    split[held] = TEST
    if frozen is None:
        return Splits(split, np.zeros(len(candidates), bool), 0, tuple(remarks))
    found = _freeze(candidates, groups, split, frozen)
    if found.frozen_unknown:
        remarks.append(
            f"{found.frozen_unknown:,} of {frozen.num_rows:,} frozen ids are of no example of this build"
        )
    return replace(found, remarks=tuple(remarks))


def _held_out(candidates: Candidates, settings: MixSettings) -> tuple[np.ndarray, list[str]]:
    """What is for testing by its time or source, and what the time of no example could say."""
    held, remarks = np.zeros(len(candidates), bool), []
    if settings.holdout_after is not None and len(candidates):
        held, remark = _late(candidates, settings.holdout_after)
        remarks += [remark] if remark else []
    for name in settings.holdout_sources:
        known = [number for number, source in enumerate(candidates.sources) if fnmatchcase(source, name)]
        if not known:
            raise unknown_source("mix.holdout_sources", name, candidates.sources)
        held |= np.isin(candidates.source, known)
    return held, remarks


def _late(candidates: Candidates, day: date) -> tuple[np.ndarray, str]:
    """What began on this day or later; a remark on what cannot be told. Raises StageFailed when nothing can."""
    timed = candidates.created != NO_TIME
    if not timed.any():
        raise StageFailed(
            f"mix.holdout_after={day} holds out by time, and no example of this build has one",
            where="mix",
            fix="Say in the sources' mapping where their times stand, or hold out by source with mix.holdout_sources.",
        )
    late = candidates.created >= int(datetime.combine(day, time(), UTC).timestamp()) * 1_000_000
    without, left = int((candidates.left & ~timed).sum()), int(candidates.left.sum())
    told = [
        f"{without:,} of {left:,} examples have no time, and mix.holdout_after cannot hold them out"
    ] * bool(without)
    told += ["no example is of mix.holdout_after or later: none is held out by time"] * (not late.any())
    return late, "; ".join(told)


def unknown_source(setting: str, name: str, sources: tuple[str, ...]) -> StageFailed:
    """The refusal of a source that the build does not have."""
    near = difflib.get_close_matches(name, sources, n=1, cutoff=0.6)
    advice = f"Did you mean {near[0]!r}? " if near else ""
    return StageFailed(
        f"{setting} asks for the source {name!r}, of which this build has no example",
        where="mix",
        fix=f"{advice}It has: {', '.join(sorted(sources)) or 'no example at all'}.",
    )


def _together(flags: np.ndarray, groups: Groups) -> np.ndarray:
    """What holds for one member of a group holds for all."""
    found = np.zeros(groups.count, bool)
    found[groups.group[flags[groups.rows]]] = True
    flags = flags.copy()
    flags[groups.rows] |= found[groups.group]
    return flags


def _freeze(candidates: Candidates, groups: Groups, split: np.ndarray, frozen: pa.Table) -> Splits:
    """Frozen examples keep their split and their group follows; what ties frozen splits together is bridging.

    Of several frozen survivors of one group that disagree, those of the split that is held out most stay.
    """
    ids = read_ids(frozen["id"])
    asked = pc.index_in(frozen["split"], pa.array(SPLITS)).to_numpy().astype(np.int8)
    finder = Finder(ids)
    by_id, by_conversation = finder.rows(candidates.ids), finder.rows(candidates.conversations)
    both = np.flatnonzero((by_id >= 0) & (by_conversation >= 0))
    torn = both[asked[by_id[both]] != asked[by_conversation[both]]]
    if len(torn):
        raise _contradiction(frozen, by_id[torn[0]], by_conversation[torn[0]])
    at = np.where(by_id >= 0, by_id, by_conversation)
    own = np.where(at >= 0, asked[at], _FREE).astype(np.int8)
    known = np.zeros(len(ids.high), bool)
    for found in (by_id, by_conversation):
        known[found[found >= 0]] = True
    lowest, highest = _extremes(own, groups, np.ones(len(candidates), bool))
    _, survivors = _extremes(own, groups, candidates.left)
    rows, group = groups.rows, groups.group
    tied, divided = np.full(len(split), _FREE, np.int8), np.zeros(len(split), bool)
    tied[rows] = highest[group]
    divided[rows] = lowest[group] != highest[group]
    beaten = np.zeros(len(split), bool)
    beaten[rows] = (own[rows] >= 0) & (own[rows] < survivors[group])
    result = np.where(own >= 0, own, np.where(tied >= 0, tied, split))
    bridging = (divided & (own < 0)) | beaten
    return Splits(result.astype(np.int8), bridging, int((~known).sum()))


def _contradiction(frozen: pa.Table, example: int, conversation: int) -> StageFailed:
    (of_one, of_other) = (frozen.slice(row, 1).to_pylist()[0] for row in (example, conversation))
    return StageFailed(
        f"the file of frozen ids puts the example {of_one['id']} into {of_one['split']}, and its conversation "
        f"{of_other['id']} into {of_other['split']}",
        where="mix.frozen",
        fix="Keep one of the two lines.",
    )


def _extremes(own: np.ndarray, groups: Groups, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per group the first and the last frozen split of its members (`_FREE` for none)."""
    chosen = (own[groups.rows] >= 0) & among[groups.rows]
    group, values = groups.group[chosen], own[groups.rows][chosen]
    lowest, highest = np.full(groups.count, len(SPLITS), np.int8), np.full(groups.count, _FREE, np.int8)
    np.minimum.at(lowest, group, values)
    np.maximum.at(highest, group, values)
    return np.where(highest < 0, _FREE, lowest), highest


def straddling(candidates: Candidates, groups: Groups, split: np.ndarray, chosen: np.ndarray) -> int:
    """Groups with chosen examples in more than one split: there must be none."""
    rows = np.flatnonzero(chosen)
    keys = groups.keys.take(rows)
    order = np.lexsort((split[rows], keys.low, keys.high))
    high, low, side = keys.high[order], keys.low[order], split[rows][order]
    same = (high[1:] == high[:-1]) & (low[1:] == low[:-1])
    return int((same & (side[1:] != side[:-1])).sum())


def spread(sources: tuple[str, ...], names: Mapping[str, float], own: tuple[str, ...] = ()) -> dict[str, str]:
    """Which of `names` (exact, joined by +, with * in them) each source belongs to; those of none are left out.

    An exact name comes before one with a *, a longer pattern before a shorter, and * alone last. `own*` fits the
    sources `own`, too.
    """
    patterns = [(pattern, name) for name in names for pattern in name.split("+")]
    found = {}
    for source in sources:
        fitting = [
            (pattern == source, len(pattern), pattern, name)
            for pattern, name in patterns
            if fnmatchcase(source, pattern) or (pattern == OWN and source in own)
        ]
        if fitting:
            found[source] = max(fitting)[3]
    return found
