"""A corpus of made-up chat texts with planted copies, for the deduplication and curation figures.

    python -m benchmarks.synthetic --rows 1000000 --out DIR

Writes Parquet files of `id`, `text`, `kind`, `parent`, `rate`. Kinds: `original`; `exact` (8%: half of them byte for
byte, half re-cased or re-spaced); `near` (7%: one to ten of a hundred words substituted, inserted, deleted or swapped
with the next, in equal parts; `rate` says how many); `hard` (2%: hard negatives, half of the text is the parent's).
`parent` is null for originals. Texts are 800 characters long on average (lognormal), their words skewed as in natural
language (Zipf-Mandelbrot), a third of them Romanian, some of these without diacritics; stock phrases and emoji recur.
The same rows and seed give the same bytes; memory is that of one block, whatever the number of rows.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.vocabulary import Vocabulary, build_vocabulary

BLOCK = 50_000
SHARES = {"original": 0.83, "exact": 0.08, "near": 0.07, "hard": 0.02}
KINDS = tuple(SHARES)
#: Words per text: lognormal, so that the mean is about 800 characters.
MEDIAN_WORDS, SPREAD, FEWEST, MOST = 98, 0.65, 8, 2_000
#: Parents are drawn from so many originals of earlier blocks, beside those of the same block.
POOL = 60_000
SCHEMA = pa.schema(
    [("id", pa.string()), ("text", pa.string()), ("kind", pa.string()), ("parent", pa.string()),
     ("rate", pa.float32())]
)  # fmt: skip


@dataclass(frozen=True)
class Texts:
    """Texts as token numbers, end to end: text `n` is `tokens[starts[n]:starts[n + 1]]`."""

    tokens: np.ndarray
    starts: np.ndarray

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, n: int) -> np.ndarray:
        return self.tokens[self.starts[n] : self.starts[n + 1]]


def generate(rows: int, seed: int, directory: Path) -> list[Path]:
    """Write the corpus into `directory` (made if need be); returns its files in order."""
    directory.mkdir(parents=True, exist_ok=True)
    files = []
    for number, table in enumerate(generate_blocks(rows, seed)):
        files.append(directory / f"corpus-{number:05d}.parquet")
        pq.write_table(table, files[-1], compression="zstd", compression_level=1)
    return files


def generate_blocks(rows: int, seed: int) -> Iterator[pa.Table]:
    """The corpus as tables of at most `BLOCK` rows."""
    words = build_vocabulary(seed)
    pool: list[tuple[str, np.ndarray]] = []
    for start in range(0, rows, BLOCK):
        rng = np.random.default_rng([seed, start])
        yield _block(rng, words, pool, start, min(BLOCK, rows - start))


def _block(
    rng: np.random.Generator, words: Vocabulary, pool: list[tuple[str, np.ndarray]], start: int, size: int
) -> pa.Table:
    """One block of rows in mixed order. `pool` holds parents from earlier blocks, and takes some of this one's."""
    kinds = rng.choice(len(KINDS), size, p=list(SHARES.values()))
    kinds[0] = 0  # somebody must be the first parent
    ids = [f"e{n:09d}" for n in range(start, start + size)]
    fresh = _originals(rng, words, size)
    own = np.flatnonzero(kinds == 0)
    parents: list[str | None] = [None] * size
    rates: list[float | None] = [None] * size
    texts: list[np.ndarray] = [fresh[n] for n in range(size)]
    for n in np.flatnonzero(kinds):
        pick = int(rng.integers(len(pool) + len(own)))
        if pick < len(pool):
            parents[n], parent = pool[pick]
        else:
            row = int(own[pick - len(pool)])
            parents[n], parent = ids[row], fresh[row]
        kind = KINDS[kinds[n]]
        texts[n] = parent if kind == "exact" else _halved(rng, parent, texts[n])
        if kind == "near":
            texts[n], rates[n] = edit(rng, parent, float(rng.uniform(0.01, 0.10)), words)
    _refill(rng, pool, [(ids[n], fresh[n].copy()) for n in own[: POOL // 10]])
    lengths = np.fromiter(map(len, texts), np.int64, size)
    joined = words.spell(np.concatenate(texts), lengths)
    text = _disguise(rng, joined, np.flatnonzero(kinds == KINDS.index("exact")))
    kind_names = pa.array(kinds).cast(pa.int32())
    named = pa.DictionaryArray.from_arrays(kind_names, pa.array(KINDS)).cast(pa.string())
    columns = [pa.array(ids), text, named, pa.array(parents, pa.string()), pa.array(rates, pa.float32())]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _originals(rng: np.random.Generator, words: Vocabulary, size: int) -> Texts:
    lengths = np.exp(rng.normal(np.log(MEDIAN_WORDS), SPREAD, size)).astype(np.int64).clip(FEWEST, MOST)
    starts = np.r_[0, np.cumsum(lengths)]
    return Texts(words.draw(rng, starts), starts)


def edit(
    rng: np.random.Generator, parent: np.ndarray, rate: float, words: Vocabulary
) -> tuple[np.ndarray, float]:
    """A near copy with about `rate` of its words changed (at least one), and the share that really was."""
    count = max(1, round(rate * len(parent)))
    places = np.sort(rng.choice(len(parent), count, replace=False))
    ways = rng.integers(4, size=count)
    others = words.draw_like(rng, parent, count)
    text = parent.tolist()
    for place, way, other in zip(places[::-1].tolist(), ways.tolist(), others.tolist(), strict=True):
        if way == 0:
            text[place] = other
        elif way == 1:
            text.insert(place, other)
        elif way == 2 and len(text) > 2:
            del text[place]
        else:
            near = place + 1 if place + 1 < len(text) else place - 1
            text[place], text[near] = text[near], text[place]
    return np.array(text, parent.dtype), count / len(parent)


def _halved(rng: np.random.Generator, parent: np.ndarray, own: np.ndarray) -> np.ndarray:
    """One half of the parent and as many words of its own."""
    half = len(parent) // 2
    rest = np.resize(own, len(parent) - half)
    return np.concatenate([parent[:half], rest] if rng.integers(2) else [rest, parent[-half:]])


def _refill(
    rng: np.random.Generator, pool: list[tuple[str, np.ndarray]], fresh: list[tuple[str, np.ndarray]]
) -> None:
    room = max(0, POOL - len(pool))
    pool.extend(fresh[:room])
    for item in fresh[room:]:
        pool[int(rng.integers(len(pool)))] = item


def _disguise(rng: np.random.Generator, texts: pa.Array, copies: np.ndarray) -> pa.Array:
    """Half of the exact copies in another case, or with other spaces; the words stay as they are."""
    changed = rng.permutation(copies)[: len(copies) // 2]
    ways = [
        pc.utf8_upper,
        pc.utf8_lower,
        lambda some: pc.replace_substring(some, " ", "  "),
        lambda some: pc.replace_substring(some, ". ", ".\n\n"),
    ]
    mask = np.zeros(len(texts), bool)
    for way, rows in zip(ways, np.array_split(changed, len(ways)), strict=True):
        rows = np.sort(rows)
        mask[:] = False
        mask[rows] = True
        texts = pc.replace_with_mask(texts, pa.array(mask), way(texts.take(pa.array(rows))))
    return texts


def main() -> None:
    """Generate from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="folder for the Parquet files")
    given = parser.parse_args()
    files = generate(given.rows, given.seed, given.out)
    size = sum(file.stat().st_size for file in files)
    print(json.dumps({"rows": given.rows, "files": len(files), "mb": round(size / 1e6)}))


if __name__ == "__main__":
    main()
