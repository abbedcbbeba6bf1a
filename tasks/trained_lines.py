"""All adapters of a home as lines, by name: from names and manifests alone, no weight is opened."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any

from schemas.errors import StoreError
from storage.artifacts import find_artifact
from storage.names import NAME, list_names
from storage.store import Store
from tasks.adapter_names import NAMES, STAGE
from tasks.reports import AdapterLine

_FINGERPRINT = re.compile(r"[0-9a-f]{32}")


def adapter_lines(store: Store) -> list[AdapterLine]:
    """A line per name; then a line per adapter whose name was moved to another run. Damage is a line that says so."""
    if not store.is_local:
        return []
    named = list_names(store, NAMES)
    stand = {mark for mark in store.names(f"artifacts/{STAGE}") if _FINGERPRINT.fullmatch(mark)}
    nameless = sorted(stand - set(named.values()))
    found = [*sorted(named.items()), *((mark, mark) for mark in nameless)]
    return [_line(store, name, mark) for name, mark in found if NAME.fullmatch(name)]


def _line(store: Store, name: str, mark: str) -> AdapterLine:
    try:
        account = find_artifact(store, STAGE, mark)
        if account is None:
            return AdapterLine(name, mark, problem="it is gone: its run was pruned, or never ended")
        return AdapterLine(
            name, mark, base=_base(account), examples=int(account["examples"]), steps=int(account["steps"])
        )
    except StoreError as error:
        return AdapterLine(name, mark, problem=error.what)
    except (KeyError, TypeError, ValueError):
        return AdapterLine(name, mark, problem="its account is damaged, or of another version of vatra")


def _base(account: dict[str, Any]) -> str:
    """The base, without the path of a local folder."""
    if account["base_is_demo"]:
        return "the demo base"
    base = str(account["base"])
    return PurePath(base).name if base.startswith(("/", ".", "~")) else base
