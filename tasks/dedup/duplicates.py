"""The dedup stage's pure function: clusters of examples that say the same, and the one of each that is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.parts import Part
from schemas.settings import DedupSettings
from schemas.tables import CLUSTERS
from tasks.dedup.clustering import Kept
from tasks.dedup.contamination import find_contaminated
from tasks.dedup.keys import Examples, Keys, Texts, distinct_texts, read_keys
from tasks.dedup.near import NearCopies, find_near_copies


def find_duplicates(datasets: Mapping[str, Examples], settings: DedupSettings) -> Iterator[Part]:
    """Exact and near copies as one set of clusters, and before that the examples that an evaluation asks for.

    The keeper is the best by source priority, rating (higher), bytes (more: of two that differ in diacritics, the one
    that has them), age (older) and id. Every row of a cluster points to it, its own too; `similarity` is the true
    one with it.
    """
    keys = read_keys(datasets, settings)
    asked, contaminated = find_contaminated(datasets["examples"], keys, settings)
    texts = distinct_texts(keys, np.setdiff1d(np.arange(len(keys)), asked), settings.exact)
    found = _itself(len(texts.rows))
    if settings.near:
        found = find_near_copies(datasets["examples"], keys, texts, settings)
    clusters = _clusters(keys, texts, found.kept)
    yield Part(
        {"clusters": clusters, "contaminated": contaminated},
        {**_tally(keys, clusters, found, settings), **_decontaminated(keys, clusters, contaminated)},
    )


def _decontaminated(keys: Keys, clusters: pa.Table, contaminated: pa.Table) -> dict[str, int]:
    """The count of what is left, and of contaminated examples that have a cluster all the same (there must be none)."""
    removed = pc.sum(pc.not_equal(clusters["example_id"], clusters["keeper_id"])).as_py() or 0
    both = pc.sum(pc.is_in(contaminated["example_id"], clusters["example_id"].combine_chunks())).as_py() or 0
    return {
        "keepers": len(keys) - removed - contaminated.num_rows,
        "set_aside:contaminated": contaminated.num_rows,
        "contaminated_kept": both,
    }


def _itself(size: int) -> NearCopies:
    return NearCopies(Kept(np.arange(size), np.ones(size, np.float32)))


def _clusters(keys: Keys, texts: Texts, kept: Kept) -> pa.Table:
    """One row per example that has a twin."""
    rows = np.flatnonzero(texts.of_row >= 0)
    text = texts.of_row[rows]
    cluster = kept.keeper[text]
    size = np.bincount(cluster, minlength=len(texts.rows))
    copies = np.bincount(text, minlength=len(texts.rows))
    twin = size[cluster] > 1
    rows, text, cluster = rows[twin], text[twin], cluster[twin]
    keeper = texts.rows[cluster]
    near = (text != cluster) | (copies[text] == 1)
    made = pa.Table.from_arrays(
        [
            keys.ids(rows),
            keys.table["text_hash"].take(pa.array(keeper)).combine_chunks(),
            keys.ids(keeper),
            pa.array(kept.similarity[text], pa.float32()),
            pa.array(["exact", "near"]).take(pa.array(near.astype(np.int8))),
        ],
        schema=CLUSTERS,
    )
    order = [("cluster_id", "ascending"), ("similarity", "descending"), ("example_id", "ascending")]
    return made.take(pc.sort_indices(made, sort_keys=order)).combine_chunks()


def _tally(keys: Keys, clusters: pa.Table, found: NearCopies, settings: DedupSettings) -> dict[str, int]:
    goes = pc.not_equal(clusters["example_id"], clusters["keeper_id"])
    removed = clusters.filter(goes)
    by_method = {
        method: int(pc.sum(pc.equal(removed["method"], method)).as_py() or 0) for method in ("exact", "near")
    }
    names = pc.count_distinct(clusters["cluster_id"]).as_py()
    own = pc.count_distinct(clusters.filter(pc.invert(goes))["cluster_id"]).as_py()
    unlike = pc.less(removed["similarity"], pa.scalar(np.float32(settings.threshold)))
    return {
        "repeated_ids": len(keys) - pc.count_distinct(keys.table["example_id"]).as_py(),
        "set_aside:exact_duplicate": by_method["exact"],
        "set_aside:near_duplicate": by_method["near"],
        "clusters": names,
        "keeperless": names - own,
        "unlike_keeper": int(pc.sum(unlike).as_py() or 0),
        "keepers_removed": int(pc.sum(pc.is_in(clusters["keeper_id"], removed["example_id"])).as_py() or 0),
        "candidates": found.candidates,
        "crowded_bands": found.crowded,
        "boilerplate_lines": found.boilerplate,
    }
