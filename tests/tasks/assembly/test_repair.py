"""How a conversation becomes an example: each repair alone, and what holds for any conversation."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.tables import ACTIONS, ROLES
from tasks.assembly.repair import Assembled, Turn, assemble

NAMES = {"u": "user", "a": "assistant", "s": "system", "t": "tool", "c": "tool_call"}
VERDICTS = {"": "keep", "~": "mask", "-": "drop_turn", "!": "drop_conversation"}


def turns(script: str) -> list[Turn]:
    """`u a~ u- a`: roles by letter; `~` masked, `-` dropped. Content is the number of the turn."""
    made = []
    for number, word in enumerate(script.split()):
        action = VERDICTS[word[1:]]
        reason = None if action == "keep" else "ruled"
        made.append(Turn(role=NAMES[word[0]], content=f"<{number}>", action=action, reason=reason))
    return made


def outcome(script: str) -> tuple[str, list[str], Counter[str]]:
    """The example's lines, where each turn went, and the repairs."""
    given_turns = turns(script)
    result = assemble(given_turns)
    return shown(result), [told(turn) for turn in given_turns], result.repairs


def shown(result: Assembled) -> str:
    lines = (
        f"{line.role[0]}{'+' if line.trainable else ''}{''.join(turn.content for turn in line.turns)}"
        for line in result.lines
    )
    return " ".join(lines)


def told(turn: Turn) -> str:
    return turn.placement + (f":{turn.reason}" if turn.reason else "")


def test_a_clean_conversation_needs_no_repair() -> None:
    assert outcome("s u a u a") == (
        "s<0> u<1> a+<2> u<3> a+<4>",
        ["context", "context", "trained", "context", "trained"],
        Counter(),
    )


def test_double_posts_and_answers_in_pieces_are_joined() -> None:
    lines, places, repairs = outcome("u u a a a")
    assert lines == "u<0><1> a+<2><3><4>"
    assert places == ["context", "context", "trained", "trained", "trained"]
    assert repairs == Counter(joined_user=1, joined_assistant=2)


def test_two_who_answer_one_after_the_other_keep_their_own_lines() -> None:
    said = turns("u a a a a")
    for turn, (author, intensity) in zip(
        said[1:], [("Sora", "0.9"), ("Sora", "0.9"), ("Lumin", "0.9"), ("Lumin", "0.4")], strict=True
    ):
        turn.author, turn.intensity = author, intensity
    result = assemble(said)
    assert shown(result) == "u<0> a+<1><2> a+<3> a+<4>"
    assert result.repairs == Counter(joined_assistant=1)
    assert [turn.placement for turn in said] == ["context", *["trained"] * 4]


def test_a_masked_answer_of_somebody_else_is_no_piece_of_this_one() -> None:
    said = turns("u a~ a")
    said[1].author, said[2].author = "Nova", "Sora"
    assert shown(assemble(said)) == "u<0> a<1> a+<2>"
    assert [told(turn) for turn in said] == ["context", "masked:ruled", "trained"]


def test_messages_of_tools_and_systems_are_never_joined() -> None:
    lines, _, repairs = outcome("s s u c t t a")
    assert lines == "s<0> s<1> u<2> t<3> t<4> t<5> a+<6>"
    assert repairs == Counter()


def test_a_masked_piece_is_cut_from_a_reply_that_has_a_clean_one() -> None:
    lines, places, repairs = outcome("u a~ a u a a~")
    assert lines == "u<0> a+<2> u<3> a+<4>"
    assert places[1] == places[5] == "dropped:masked_piece_of_reply"
    assert repairs["cut_masked_piece"] == 2


def test_a_reply_that_is_masked_as_a_whole_stays_as_context() -> None:
    lines, places, repairs = outcome("u a~ a~ u a")
    assert lines == "u<0> a<1><2> u<3> a+<4>"
    assert places[1:3] == ["masked:ruled", "masked:ruled"]
    assert repairs == Counter(joined_assistant=1)


def test_a_masked_question_stays_and_is_marked() -> None:
    lines, places, _ = outcome("u~ a")
    assert lines == "u<0> a+<1>"
    assert places == ["masked:ruled", "trained"]


def test_an_opening_greeting_stays_as_context() -> None:
    lines, places, repairs = outcome("s a u a")
    assert lines == "s<0> a<1> u<2> a+<3>"
    assert places[1] == "context:opening_greeting"
    assert repairs == Counter(greeting_as_context=1)


def test_an_opening_greeting_with_a_masked_piece() -> None:
    lines, places, _ = outcome("a~ a u a")
    assert lines == "a<0><1> u<2> a+<3>"
    assert places[:2] == ["masked:ruled", "context:opening_greeting"]


