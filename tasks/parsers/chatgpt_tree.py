"""The tree of a ChatGPT conversation: which nodes are the active branch. No recursion; cycles end the walk."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from tasks.parsers.times import microseconds


@dataclass(slots=True)
class Branch:
    """Node ids from the root to the end of the active branch; forks in the whole tree; oddities met on the way."""

    path: list[str]
    forks: int
    current_unusable: bool = False
    cycle: bool = False


def active_branch(mapping: dict[str, Any], current: object) -> Branch:
    """Walk from `current` up to the root; from the newest leaf when `current` names no node.

    Edges are the union of `parent` and `children`; where they differ, `parent` is believed. A mapping without any edge
    is a plain list, ordered by time.
    """
    parents, forks = _edges(mapping)
    if not parents and len(mapping) > 1 and not _mentions_parents(mapping):
        return Branch(_by_time(mapping), 0)
    unusable = not isinstance(current, str) or current not in mapping
    node: str | None = _newest_leaf(mapping, parents) if unusable else str(current)
    path: list[str] = []
    seen: set[str] = set()
    while node is not None and node not in seen:
        seen.add(node)
        path.append(node)
        node = parents.get(node)
    path.reverse()
    return Branch(path, forks, unusable, node is not None)


def _edges(mapping: dict[str, Any]) -> tuple[dict[str, str], int]:
    parents: dict[str, str] = {}
    listed: list[tuple[str, Any]] = []
    for name, node in mapping.items():
        if not isinstance(node, dict):
            continue
        parent = node.get("parent")
        if isinstance(parent, str) and parent in mapping:
            parents[name] = parent
        children = node.get("children")
        if children:
            listed.append((name, children))
    for name, children in listed:
        for child in children if isinstance(children, list) else ():
            if isinstance(child, str) and child in mapping:
                parents.setdefault(child, name)
    if len(set(parents.values())) == len(parents):  # nobody has two children
        return parents, 0
    counts = Counter(parent for child, parent in parents.items() if parent != child)
    return parents, sum(count > 1 for count in counts.values())


def _mentions_parents(mapping: dict[str, Any]) -> bool:
    """Whether nodes point outside of the mapping: a piece cut out of a tree, not a list."""
    return any(isinstance(node, dict) and node.get("parent") for node in mapping.values())


def _newest_leaf(mapping: dict[str, Any], parents: dict[str, str]) -> str | None:
    inner = set(parents.values())
    # Where every node is a parent there is a cycle, and any node may be the last.
    leaves = [name for name in mapping if name not in inner] or list(mapping)
    newest, latest = None, -2
    for name in leaves:
        time = _time(mapping[name])
        known = -1 if time is None else time
        if known >= latest:
            newest, latest = name, known
    return newest


def _by_time(mapping: dict[str, Any]) -> list[str]:
    timed: list[tuple[int, str]] = []
    before = -1
    for name, node in mapping.items():
        time = _time(node)
        before = before if time is None else time
        timed.append((before, name))
    return [name for _, name in sorted(timed, key=lambda pair: pair[0])]


def _time(node: object) -> int | None:
    message = node.get("message") if isinstance(node, dict) else None
    return microseconds(message.get("create_time")) if isinstance(message, dict) else None
