"""The account of a file: conversations seen = kept + empty + failed + duplicate + left out; messages seen = parsed +
set aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from schemas.manifest import SourceFile
from tasks.parsers.contract import ParsedConversation
from tasks.parsers.encodings import encoding_warning

#: More failures than this are counted, and not listed one by one.
FAILURES_LISTED = 200

SURROGATES = "messages with broken characters (lone surrogates), repaired"
NULS = "messages with NUL characters, removed"


class Account:
    """Counts while a file is read; `row` is its row of the table of imports."""

    def __init__(self, source: SourceFile) -> None:
        self._source = source
        self.conversations: Counter[str] = Counter()
        self.parsed: Counter[str] = Counter()
        self.set_aside: Counter[str] = Counter()
        self.warnings: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()
        self._first_places: dict[str, str] = {}
        self._failures: list[dict[str, str]] = []

    @property
    def seen(self) -> int:
        """Conversations, broken ones included."""
        return sum(self.conversations.values()) + sum(self.left_out.values())

    @property
    def messages_seen(self) -> int:
        """Messages of all branches of all conversations that could be parsed."""
        return sum(self.parsed.values()) + sum(self.set_aside.values())

    def fail(self, at: str, reason: str) -> None:
        """A piece of the file that is no conversation, or a broken one."""
        self.conversations["failed"] += 1
        if len(self._failures) < FAILURES_LISTED:
            self._failures.append({"at": at, "reason": reason})

    def duplicate(self, conversation: ParsedConversation) -> None:
        """An older copy of a conversation that the file holds twice."""
        self.conversations["duplicate"] += 1
        self.set_aside["duplicate_conversation"] += conversation.messages_seen

    def leave_out(
        self, reason: str, at: Callable[[], str], conversation: ParsedConversation | None = None
    ) -> None:
        """A record that the source's declaration leaves out, or that lacks what it asks for."""
        self.left_out[reason] += 1
        if reason not in self._first_places:
            self._first_places[reason] = at()
        if conversation is not None and conversation.messages_seen:
            self.set_aside["left_out"] += conversation.messages_seen

    def empty(self, conversation: ParsedConversation) -> None:
        """A conversation in which neither side says anything."""
        self.conversations["empty"] += 1
        self.set_aside.update(conversation.set_aside)
        if conversation.messages:
            self.set_aside["empty_conversation"] += len(conversation.messages)

    def keep(self, conversation: ParsedConversation) -> None:
        """A conversation that becomes rows."""
        self.conversations["kept"] += 1
        if conversation.set_aside:  # to add nothing is not free, and nearly all have nothing
            self.set_aside.update(conversation.set_aside)
        if conversation.warnings:
            self.warnings.update(conversation.warnings)
        for message in conversation.messages:
            self.parsed[message.role] += 1

    def row(self) -> dict[str, Any]:
        """The file's row of the table of imports."""
        counts = self.conversations
        return {
            "file_digest": self._source.digest,
            "format": self._source.format,
            "source": self._source.name,
            "encoding": self._source.encoding,
            "bytes": self._source.size,
            "conversations_seen": self.seen,
            **{f"conversations_{kind}": counts[kind] for kind in ("kept", "empty", "failed", "duplicate")},
            "conversations_left_out": _counts(self.left_out),
            "messages_seen": self.messages_seen,
            "messages_parsed": _counts(self.parsed),
            "messages_set_aside": _counts(self.set_aside),
            "failures": self._failures,
            "warnings": self._sentences(),
        }

    def _sentences(self) -> list[str]:
        guessed = encoding_warning(self._source.encoding)
        sentences = [guessed] if guessed else []
        sentences += [f"{what}: {count}" for what, count in sorted(self.warnings.items())]
        sentences += [
            f"left out, {reason}: {count}, first at {self._first_places[reason]}"
            for reason, count in sorted(self.left_out.items())
        ]
        unlisted = self.conversations["failed"] - len(self._failures)
        return [*sentences, f"failures that are not listed: {unlisted}"] if unlisted else sentences


def _counts(counter: Counter[str]) -> list[dict[str, Any]]:
    return [{"reason": reason, "count": count} for reason, count in sorted(counter.items()) if count]


def totals(accounts: list[Account]) -> dict[str, int]:
    """The tally of a whole call, over its files."""
    tally: Counter[str] = Counter()
    for account in accounts:
        counts = account.conversations
        tally["seen"] += account.seen
        for kind in ("kept", "empty", "failed"):
            tally[kind] += counts[kind]
        for kind in ("empty", "failed", "duplicate"):
            tally[f"set_aside:{kind}"] += counts[kind]
        for reason, count in sorted(account.left_out.items()):
            tally[f"set_aside:{reason}"] += count
        tally["messages_seen"] += account.messages_seen
        for reason, count in sorted(account.set_aside.items()):
            tally[f"message_set_aside:{reason}"] += count
    return dict(tally)
