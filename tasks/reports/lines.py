"""One build, or one trained model, as one line of a list: what is known of it without opening a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from schemas.summary import CorpusCounts, ImportCounts, MessageCounts
from schemas.totals import kept_share

#: stopped: a stage is not done, and nobody wrote down why (killed, failed, or still running).
State = Literal["complete", "stopped", "failed", "damaged"]


@dataclass(frozen=True)
class BuildLine:
    """A build in the list. `created` is ISO 8601 or empty; `stage` is where it stopped or failed.

    `decided` says by whose ledger messages were counted (None: nobody decided yet); `problem` is one clear line.
    """

    build: str
    created: str = ""
    parent: str | None = None
    state: State = "complete"
    stage: str | None = None
    problem: str | None = None
    imports: ImportCounts = field(default_factory=ImportCounts)
    messages: MessageCounts = field(default_factory=MessageCounts)
    corpus: CorpusCounts | None = None
    adapter: Literal["demo", "trained"] | None = None
    nova: bool = False
    decided: str | None = None
    addressable: bool = True

    @property
    def kept(self) -> float | None:
        """Kept messages over parsed ones, 0 to 1; None while undecided."""
        return kept_share(self.messages) if self.decided else None


@dataclass(frozen=True)
class TrainedLine:
    """An adapter or a NOVA in the list. `name` is its fingerprint where no name leads to it any more; `about` is an
    adapter's base, or members and size of a NOVA.

    `examples` and `steps` are None, and `problem` is one clear line, where it cannot be read.
    """

    name: str
    fingerprint: str
    about: str = ""
    examples: int | None = None
    steps: int | None = None
    problem: str | None = None
