"""The account of a build's mixture, from its tables `targets` and `portions`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from schemas.summary import MixtureAccount, Portion, Target
from schemas.tables import SPLITS
from tasks.reports.tables import Tables, scan_present

_TARGETS = (
    *("kind", "name", "available", "got", "rows", "asked_low", "asked_high", "low", "high"),
    *("kept_low", "kept_high", "remark"),
)
_PORTIONS = ("phase", "phase_name", "split", "source", "category", "examples", "rows", "tokens")
#: What examples without a category are called.
UNASSIGNED = "unassigned"


def account_of_mixture(tables: Tables) -> MixtureAccount | None:
    """What the mixture is made of; None for a build that has none, or one of before it was accounted for."""
    targets = _rows(tables, "targets", _TARGETS)
    portions = _rows(tables, "portions", _PORTIONS)
    if not targets:
        return None
    size = sum(row["rows"] for row in targets if row["kind"] != "total")
    corpus = [row for row in portions if row["phase"] == 0]
    phases = {row["phase"]: row["phase_name"] for row in portions if row["phase"]}
    return MixtureAccount(
        targets=[_target(row, size) for row in targets],
        phases=[
            _portion(name, [row for row in portions if row["phase"] == phase], phase)
            for phase, name in sorted(phases.items())
        ],
        sources=_by(corpus, "source"),
        categories=_by(corpus, "category"),
    )


def _rows(tables: Tables, name: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    return [row for part in scan_present(tables, name, columns) for row in part.to_pylist()]


def _target(row: Mapping[str, Any], size: int) -> Target:
    return Target(
        kind=row["kind"],
        name=row["name"],
        asked=(row["asked_low"], row["asked_high"]),
        low=row["low"],
        high=row["high"],
        share=row["rows"] / size if size and row["kind"] != "total" else None,
        got=row["got"],
        rows=row["rows"],
        available=row["available"],
        remark=row["remark"],
    )


def _by(rows: Iterable[Mapping[str, Any]], key: str) -> list[Portion]:
    """Portions by source or category, the largest first."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row[key] or UNASSIGNED, []).append(row)
    found = [_portion(name, members) for name, members in groups.items()]
    return sorted(found, key=lambda portion: (-portion.examples, portion.name))


def _portion(name: str, rows: Sequence[Mapping[str, Any]], phase: int | None = None) -> Portion:
    tokens = [row["tokens"] for row in rows if row["tokens"] is not None]
    return Portion(
        name=name,
        phase=phase,
        examples=sum(row["examples"] for row in rows),
        rows=sum(row["rows"] for row in rows),
        tokens=sum(tokens) if tokens else None,
        splits={split: sum(row["rows"] for row in rows if row["split"] == split) for split in SPLITS},
    )


def told_part(name: str) -> str:
    """A part of the mixture for people: sources that share one share, with room to break the line between them."""
    return name.replace("+", " + ")


def told_repeats(mixture: MixtureAccount) -> str:
    """What repeats make of the corpus: `775 examples make 900 rows`, and in which parts."""
    (total,) = (target for target in mixture.targets if target.kind == "total")
    parts = [f"{t.rows - t.got:,} in {told_part(t.name)}" for t in mixture.contract if t.rows > t.got]
    return f"{total.got:,} examples make {total.rows:,} rows" + (f" ({', '.join(parts)})" if parts else "")


def told_bounds(low: float | None, high: float | None, times: float = 1.0, unit: str = "") -> str:
    """Bounds for people: `25–30`, `20.7–24.8%`, `40%`; a dash for none."""
    if low is None or high is None:
        return "–"
    first, last = (f"{bound * times:.1f}".removesuffix(".0") for bound in (low, high))
    return f"{first}{unit}" if first == last else f"{first}–{last}{unit}"
