"""`vatra explain`: the story of a message or a conversation is that of the tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.flows.conftest import Answer
from tests.flows.looked import LONG_WORD, Looked


def explained(looked: Looked, look: Callable[..., Answer], *arguments: str) -> Any:
    answer = look("explain", *arguments, "--home", looked.home, "--json")
    assert answer.code == 0, answer.errors
    return answer


def row_of(looked: Looked, build: str, text: str) -> dict[str, Any]:
    """The message whose text begins so, with its verdict and placement, read from the tables themselves."""
    parsed, judged = looked.dataset(build, "parse"), looked.dataset(build, "filter")
    placed = looked.dataset(build, "assemble")
    for parts in zip(
        parsed.scan("messages"), judged.scan("verdicts"), placed.scan("placements"), strict=True
    ):
        for message, verdict, placement in zip(*(part.to_pylist() for part in parts), strict=True):
            if message["content"].startswith(text):
                return {**message, "verdict": verdict, "placement": placement}
    raise AssertionError(text)


def test_the_story_of_a_message_is_that_of_the_tables(looked: Looked, look: Callable[..., Answer]) -> None:
    row = row_of(looked, looked.second, "That resonates, carry")
    story = explained(looked, look, row["message_id"][:10], "--build", looked.second).object
    (line,) = story["lines"]
    assert (story["kind"], story["id"], line["text"]) == ("message", row["message_id"], row["content"])
    assert line["position"] == row["position"] == 1
    assert line["verdict"]["action"] == row["verdict"]["action"] == "mask"
    assert line["verdict"]["reason"] == "slop"
    (proof,) = line["verdict"]["evidence"]
    assert proof["text"] == row["content"][proof["start"] : proof["end"]] == "That resonates"
    assert line["placement"] == row["placement"]["placement"] == "masked"
    assert line["signals"]["toxicity"] == dict.fromkeys(line["signals"]["toxicity"])
    assert line["signals"]["not_scored"] == "the scorer of this build is none"
    told = story["conversation"]
    assert told["native_id"] == "slop-conversation"
    assert told["file"]["label"] == "old.json"
    assert told["standing"] == {"current": True, "superseded_by": None, "superseded_by_label": None}
    mixture = (
        looked.dataset(looked.second, "mix").column("mixture", ["example_id", "split", "order"]).to_pylist()
    )
    (place,) = [m for m in mixture if m["example_id"] == row["placement"]["example_id"]]
    assert (told["corpus"]["split"], told["corpus"]["order"]) == (place["split"], place["order"])
    assert told["corpus"]["split_size"] == looked.dataset(looked.second, "mix").rows("train")
    assert [p["order"] for p in told["corpus"]["places"]] == [place["order"]]


def test_the_category_and_how_it_was_come_by(looked: Looked, look: Callable[..., Answer]) -> None:
    row = row_of(looked, looked.second, "That resonates, carry")
    labels = looked.dataset(looked.second, "label").column(
        "labels", ["example_id", "method", "category", "confidence"]
    )
    (label,) = [r for r in labels.to_pylist() if r["example_id"] == row["placement"]["example_id"]]
    answer = explained(looked, look, row["message_id"], "--build", looked.second)
    corpus = answer.object["conversation"]["corpus"]
    assert (corpus["category"], corpus["label_method"]) == (label["category"], label["method"])
    assert corpus["confidence"] == round(label["confidence"], 4)
    told = look("explain", row["message_id"], "--build", looked.second, "--home", looked.home).out
    (line,) = [line for line in told.splitlines() if line.strip().startswith("category")]
    assert (label["category"] or "unassigned") in line
    assert f"confidence {label['confidence']:.2f}" in line


def test_a_dropped_message_says_why(looked: Looked, look: Callable[..., Answer]) -> None:
    row = row_of(looked, looked.mixed, "Quite so")
    answer = explained(looked, look, row["message_id"])
    (line,) = answer.object["lines"]
    assert (line["placement"], line["placement_reason"]) == ("dropped", "too_short")
    assert "quality:too_short at 0-16: Quite so, it is." in answer.errors
    assert "not scored" in answer.errors


def test_a_conversation_is_told_by_the_providers_id(looked: Looked, look: Callable[..., Answer]) -> None:
    story = explained(looked, look, "short-conv", "--build", looked.mixed).object
    assert story["kind"] == "conversation"
    assert [line["position"] for line in story["lines"]] == [0, 1, 2, 3]
    assert [line["placement"] for line in story["lines"]] == ["context", "dropped", "context", "trained"]
    example = story["conversation"]["corpus"]["example_id"]
    again = explained(looked, look, example, "--build", looked.mixed).object
    assert again["id"] == story["id"], "an example leads to its conversation"


def test_twins_and_the_one_that_is_left_out(looked: Looked, look: Callable[..., Answer]) -> None:
    found = [
        explained(looked, look, name).object["conversation"]["corpus"]
        for name in ("twin-conversation-one", "twin-conversation-two")
    ]
    assert found[0]["twins"] == [found[1]["example_id"]]
    (copy,) = found[0]["copies"]
    assert None not in (copy["source"], copy["opening"])
    assert found[0]["keeper_id"] == found[1]["keeper_id"]
    left = [c for c in found if c["example_id"] != c["keeper_id"]]
    assert [c["left_out"] for c in left] == ["exact_duplicate"]
    assert [c["split"] for c in found if c["left_out"] is None] == ["train"]


def test_of_two_copies_the_current_one_is_told(looked: Looked, look: Callable[..., Answer]) -> None:
    story = explained(looked, look, "greeting", "--build", looked.second).object
    assert story["conversation"]["file"]["label"] == "new.json"
    assert [copy["label"] for copy in story["copies"]] == ["old.json"]
    assert len(story["lines"]) == 4
    row = row_of(looked, looked.second, "More?")
    assert explained(looked, look, row["message_id"], "--build", looked.second).object["copies"] == []


def test_an_ambiguous_beginning_lists_candidates(looked: Looked, look: Callable[..., Answer]) -> None:
    answer = look("explain", "twin-conv", "--home", looked.home)
    assert answer.code == 2
    assert "2 ids begin with 'twin-conv'" in answer.errors
    assert "conversation twin-conversation-one, conversation twin-conversation-two" in answer.errors


def test_a_message_of_another_build_is_found_there(looked: Looked, look: Callable[..., Answer]) -> None:
    row = row_of(looked, looked.second, "More?")
    answer = look("explain", row["message_id"], "--build", looked.first, "--home", looked.home)
    assert answer.code == 2
    assert looked.first in answer.errors
    assert "add --build " in answer.errors
    other = answer.errors.split("add --build ")[1].split(".")[0].strip()
    assert explained(looked, look, row["message_id"], "--build", other).object["id"] == row["message_id"]


def test_hostile_texts_are_shown_and_obeyed_by_nobody(looked: Looked, look: Callable[..., Answer]) -> None:
    row = row_of(looked, looked.second, "<script>")
    for more in ([], ["--full"]):
        answer = explained(looked, look, row["message_id"], "--build", looked.second, *more)
        for text in (answer.errors, answer.out, answer.object["lines"][0]["text"]):
            for hidden in ("\x1b", "\x07", "\u202e", "\r"):
                assert hidden not in text
        assert "‹U+001B›[2J" in answer.errors
        assert "[y](javascript:alert(1))" in answer.errors
    story = answer.object["conversation"]
    assert "\n" not in story["title"]
    long = row_of(looked, looked.second, LONG_WORD)
    short = explained(looked, look, long["message_id"], "--build", looked.second).object["lines"][0]
    assert short["text_cut"]
    assert len(short["text"]) < 400
    whole = explained(looked, look, long["message_id"], "--build", looked.second, "--full").object["lines"][0]
    assert (whole["text"], whole["text_cut"]) == (LONG_WORD, False)
