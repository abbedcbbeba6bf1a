"""Long conversations in windows that a model can hold: cut at turn ends, every reply whole and trained once.

A window begins with the conversation's system message, goes on with as much of what was said before as the context
allows (read, not trained on again), and then has new turns. A turn that does not fit by itself is set aside and
counted; a reply is never cut in the middle, for a reply without its end teaches a model never to stop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.lora.rendering import IGNORED, Tokens, render, tokenize
from models.lora.template import Template

Message = Mapping[str, Any]
#: A stretch of a conversation that ends where the next speaker is the user: (first, past the last) message number.
Turn = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """One training example; `replies` are the numbers of the messages that carry loss in it."""

    tokens: Tokens
    replies: tuple[int, ...]


@dataclass
class Cut:
    """What became of a conversation. Every trainable message is in exactly one window, or in `too_long`."""

    windows: list[Window] = field(default_factory=list)
    too_long: list[int] = field(default_factory=list)
    left_out: list[int] = field(default_factory=list)
    defused: int = 0


def cut_windows(
    conversation: Sequence[Message], template: Template, tokenizer: Any, max_length: int, context: int
) -> Cut:
    """Windows of at most `max_length` tokens, of which about `context` may repeat what an earlier window trained.

    `left_out` are trainable replies that the template cannot write (an opening reply, where it wants a question first).
    """
    done = Cut()
    head, turns = _turns(conversation)
    writer = _Writer(conversation, head, template, tokenizer)
    sizes = [writer.size(turn) for turn in turns]
    spare = max_length - writer.size((0, head))
    number = 0
    while number < len(turns):
        back = _fitting(sizes[:number][::-1], min(context, spare - sizes[number]))
        taken = max(1, _fitting(sizes[number:], spare - sum(sizes[number - back : number])))
        window, taken = _largest(writer, turns, number, taken, back, max_length)
        wanted = _trainable(conversation, turns[number : number + taken])
        if window is None:
            done.too_long += wanted
        else:
            done.left_out += [reply for reply in wanted if reply not in window.replies]
            done.windows += [window] if window.replies else []
        number += taken
    done.defused = writer.defused
    return done


def _largest(
    writer: _Writer, turns: Sequence[Turn], number: int, taken: int, back: int, max_length: int
) -> tuple[Window | None, int]:
    """The largest window from this turn on that really fits, and how many turns it takes; None: not even one does."""
    while True:
        window = writer.window(turns[number - back : number], turns[number : number + taken])
        if len(window.tokens.input_ids) <= max_length:
            return window, taken
        if back:
            back -= 1
        elif taken > 1:
            taken -= 1
        else:
            return None, 1


class _Writer:
    """Writes stretches of one conversation."""

    def __init__(
        self, conversation: Sequence[Message], head: int, template: Template, tokenizer: Any
    ) -> None:
        self._conversation, self._head = conversation, head
        self._template, self._tokenizer = template, tokenizer
        self.defused = 0

    def size(self, turn: Turn) -> int:
        """Tokens of a stretch, nearly: the marks around its messages are counted with eight tokens each."""
        texts = [message["content"] or "" for message in self._conversation[slice(*turn)]]
        if not texts:
            return 0
        return sum(len(ids) + 8 for ids in self._tokenizer(texts, add_special_tokens=False)["input_ids"])

    def window(self, before: Sequence[Turn], new: Sequence[Turn]) -> Window:
        """The head, turns that are only read, and turns whose trainable replies carry loss."""
        numbers = [*range(self._head), *_numbers(before), *_numbers(new)]
        learn = set(_trainable(self._conversation, new))
        rendered = render([self._conversation[n] for n in numbers], self._template, self._tokenizer)
        spoken = [tuple(numbers[source] for source in reply.sources) for reply in rendered.replies]
        tokens = tokenize(rendered, [bool(learn & set(reply)) for reply in spoken], self._tokenizer)
        self.defused += rendered.defused
        replies = tuple(sorted(learn & {number for reply in spoken for number in reply}))
        assert bool(replies) == any(label != IGNORED for label in tokens.labels)
        return Window(tokens, replies)


def _turns(conversation: Sequence[Message]) -> tuple[int, list[Turn]]:
    """How many messages are the head, and the turns behind it; a turn ends with a reply that the user answers."""
    head = 0
    while head < len(conversation) and conversation[head]["role"] == "system":
        head += 1
    turns, start = [], head
    for number in range(head, len(conversation)):
        last = number + 1 == len(conversation)
        answered = not last and conversation[number + 1]["role"] in ("user", "system")
        if last or (conversation[number]["role"] == "assistant" and answered):
            turns.append((start, number + 1))
            start = number + 1
    return head, turns


def _fitting(sizes: Sequence[int], room: int) -> int:
    """How many of the sizes, from the first on, fit into the room."""
    count = total = 0
    for size in sizes:
        total += size
        if total > room:
            break
        count += 1
    return count


def _numbers(turns: Sequence[Turn]) -> list[int]:
    return [number for turn in turns for number in range(*turn)]


def _trainable(conversation: Sequence[Message], turns: Sequence[Turn]) -> list[int]:
    return [number for number in _numbers(turns) if conversation[number]["trainable"]]
