"""The ledger of a stage, drawn from its summary: rows in = rows out + set aside, by reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.tables import SPLITS

SET_ASIDE = "set_aside:"

#: unit of the ledger, and the summary keys that add up to its rows out.
_OUT: dict[str, tuple[str, tuple[str, ...]]] = {
    "parse": ("conversations", ("rows:conversations",)),
    "reconcile": ("conversations", ("current",)),
    "score": ("messages", ("rows:signals",)),
    "filter": ("messages", ("kept", "masked")),
    "assemble": ("messages", ("trained", "context", "masked")),
    "dedup": ("examples", ("keepers",)),
    "label": ("examples", ("rows:labels",)),
    "mix": ("examples", tuple(f"examples:{split}" for split in SPLITS)),
}

#: stage: the stage and the summary key that its rows in are counted by (parse counts what the files hold).
ROWS_IN: dict[str, tuple[str, str]] = {
    "reconcile": ("parse", "rows:conversations"),
    "score": ("parse", "rows:messages"),
    "filter": ("parse", "rows:messages"),
    "assemble": ("parse", "rows:messages"),
    "dedup": ("assemble", "rows:examples"),
    "label": ("assemble", "rows:examples"),
    "mix": ("dedup", "keepers"),
}


@dataclass(frozen=True)
class Ledger:
    """rows_in = rows_out + sum(set_aside), in `unit`s; `unaccounted` is what is missing (0 when it balances)."""

    unit: str
    rows_in: int
    rows_out: int
    set_aside: dict[str, int]

    @property
    def unaccounted(self) -> int:
        """Rows that came in and are neither out nor set aside."""
        return self.rows_in - self.rows_out - sum(self.set_aside.values())


def draw_ledger(stage: str, summary: Mapping[str, int], rows_in: int | None = None) -> Ledger:
    """The ledger of `stage`; `rows_in` is counted on the inputs (parse counts its own: what the files hold)."""
    unit, keys = _OUT[stage]
    return Ledger(
        unit=unit,
        rows_in=summary.get("seen", 0) if rows_in is None else rows_in,
        rows_out=sum(summary.get(key, 0) for key in keys),
        set_aside=with_prefix(summary, SET_ASIDE),
    )


def with_prefix(summary: Mapping[str, int], prefix: str) -> dict[str, int]:
    """The entries under a prefix, largest first, zeros left out."""
    found = {key.removeprefix(prefix): n for key, n in summary.items() if key.startswith(prefix) and n}
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
