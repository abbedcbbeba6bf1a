"""The score stage's pure function: messages in, signals out, row for row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.parts import Part, conversation_rows
from schemas.settings import ScoreSettings
from schemas.tables import SIGNALS, TOXICITY_LABELS
from tasks.signals.language import detect_languages
from tasks.signals.lengths import are_ellipses, count_words, repetitions, visible
from tasks.signals.patterns import find_hits


class ToxicityModel(Protocol):
    """A toxicity scorer that remembers: scores come by content hash, each distinct text is scored once."""

    languages: frozenset[str]
    labels: tuple[str, ...]

    def score(self, hashes: Sequence[str], texts: Sequence[str]) -> Mapping[str, np.ndarray]:
        """Per label, scores in [0, 1] of the same length as `texts`."""


def score_part(
    tables: Mapping[str, pa.Table], settings: ScoreSettings, toxicity: ToxicityModel | None
) -> Iterator[Part]:
    """Signals of one part of messages. Lengths count what a reader sees; hits count the content as it stands."""
    messages = tables["messages"]
    contents = messages["content"].combine_chunks()
    texts: list[str] = contents.to_pylist()
    languages, inherited = detect_languages(texts, conversation_rows(messages).tolist(), settings.languages)
    seen = visible(contents)
    columns: dict[str, Any] = {
        "message_id": messages["message_id"],
        "language": languages,
        "language_inherited": inherited,
        "chars": pc.utf8_length(contents),
        "visible_chars": pc.utf8_length(seen),
        "words": count_words(seen).cast(pa.int32()),
        "ellipsis_only": are_ellipses(seen),
        "repetition": repetitions(seen).astype(np.float32),
        "rule_hits": find_hits(texts, settings.rules),
    }
    scores, scored = _toxicity(messages["content_hash"].to_pylist(), texts, languages, toxicity)
    columns |= scores
    arrays = [_array(columns[field.name], field.type) for field in SIGNALS]
    yield Part({"signals": pa.Table.from_arrays(arrays, schema=SIGNALS)}, scored)


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return values
    if isinstance(values, np.ndarray):
        return pa.array(values, kind, mask=np.isnan(values))
    return pa.array(values, kind)


def _toxicity(
    hashes: list[str], texts: list[str], languages: list[str], model: ToxicityModel | None
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """NaN (null) wherever the scorer was not asked: another language, no scorer, a label that it does not have."""
    scores = {label: np.full(len(texts), np.nan, np.float32) for label in TOXICITY_LABELS}
    rows = [i for i, language in enumerate(languages) if model is not None and language in model.languages]
    if model is not None and rows:
        found = model.score([hashes[i] for i in rows], [texts[i] for i in rows])
        for label in model.labels:
            scores[label][rows] = found[label]
    tally: dict[str, int] = {}
    asked = set(rows)
    for i, language in enumerate(languages):
        key = f"{'scored' if i in asked else 'unscored'}:{language}"
        tally[key] = tally.get(key, 0) + 1
    return scores, tally
