"""What a webhook is told of a build: names, counts and one line; never chat text, never the webhook's address."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class KeptShareMove(BaseModel):
    """Kept share of the messages, 0 to 1: now, and in the complete build before."""

    now: float
    before: float
    since: str = Field(description="The build that is compared with.")


class NoticeCounts(BaseModel):
    """How far the build came: conversations read, messages by what became of them, examples in the corpus."""

    conversations: int = 0
    messages: int = 0
    kept: int = 0
    masked: int = 0
    dropped: dict[str, int] = {}
    examples: int = 0


class Notice(BaseModel):
    """The JSON object that is posted. `text` says it all in one line, for chat services that show only that."""

    what: Literal["build failed", "kept share moved"]
    text: str
    home: str = Field(description="The last part of the home folder's path.")
    build: str | None = Field(None, description="None: the build could not even be planned.")
    error: str | None = None
    kept_share: KeptShareMove | None = None
    counts: NoticeCounts = NoticeCounts()