def test_an_unanswered_question_is_trimmed() -> None:
    lines, places, repairs = outcome("u a u u t")
    assert lines == "u<0> a+<1>"
    assert places[2:] == ["dropped:unanswered"] * 3
    assert repairs == Counter(joined_user=1, trimmed_unanswered=2)


def test_a_reply_whose_question_was_dropped_goes_with_it() -> None:
    lines, places, _ = outcome("u a u- c t a a s u a")
    assert lines == "u<0> a+<1> s<7> u<8> a+<9>"
    assert places[2] == "dropped:ruled"
    assert places[3:7] == ["dropped:question_dropped"] * 4


def test_a_reply_that_another_question_asks_too_stays() -> None:
    for script in ("u u- a", "u- u a", "u u- u- a", "u- u u- a"):
        lines, places, _ = outcome(script)
        assert places[-1] == "trained", script
        assert lines.endswith(f"a+<{len(places) - 1}>")
    assert outcome("u- u- a")[1][-1] == "dropped:question_dropped"


def test_a_dropped_reply_leaves_its_questions_to_be_joined() -> None:
    lines, places, repairs = outcome("u a- u a")
    assert lines == "u<0><2> a+<3>"
    assert places[1] == "dropped:ruled"
    assert repairs == Counter(joined_user_over_dropped_reply=1)


def test_a_last_question_whose_answer_was_dropped_says_so() -> None:
    assert outcome("u a u a-")[1] == ["context", "trained", "dropped:answer_dropped", "dropped:ruled"]
    assert outcome("u a u")[1] == ["context", "trained", "dropped:unanswered"]


def test_nothing_to_learn_is_no_example() -> None:
    for script in ("u a~", "a", "u", "s u", "a u", "u a- u", "u- a"):
        lines, places, repairs = outcome(script)
        assert (lines, repairs) == ("", Counter()), script
        assert all(place.startswith("dropped:") for place in places), script
    # What a rule masked goes for the rule's own reason, so that it stays visible in single-turn data.
    assert outcome("a u a~")[1] == [*["dropped:no_reply_to_learn"] * 2, "dropped:ruled"]
    assert outcome("u! a!")[1] == ["dropped:ruled"] * 2
    assert outcome("")[1] == []


TURNS = st.lists(
    st.builds(
        lambda role, action, content: Turn(
            role=role, content=content, action=action, reason=None if action == "keep" else "ruled"
        ),
        st.sampled_from(("user", "assistant", "user", "assistant", *ROLES)),
        st.sampled_from(("keep", "keep", "keep", *ACTIONS)),
        st.text("ab ș\n<>", max_size=4),
    ),
    max_size=12,
)


@settings(max_examples=400, derandomize=True, deadline=None)
@given(TURNS)
def test_every_turn_is_placed_once_and_nothing_is_lost_or_added(given_turns: list[Turn]) -> None:
    decided = [(turn.role, turn.action, turn.content) for turn in given_turns]
    result = assemble(given_turns)
    assert [(turn.role, turn.action, turn.content) for turn in given_turns] == decided
    inside = [turn for line in result.lines for turn in line.turns]
    homeless = [turn for turn in given_turns if turn.placement == "dropped"]
    assert sorted(map(id, inside + homeless)) == sorted(map(id, given_turns))
    assert [id(turn) for turn in inside] == [id(t) for t in given_turns if t.placement != "dropped"]
    assert all(turn.reason for turn in homeless)
    assert all(turn.placement in ("trained", "context", "masked") for turn in inside)


@settings(max_examples=400, derandomize=True, deadline=None)
@given(TURNS)
def test_the_form_of_any_example(given_turns: list[Turn]) -> None:
    result = assemble(given_turns)
    roles = [line.role for line in result.lines]
    assert not any(a == b and a in ("user", "assistant") for a, b in pairwise(roles))
    assert all(turn.role == line.role for line in result.lines for turn in line.turns)
    if not result.lines:
        assert all(turn.placement == "dropped" for turn in given_turns)
        return
    assert roles[-1] == "assistant"
    assert any(line.trainable for line in result.lines)
    for number, line in enumerate(result.lines):
        places = {turn.placement for turn in line.turns}
        assert (places == {"trained"}) == line.trainable
        assert line.trainable <= (line.role == "assistant")
        assert line.trainable <= ("user" in roles[:number])


@settings(max_examples=400, derandomize=True, deadline=None)
@given(TURNS)
def test_what_the_rules_decided_is_respected(given_turns: list[Turn]) -> None:
    assemble(given_turns)
    for turn in given_turns:
        if turn.action.startswith("drop"):
            assert (turn.placement, turn.reason) == ("dropped", "ruled")
        elif turn.action == "mask":
            assert turn.placement in ("masked", "dropped")
        elif turn.role == "assistant" and turn.placement != "trained":
            assert turn.reason in ("opening_greeting", "question_dropped", "no_reply_to_learn")
