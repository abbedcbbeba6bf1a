"""Which conversations of a declared source stay: by length, language, a drawn share, and how many there may be."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from schemas.ids import hash_fields
from schemas.settings.sources import Source
from tasks.parsers.contract import ParsedConversation

#: The language of texts that belong together, by its ISO 639-1 code; `und` where they are too short to tell.
Detect = Callable[[Sequence[str]], str]
UNDETERMINED = "und"
_SCALE = float(1 << 64)


class Selection:
    """Decides on one conversation after the other; `full` when there are as many as the source may have."""

    def __init__(self, name: str, source: Source, detect: Detect | None) -> None:
        if source.filters.languages and detect is None:
            raise ValueError("a filter for languages needs something that tells them apart")
        self._name, self._source, self._detect = name, source, detect
        self._kept = 0

    @property
    def full(self) -> bool:
        """Whether no other conversation may come."""
        return self._source.limit is not None and self._kept >= self._source.limit

    def reason(self, conversation: ParsedConversation) -> str | None:
        """Why the conversation is left out; None: it stays, and is counted."""
        filters, texts = self._source.filters, [message.content for message in conversation.messages]
        chars = sum(map(len, texts))
        if chars < filters.min_chars:
            return "below_min_chars"
        if filters.max_chars is not None and chars > filters.max_chars:
            return "above_max_chars"
        if filters.languages and self._detect is not None:
            language = self._detect(texts)
            if language != UNDETERMINED and language not in filters.languages:
                return f"language:{language}"
        if self._source.sample is not None and self._draw(texts) >= self._source.sample:
            return "not_sampled"
        if self.full:
            return "over_limit"
        self._kept += 1
        return None

    def _draw(self, texts: list[str]) -> float:
        """A number from 0 to 1 that the seed, the source and the content give: the same on any machine."""
        return int(hash_fields(self._source.seed, "sample", self._name, *texts)[:16], 16) / _SCALE
