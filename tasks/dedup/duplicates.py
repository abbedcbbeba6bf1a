"""The dedup stage's pure function: clusters of examples that say the same, and the one of each that is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from schemas.parts import Part
from schemas.settings import DedupSettings
from schemas.tables import CLUSTERS, COPY_METHODS
from tasks.dedup.clustering import Kept
from tasks.dedup.contamination import find_contaminated
from tasks.dedup.keys import Examples, Keys, Texts, distinct_texts, read_keys
from tasks.dedup.near import NearCopies, find_near_copies
from tasks.dedup.semantic import Embed, find_semantic_copies


def find_duplicates(
    datasets: Mapping[str, Examples], settings: DedupSettings, embed: Embed | None = None
) -> Iterator[Part]:
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
    kept, semantic = found.kept, np.zeros(len(texts.rows), bool)
    if embed is not None:
        meant = find_semantic_copies(datasets["examples"], keys, texts, kept, embed, settings)
        kept, semantic = meant.kept, meant.semantic
    clusters = _clusters(keys, texts, kept, semantic)
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


def _clusters(keys: Keys, texts: Texts, kept: Kept, semantic: np.ndarray) -> pa.Table:
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
    method = np.where(semantic[text], 2, near)
    made = pa.Table.from_arrays(
        [
            keys.ids(rows),
            keys.table["text_hash"].take(pa.array(keeper)).combine_chunks(),
            keys.ids(keeper),
            pa.array(kept.similarity[text], pa.float32()),
            pa.array(COPY_METHODS).take(pa.array(method.astype(np.int8))),
        ],
        schema=CLUSTERS,
    )
    order = [("cluster_id", "ascending"), ("similarity", "descending"), ("example_id", "ascending")]
    return made.take(pc.sort_indices(made, sort_keys=order)).combine_chunks()


def _tally(keys: Keys, clusters: pa.Table, found: NearCopies, settings: DedupSettings) -> dict[str, int]:
    goes = pc.not_equal(clusters["example_id"], clusters["keeper_id"])
    removed = clusters.filter(goes)
    by_method = {
        method: int(pc.sum(pc.equal(removed["method"], method)).as_py() or 0) for method in COPY_METHODS
    }
    names = pc.count_distinct(clusters["cluster_id"]).as_py()
    own = pc.count_distinct(clusters.filter(pc.invert(goes))["cluster_id"]).as_py()
    least = pc.if_else(
        pc.equal(removed["method"], "semantic"),
        np.float32(settings.semantic_threshold),
        np.float32(settings.threshold),
    )
    unlike = pc.less(removed["similarity"], least)
    return {
        "repeated_ids": _repeated(keys.table["example_id"]),
        "set_aside:exact_duplicate": by_method["exact"],
        "set_aside:near_duplicate": by_method["near"],
        "set_aside:semantic_duplicate": by_method["semantic"],
        "clusters": names,
        "keeperless": names - own,
        "unlike_keeper": int(pc.sum(unlike).as_py() or 0),
        "keepers_removed": int(pc.sum(pc.is_in(clusters["keeper_id"], removed["example_id"])).as_py() or 0),
        "candidates": found.candidates,
        "crowded_bands": found.crowded,
        "boilerplate_lines": found.boilerplate,
    }


def _repeated(ids: pa.ChunkedArray) -> int:
    """How many ids stood before: only those whose hashes meet are compared, since a table of all takes a gigabyte."""
    hashes = pl.Series(ids).hash().to_numpy()
    order = np.sort(hashes)
    met = ids.filter(pa.array(np.isin(hashes, np.unique(order[1:][order[1:] == order[:-1]]))))
    return len(met) - int(pc.count_distinct(met).as_py())
