"""How alike two texts are: the Jaccard similarity of all they say, unless a closer look says otherwise.

Boilerplate makes no copies: of two texts that share lines which many others have too (a form, an instruction, a
disclaimer), what is left without these must be alike as well. Only what both have is taken away, so copies of one text
that are so many that its own lines look like boilerplate are still copies of each other, and a question with other
tools is another one. Nor is a long question that is answered by yes and by no one example.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
from scipy import sparse

from tasks.dedup.boilerplate import of_system, own_text
from tasks.dedup.keys import Examples, Keys
from tasks.dedup.shingles import jaccard, overlap, read_shingles
from tasks.dedup.words import join_replies

#: What is left of copies without the lines they share holds their changes: a word of a line is more than one of a text.
REST = 2 / 3
#: Makes texts of messages.
TextOf = Callable[[pa.ChunkedArray], pa.Array]


@dataclass(frozen=True)
class Reading:
    """How n-grams of rows are read; `boilerplate` are the codes of lines that many texts share."""

    examples: Examples
    keys: Keys
    size: int
    boilerplate: np.ndarray

    def said(self, rows: np.ndarray) -> sparse.csr_array:
        """All that rows say, but for the system turns that they share with others."""
        shared = self.boilerplate[of_system(self.boilerplate)]
        return self._shingles(rows, partial(own_text, boilerplate=shared))

    def own(self, rows: np.ndarray) -> sparse.csr_array:
        """What they say without boilerplate."""
        return self._shingles(rows, partial(own_text, boilerplate=self.boilerplate))

    def replies(self, rows: np.ndarray) -> sparse.csr_array:
        """What the assistant says in them."""
        return self._shingles(rows, join_replies)

    def _shingles(self, rows: np.ndarray, text_of: TextOf) -> sparse.csr_array:
        return read_shingles(self.examples, self.keys.split(rows), self.size, text_of)


@dataclass(frozen=True)
class Likeness:
    """The similarity of pairs of `rows` (ascending): below `threshold` where a closer look finds that they are none.

    `thinned` rows have boilerplate, `brief` ones replies that are a small part of them.
    """

    reading: Reading
    rows: np.ndarray
    said: sparse.csr_array
    thinned: np.ndarray
    brief: np.ndarray
    threshold: float

    def __call__(self, pairs: np.ndarray) -> np.ndarray:
        """Of each pair of places in `rows`."""
        similarity = jaccard(self.said, self.said, pairs)
        self._look(similarity, pairs, self.thinned[pairs].all(axis=1), self._without_boilerplate)
        self._look(similarity, pairs, self.brief[pairs].any(axis=1), self._by_replies)
        return similarity

    def _look(
        self,
        similarity: np.ndarray,
        pairs: np.ndarray,
        doubtful: np.ndarray,
        view: Callable[[np.ndarray, np.ndarray], np.ndarray],
    ) -> None:
        """Lower the similarity of doubtful pairs to what another view of them shows."""
        at = np.flatnonzero(doubtful & (similarity >= np.float32(self.threshold)))
        if len(at):
            some, places = np.unique(pairs[at], return_inverse=True)
            similarity[at] = np.minimum(similarity[at], view(some, places.reshape(-1, 2)))

    def _without_boilerplate(self, some: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        said, own = self.said[some], self.reading.own(self.rows[some])
        shared = said - said.multiply(own)
        shared.eliminate_zeros()
        taken = overlap(shared, shared, pairs)
        both, sizes = overlap(said, said, pairs) - taken, np.diff(said.indptr)[pairs].sum(axis=1)
        either = sizes - 2 * taken - both
        left = np.where(either > 0, both / np.maximum(either, 1), 1.0)
        left[(np.diff(own.indptr) == 0)[pairs].all(axis=1)] = 1.0  # nothing of their own tells them apart
        return np.where(left >= REST * self.threshold, 1.0, left)

    def _by_replies(self, some: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        """Of a text without replies they say nothing."""
        replies = self.reading.replies(self.rows[some])
        shown = (np.diff(replies.indptr) > 0)[pairs].all(axis=1)
        return np.where(shown, jaccard(replies, replies, pairs), 1.0)
