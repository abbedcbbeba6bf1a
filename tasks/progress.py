"""Who is told how far a stage is. The command line puts its progress bars here; by default nobody listens."""

from __future__ import annotations

from typing import Protocol

from schemas.summary import StageSummary


class Listener(Protocol):
    """Hears of stages as they begin, go on and end."""

    def started(self, stage: str) -> None:
        """A stage begins."""

    def advanced(self, stage: str, done: int, total: int, note: str = "") -> None:
        """`done` of `total` bytes (or steps) of the stage's open work; `note` is shown beside it."""

    def noted(self, stage: str, text: str) -> None:
        """Something that a person should know while the stage goes on."""

    def finished(self, summary: StageSummary) -> None:
        """A stage stands."""


class _Silence:
    def started(self, stage: str) -> None: ...

    def advanced(self, stage: str, done: int, total: int, note: str = "") -> None: ...

    def noted(self, stage: str, text: str) -> None: ...

    def finished(self, summary: StageSummary) -> None: ...


_listener: Listener = _Silence()


def listen(listener: Listener | None) -> None:
    """Send everything to `listener` from now on (None: to nobody). One build runs per process."""
    global _listener
    _listener = listener or _Silence()


def listener() -> Listener:
    """The one who listens."""
    return _listener
