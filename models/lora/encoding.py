"""From a conversation to token ids and labels: loss on trainable messages only, cut at message ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.lora.chat_format import END, ROLE_MARKS
from schemas.errors import StageFailed

#: The label of a token that carries no loss.
IGNORED = -100


@dataclass(frozen=True)
class Encoded:
    """One example: `labels` is `input_ids` where there is loss, IGNORED elsewhere; of one length."""

    input_ids: list[int]
    labels: list[int]
    replies: int
    replies_left_out: int


@dataclass
class EncodingCounts:
    """What became of the examples of a split; a tally that `encode_rows` adds to."""

    examples: int = 0
    replies: int = 0
    replies_left_out: int = 0
    tokens: int = 0
    trained_tokens: int = 0
    set_aside: Counter[str] = field(default_factory=Counter)


def encode_example(messages: Sequence[Mapping[str, Any]], tokenizer: Any, max_length: int) -> Encoded:
    """Token ids and labels of as many whole messages, from the first on, as `max_length` tokens hold.

    A message is its role's mark, its content, and the end mark; loss lies on the content and the end mark of
    messages with `trainable`. Marks that stand in a content are plain text there. Raises StageFailed for a
    role that the corpus does not know.
    """
    ids: list[int] = []
    labels: list[int] = []
    replies = left_out = 0
    full = False
    for message, content in zip(messages, _content_ids(messages, tokenizer), strict=True):
        trainable = bool(message["trainable"])
        said = [*content, tokenizer.convert_tokens_to_ids(END)]
        full = full or len(ids) + 1 + len(said) > max_length
        if full:
            left_out += trainable
            continue
        ids += [_mark(message["role"], tokenizer), *said]
        labels += [IGNORED, *(said if trainable else [IGNORED] * len(said))]
        replies += trainable
    return Encoded(ids, labels, replies, left_out)


def encode_rows(
    rows: Sequence[Sequence[Mapping[str, Any]]], tokenizer: Any, max_length: int, counts: EncodingCounts
) -> dict[str, list[list[int]]]:
    """Columns `input_ids` and `labels` of some conversations; one without loss is counted, not given."""
    columns: dict[str, list[list[int]]] = {"input_ids": [], "labels": []}
    for messages in rows:
        encoded = encode_example(messages, tokenizer, max_length)
        counts.replies_left_out += encoded.replies_left_out
        if not encoded.replies:
            counts.set_aside["too_long" if encoded.replies_left_out else "nothing_to_train"] += 1
            continue
        columns["input_ids"].append(encoded.input_ids)
        columns["labels"].append(encoded.labels)
        counts.examples += 1
        counts.replies += encoded.replies
        counts.tokens += len(encoded.input_ids)
        counts.trained_tokens += sum(label != IGNORED for label in encoded.labels)
    return columns


def _content_ids(messages: Sequence[Mapping[str, Any]], tokenizer: Any) -> list[list[int]]:
    if not messages:
        return []
    texts = [message["content"] or "" for message in messages]
    ids: list[list[int]] = tokenizer(texts, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    return ids


def _mark(role: str, tokenizer: Any) -> int:
    if role not in ROLE_MARKS:
        raise StageFailed(f"the corpus holds a message with the unknown role {role!r}", fix="Build it again.")
    mark: int = tokenizer.convert_tokens_to_ids(ROLE_MARKS[role])
    return mark
