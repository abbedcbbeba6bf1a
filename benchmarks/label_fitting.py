"""Fits the label classifier: softmax regression that is held near weights set by hand, and its held-out figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml
from scipy import optimize

from benchmarks.label_readers import Chat
from benchmarks.label_sources import Row
from models.labels.features import feature_names, features_of
from schemas.categories import CATEGORIES

#: How strongly weights are held to the prior; those that are `fixed` do not move.
HELD, FIXED = 0.1, 100.0
#: A set of fewer rows counts for less, by the square root.
WHOLE = 100
_MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


@dataclass(frozen=True)
class Table:
    """Rows with their features (with a leading 1), categories by number, and sets."""

    features: np.ndarray
    category: np.ndarray
    source: np.ndarray
    family: np.ndarray
    train: np.ndarray

    @property
    def public(self) -> np.ndarray:
        """Rows of public sets: those that are tested on."""
        return ~np.char.startswith(self.source, "seeds")


def messages_of(chats: Sequence[Chat]) -> pa.ListArray:
    """Chats as the column that the classifier reads."""
    return pa.array([[{"role": role, "content": text} for role, text in chat] for chat in chats], _MESSAGES)


def table_of(rows: Sequence[Row]) -> Table:
    """The features of rows, and what they stand for."""
    found = features_of(messages_of([row.chat for row in rows])).astype(np.float64)
    return Table(
        features=np.hstack([np.ones((len(rows), 1)), found]),
        category=np.array([CATEGORIES.index(row.category) for row in rows]),
        source=np.array([row.source for row in rows]),
        family=np.array([row.family for row in rows]),
        train=np.array([row.train for row in rows]),
    )


@cache
def _settings() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "label_prior.yaml").read_text("utf-8"))
    return found


def prior() -> np.ndarray:
    """The weights set by hand: (1 + features, categories); the first row is the bias."""
    settings, names = _settings(), feature_names()
    weights = np.zeros((1 + len(names), len(CATEGORIES)))
    for at, name in enumerate(names, 1):
        side, _, feature = name.rpartition(": ")
        for category, weight in settings["shapes"].get(feature, {}).items():
            weights[at, CATEGORIES.index(category)] = weight
        group = feature.partition(".")[0]
        if group in CATEGORIES:
            kind = "share" if feature.endswith(" share") else "present"
            weights[at, CATEGORIES.index(group)] = settings["lexicon"][side][kind]
    return weights


def fit(table: Table, chosen: np.ndarray) -> np.ndarray:
    """Weights from the chosen rows: each category counts alike, and within it each set. Rounded to thousandths."""
    start = prior()
    features, truth = table.features[chosen], np.eye(len(CATEGORIES))[table.category[chosen]]
    weight = row_weights(table, chosen)[chosen]
    held = np.full((len(start), 1), HELD)
    fixed = set(_settings()["fixed"])
    held[1:][[name.rpartition(": ")[2] in fixed for name in feature_names()]] = FIXED

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        moved = flat.reshape(start.shape) - start
        said = probabilities(features, flat.reshape(start.shape))
        log_loss = -(weight * np.log((said * truth).sum(axis=1))).sum()
        slope = features.T @ (weight[:, None] * (said - truth)) + held * moved
        return log_loss + 0.5 * (held * moved**2).sum(), slope.ravel()

    options = {"maxiter": 500, "ftol": 1e-13, "gtol": 1e-7}
    found = optimize.minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options=options)
    return np.asarray(np.round(found.x.reshape(start.shape), 3))


def row_weights(table: Table, chosen: np.ndarray) -> np.ndarray:
    """Per row its weight, 1 over all: categories alike, within them sets alike (small ones less), within them rows."""
    weight = np.zeros(len(table.category))
    for category in range(len(CATEGORIES)):
        mine = chosen & (table.category == category)
        for source in np.unique(table.source[mine]):
            rows = mine & (table.source == source)
            weight[rows] = min(1.0, rows.sum() / WHOLE) ** 0.5 / rows.sum()
        if mine.any():
            weight[mine] /= weight[mine].sum()
    return np.asarray(weight / weight.sum())


def probabilities(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The softmax of features times weights."""
    score = features @ weights
    raised = np.exp(score - score.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def held_out(table: Table) -> np.ndarray:
    """Per row of a public set the probabilities by a model that never saw its set, nor one with the same rows."""
    found = np.zeros((len(table.category), len(CATEGORIES)))
    for family in np.unique(table.family[table.public]):
        out = table.family == family
        found[out] = probabilities(table.features[out], fit(table, table.train & ~out))
    return found


def figures(table: Table, found: np.ndarray) -> dict[str, Any]:
    """Accuracy by set and category, macro figures, and precision by coverage; over rows of public sets.

    A category's accuracy is the mean over its sets (`macro`), or over its rows (`macro_by_row`); macro is the mean
    over the ten categories. Precision and coverage weigh every category alike, and within it every set.
    """
    right, public = found.argmax(axis=1) == table.category, table.public
    by_source, by_category, by_row, weight = {}, {}, {}, np.zeros(len(right))
    for at, category in enumerate(CATEGORIES):
        mine = public & (table.category == at)
        sources = np.unique(table.source[mine])
        for source in sources:
            rows = table.source == source
            by_source[str(source)] = round(float(right[rows].mean()), 4)
            weight[rows] = 1 / (len(CATEGORIES) * len(sources) * rows.sum())
        by_category[category] = round(float(np.mean([by_source[str(source)] for source in sources])), 4)
        by_row[category] = round(float(right[mine].mean()), 4)
    return {
        "macro": round(float(np.mean(list(by_category.values()))), 4),
        "macro_by_row": round(float(np.mean(list(by_row.values()))), 4),
        "by_category": by_category,
        "by_source": by_source,
        "curve": curve(np.round(found.max(axis=1), 4)[public], right[public], weight[public]),
    }


def curve(confidence: np.ndarray, right: np.ndarray, weight: np.ndarray) -> list[dict[str, float]]:
    """Coverage and precision of the labels that are as sure as each threshold, or surer."""
    lines = []
    for threshold in np.arange(0.2, 1.0, 0.01).round(2):
        sure = confidence >= threshold
        covered = float(weight[sure].sum())
        if covered:
            precision = float((weight * right)[sure].sum()) / covered
            lines.append(
                {
                    "threshold": float(threshold),
                    "coverage": round(covered, 4),
                    "precision": round(precision, 4),
                }
            )
    return lines


def threshold_of(lines: list[dict[str, float]], coverage: float = 0.4) -> dict[str, float]:
    """The highest threshold that still covers so much."""
    return max((line for line in lines if line["coverage"] >= coverage), key=lambda line: line["threshold"])


def confusion(table: Table, found: np.ndarray) -> np.ndarray:
    """Shares of what was said (columns) of each category (rows): every set of a category counts alike."""
    said, out = found.argmax(axis=1), np.zeros((len(CATEGORIES), len(CATEGORIES)))
    for at in range(len(CATEGORIES)):
        mine = table.public & (table.category == at)
        for source in np.unique(table.source[mine]):
            counts = np.bincount(said[table.source == source], minlength=len(CATEGORIES))
            out[at] += counts / counts.sum() / len(np.unique(table.source[mine]))
    return out
