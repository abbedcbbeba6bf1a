"""All that was trained in a home as lines, by kind and name: from names and manifests alone, no weight is opened."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any

from schemas.errors import StoreError
from storage.artifacts import find_artifact
from storage.names import NAME, list_names
from storage.store import Store
from tasks.reports import TrainedLine
from tasks.training_kinds import LORA, TrainingKind

_FINGERPRINT = re.compile(r"[0-9a-f]{32}")


def trained_lines(store: Store, kind: TrainingKind) -> list[TrainedLine]:
    """A line per name; then one per artifact whose name was moved to another run. Damage is a line that says so."""
    if not store.is_local:
        return []
    named = list_names(store, kind.names)
    stand = {mark for mark in store.names(f"artifacts/{kind.stage}") if _FINGERPRINT.fullmatch(mark)}
    nameless = sorted(stand - set(named.values()))
    found = [*sorted(named.items()), *((mark, mark) for mark in nameless)]
    return [_line(store, kind, name, mark) for name, mark in found if NAME.fullmatch(name)]


def _line(store: Store, kind: TrainingKind, name: str, mark: str) -> TrainedLine:
    try:
        account = find_artifact(store, kind.stage, mark)
        if account is None:
            return TrainedLine(name, mark, problem="it is gone: its run was pruned, or never ended")
        about = _base(account) if kind is LORA else _size(account)
        return TrainedLine(
            name, mark, about=about, examples=int(account["examples"]), steps=int(account["steps"])
        )
    except StoreError as error:
        return TrainedLine(name, mark, problem=error.what)
    except (KeyError, TypeError, ValueError):
        return TrainedLine(name, mark, problem="its account is damaged, or of another version of vatra")


def _base(account: dict[str, Any]) -> str:
    """The base, without the path of a local folder."""
    if account["base_is_demo"]:
        return "the demo base"
    base = str(account["base"])
    return PurePath(base).name if base.startswith(("/", ".", "~")) else base


def _size(account: dict[str, Any]) -> str:
    """Members and weights of a NOVA."""
    return f"{', '.join(account['members'])}; {int(account['parameters']):,} weights"
