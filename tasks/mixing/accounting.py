"""What the mixture says of itself: targets against what was got and what there was, and portions by phase."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.categories import CATEGORIES
from schemas.parts import Part
from schemas.settings import MixSettings
from schemas.tables import PORTIONS, SPLITS, TARGETS
from tasks.mixing.candidates import Candidates
from tasks.mixing.phases import Sequence as Read
from tasks.mixing.phases import phases_of
from tasks.mixing.selection import REASONS, Choice

#: The phase under which `portions` counts every example of the corpus once.
WHOLE = 0


def account(
    candidates: Candidates,
    choice: Choice,
    split: np.ndarray,
    sequences: Sequence[Read],
    tokens: np.ndarray | None,
    settings: MixSettings,
    tally: Mapping[str, int],
) -> Part:
    """The tables `targets` and `portions`, and the ledger: distinct examples in, out by split, set aside by reason."""
    chosen = choice.copies > 0
    counts = np.bincount(choice.reason[candidates.left & ~chosen], minlength=len(REASONS))
    aside = {f"set_aside:{reason}": int(n) for reason, n in zip(REASONS, counts, strict=True) if reason}
    inside = np.bincount(split[chosen], minlength=len(SPLITS))
    out = {f"examples:{name}": int(n) for name, n in zip(SPLITS, inside, strict=True)}
    told = {"given_up": sum(_gave_up(choice, name) for name in choice.contract.names)}
    portions = pa.Table.from_pylist(
        list(_portions(candidates, chosen, split, sequences, tokens, settings)), PORTIONS
    )
    targets = pa.Table.from_pylist(list(_targets(candidates, choice, settings)), TARGETS)
    return Part({"targets": targets, "portions": portions}, {**aside, **out, **told, **tally})


def _gave_up(choice: Choice, name: str) -> bool:
    contract = choice.contract
    return name not in contract.shares or contract.shares[name] != contract.asked[name]


def _targets(candidates: Candidates, choice: Choice, settings: MixSettings) -> Iterator[dict[str, Any]]:
    """One row per part of the contract, and one for the total."""
    contract, chosen = choice.contract, choice.copies > 0
    if contract.kind != "all":
        written: Mapping[str, Any] = settings.ranges or {n: (s, s) for n, s in settings.shares.items()}
        for number, name in enumerate(contract.names):
            own = candidates.left & (contract.part == number)
            kept = contract.shares.get(name)
            yield {
                "kind": contract.kind,
                "name": name,
                "available": int(own.sum()),
                "got": int((own & chosen).sum()),
                "rows": int(choice.copies[own].sum()),
                "asked_low": float(written[name][0]),
                "asked_high": float(written[name][1]),
                "low": float(contract.asked[name].low),
                "high": float(contract.asked[name].high),
                "kept_low": None if kept is None else float(kept.low),
                "kept_high": None if kept is None else float(kept.high),
                "remark": contract.remarks.get(name),
            }
    yield {
        "kind": "total",
        "name": "total",
        "available": int(candidates.left.sum()),
        "got": int(chosen.sum()),
        "rows": int(choice.copies.sum()),
        "asked_high": None if settings.total is None else float(settings.total),
        "remark": contract.remarks.get("total"),
    }


def _portions(
    candidates: Candidates,
    chosen: np.ndarray,
    split: np.ndarray,
    sequences: Sequence[Read],
    tokens: np.ndarray | None,
    settings: MixSettings,
) -> Iterator[dict[str, Any]]:
    """Examples, rows and tokens by split, source and category: of the whole corpus once, then of each phase."""
    for number in range(len(SPLITS)):
        rows = np.flatnonzero(chosen & (split == number))
        yield from _cells(candidates, rows, tokens, {"phase": WHOLE, "phase_name": "corpus"}, number)
    names = [phase.name for phase in phases_of(settings)]
    for sequence in sorted(sequences, key=lambda sequence: (sequence.phase, sequence.split)):
        head = {"phase": sequence.phase, "phase_name": names[sequence.phase - 1]}
        yield from _cells(candidates, sequence.rows, tokens, head, sequence.split)


def _cells(
    candidates: Candidates, rows: np.ndarray, tokens: np.ndarray | None, head: Mapping[str, Any], split: int
) -> Iterator[dict[str, Any]]:
    width = len(CATEGORIES) + 1
    cell = candidates.source[rows].astype(np.int64) * width + candidates.category[rows] % width
    size = len(candidates.sources) * width
    once = np.zeros(len(candidates), bool)
    once[rows] = True
    distinct = np.flatnonzero(once)
    kinds = candidates.source[distinct].astype(np.int64) * width + candidates.category[distinct] % width
    examples, read = np.bincount(kinds, minlength=size), np.bincount(cell, minlength=size)
    weights = None if tokens is None else np.bincount(cell, weights=tokens[rows], minlength=size)
    for at in np.flatnonzero(read):
        source, category = divmod(int(at), width)
        yield {
            **head,
            "split": SPLITS[split],
            "source": candidates.sources[source],
            "category": CATEGORIES[category] if category < len(CATEGORIES) else None,
            "examples": int(examples[at]),
            "rows": int(read[at]),
            "tokens": None if weights is None else int(weights[at]),
        }
