"""A split of the corpus as arrays: the tokens of all its conversations, one behind the other, and who speaks where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

import numpy as np

from models.tribal.corpus import Corpus, Example, Occurrences, read_examples
from models.tribal.labels import NOBODY, Labeller
from models.tribal.tokenizer import ROLES, ChatEncoder, text_of

Learn = Literal["everything", "replies"]
_TOGETHER = 256


@dataclass(frozen=True)
class Documents:
    """T tokens of D conversations with S turns, all in corpus order.

    `ids` int32 [T]; `learn` bool [T], whether a token carries loss (marks of roles never do); `turn` int32 [T], the
    turn that it belongs to; `starts` int64 [D + 1], where a conversation begins. By turn: `member` int16 [S] in the
    members' order, or NOBODY; `strength` float32 [S], what is the member's, the rest being the core's. By conversation:
    its ids, and how often it stands in each phase of the corpus.
    """

    ids: Any
    learn: Any
    turn: Any
    starts: Any
    member: Any
    strength: Any
    example_ids: tuple[str, ...]
    conversation_ids: tuple[str, ...]
    phases: tuple[Mapping[int, int], ...]

    def speakers(self, document: int) -> set[int]:
        """The members who speak in a conversation."""
        turns = self.turn[self.starts[document] : self.starts[document + 1]]
        found = set(self.member[turns[0] : turns[-1] + 1].tolist()) if len(turns) else set()
        return found - {NOBODY}


@dataclass
class LabelCounts:
    """Turns and tokens with a label, by member; turns without one by reason, strangers by name."""

    turns: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    unlabelled: Counter[str] = field(default_factory=Counter)
    strangers: Counter[str] = field(default_factory=Counter)


@dataclass
class _Columns:
    ids: list[Any] = field(default_factory=list)
    learn: list[Any] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    member: list[int] = field(default_factory=list)
    strength: list[float] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)


class DocumentWriter:
    """Turns examples into Documents, and counts labels and what was set aside on the way."""

    def __init__(
        self, encoder: ChatEncoder, members: Sequence[str], default_intensity: float | None, learn: Learn
    ) -> None:
        self._encoder, self._members, self._learn = encoder, members, learn
        self._labeller = Labeller(members, default_intensity)
        self.labels = LabelCounts()
        self.set_aside: Counter[str] = Counter()

    def write(self, corpus: Corpus, split: str) -> Documents:
        """All examples of a split that carry any loss. Raises InputError for shards and labels that are none."""
        columns, found = _Columns(), Occurrences()
        for examples in _batches(read_examples(corpus.get(split, ()), found), _TOGETHER):
            texts = [text_of(m["content"], one.language) for one in examples for m in one.messages]
            contents = iter(self._encoder.contents(texts))
            for example in examples:
                self._add(columns, example, list(islice(contents, len(example.messages))))
        return _joined(columns, found)

    def _add(self, columns: _Columns, example: Example, contents: Sequence[Sequence[int]]) -> None:
        learned = [self._carries_loss(message) for message in example.messages]
        if not any(learned):
            self.set_aside["nothing_to_train"] += 1
            return
        length = 0
        for message, content, learns in zip(example.messages, contents, learned, strict=True):
            mark = self._encoder.marks[ROLES[message["role"]]]
            turn = np.array([mark, *content, self._encoder.end], np.int32)
            carries = np.full(len(turn), learns)
            carries[0] = False  # who is to speak is given, never foretold
            columns.ids.append(turn)
            columns.learn.append(carries)
            columns.lengths.append(len(turn))
            length += len(turn)
            self._label(columns, message, example, len(turn))
        columns.sizes.append(length)
        columns.examples.append(example_without_text(example))

    def _carries_loss(self, message: Mapping[str, Any]) -> bool:
        """Under `everything` all but replies that a filter masked, else trainable replies alone."""
        if ROLES[message["role"]] == "assistant":
            return bool(message["trainable"])
        return self._learn == "everything"

    def _label(self, columns: _Columns, message: Mapping[str, Any], example: Example, tokens: int) -> None:
        label = self._labeller.label(message, example.example_id)
        columns.member.append(label.member)
        columns.strength.append(label.strength)
        if label.member == NOBODY:
            self.labels.unlabelled[label.reason] += 1
            if label.reason == "not_a_member":
                self.labels.strangers[message["author"].strip()] += 1
        else:
            self.labels.turns[self._members[label.member]] += 1
            self.labels.tokens[self._members[label.member]] += tokens


def example_without_text(example: Example) -> Example:
    """The example's ids alone: its text is tokens by now."""
    return Example(example.example_id, example.conversation_id, example.language, ())


def _joined(columns: _Columns, found: Occurrences) -> Documents:
    none = [np.zeros(0, np.int32)]
    lengths = np.array(columns.lengths, np.int64)
    return Documents(
        ids=np.concatenate(columns.ids or none),
        learn=np.concatenate(columns.learn or none).astype(bool),
        turn=np.repeat(np.arange(len(lengths), dtype=np.int32), lengths),
        starts=np.concatenate([[0], np.cumsum(columns.sizes, dtype=np.int64)]).astype(np.int64),
        member=np.array(columns.member, np.int16),
        strength=np.array(columns.strength, np.float32),
        example_ids=tuple(one.example_id for one in columns.examples),
        conversation_ids=tuple(one.conversation_id for one in columns.examples),
        phases=tuple(dict(found.phases[one.example_id]) for one in columns.examples),
    )


def _batches(items: Iterable[Example], size: int) -> Iterator[list[Example]]:
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch
