"""How one conversation's messages become an example: repairs in place of losing the conversation.

- messages of one role in a row are joined (double posts, answers in pieces), unless somebody else says them, or the
  same in another intensity: a line has one author;
- a masked piece of a reply that has a clean piece too is left out, so that the clean piece can be learned;
- an opening greeting stays, as context;
- a question at the end that has no answer (left) is trimmed;
- a reply whose question was dropped goes with it, for it would answer something else.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

#: Roles that speak; system and tool messages are context and are never joined.
SPEAKERS = ("user", "assistant")


@dataclass(slots=True)
class Turn:
    """One message of a conversation on its way into an example. `action` is the verdict's; `row` numbers it."""

    role: str
    content: str
    action: str
    author: str | None = None
    intensity: str | None = None
    placement: str = "context"
    reason: str | None = None
    answer_dropped: bool = False
    row: int = -1

    @property
    def voice(self) -> tuple[str, str | None, str | None]:
        """What turns have in common that are joined."""
        return self.role, self.author, self.intensity


@dataclass(slots=True)
class Line:
    """A message of the example: some turns of one voice, joined."""

    role: str
    turns: list[Turn]
    trainable: bool = False


@dataclass(slots=True)
class Assembled:
    """The example's lines (empty: nothing to learn here) and the repairs it took."""

    lines: list[Line]
    repairs: Counter[str] = field(default_factory=Counter)


def assemble(turns: list[Turn], plain_text: bool = False) -> Assembled:
    """Place every turn: trained, context, masked, or dropped with a reason. Changes the turns' placements only.

    `plain_text`: the conversation is a text by itself (a story, a journal), which answers nobody and is learned.
    """
    repairs: Counter[str] = Counter()
    for turn, following in pairwise(turns):
        turn.answer_dropped = turn.role == "user" and following.role == "assistant" and _is_dropped(following)
    kept = _without_orphaned_replies(turns)
    lines = _join(kept, repairs)
    while lines and lines[-1].role != "assistant":
        repairs["trimmed_unanswered"] += 1
        line = lines.pop()
        _drop(line.turns, "answer_dropped" if line.turns[-1].answer_dropped else "unanswered")
    _place(lines, repairs, plain_text)
    if not any(line.trainable for line in lines):
        for turn in (turn for line in lines for turn in line.turns):
            # What a rule masked goes for the rule's reason; the rest goes for want of anything to learn.
            _drop([turn], turn.reason if turn.action == "mask" and turn.reason else "no_reply_to_learn")
        return Assembled([])
    return Assembled(lines, repairs)


def _without_orphaned_replies(turns: list[Turn]) -> list[Turn]:
    """Turns that stay. A user turn that was dropped takes its reply along, unless another user turn asks it too."""
    kept: list[Turn] = []
    question_gone = asking = False
    for turn in turns:
        gone = _is_dropped(turn)
        if turn.role == "user":
            question_gone = gone and (question_gone or not asking)
        asking = turn.role == "user"
        if gone:
            turn.placement = "dropped"
        elif question_gone and turn.role != "system":
            _drop([turn], "question_dropped")
        else:
            kept.append(turn)
    return kept


def _is_dropped(turn: Turn) -> bool:
    return turn.action.startswith("drop")


def _join(turns: list[Turn], repairs: Counter[str]) -> list[Line]:
    lines: list[Line] = []
    for turn in turns:
        if lines and turn.role in SPEAKERS and lines[-1].turns[-1].voice == turn.voice:
            over = "_over_dropped_reply" if lines[-1].turns[-1].answer_dropped else ""
            repairs[f"joined_{turn.role}{over}"] += 1
            lines[-1].turns.append(turn)
        else:
            lines.append(Line(turn.role, [turn]))
    return lines


def _place(lines: list[Line], repairs: Counter[str], asked: bool) -> None:
    for line in lines:
        asked = asked or line.role == "user"
        if line.role != "assistant":
            _mark(line.turns, "masked", only="mask")
            continue
        clean = [turn for turn in line.turns if turn.action != "mask"]
        if not clean:
            _mark(line.turns, "masked")
        elif not asked:
            repairs["greeting_as_context"] += 1
            _mark(clean, "context", "opening_greeting")
            _mark(line.turns, "masked", only="mask")
        else:
            cut = [turn for turn in line.turns if turn.action == "mask"]
            repairs["cut_masked_piece"] += len(cut)
            _drop(cut, "masked_piece_of_reply")
            line.turns, line.trainable = clean, True
            _mark(clean, "trained")


def _mark(turns: list[Turn], placement: str, reason: str | None = None, only: str | None = None) -> None:
    """Place turns; a masked turn keeps its verdict's reason when no other is given."""
    for turn in turns:
        if only is None or turn.action == only:
            turn.placement, turn.reason = placement, reason or turn.reason


def _drop(turns: list[Turn], reason: str) -> None:
    _mark(turns, "dropped", reason)
