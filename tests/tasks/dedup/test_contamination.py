"""What an evaluation asks is set aside: which turns count, how it is said, and that files are read by content."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import SettingsError
from schemas.ledger import draw_ledger
from schemas.parts import Part
from schemas.settings import EvaluationSet, load_build_settings
from schemas.settings.evaluations import read_evaluation
from schemas.settings.loading import seal
from tests.tasks.dedup.texts import deduplicated, edited, example, keepers, prose, spoken

PROMPT = prose("prompt", 40)


def prompts(*texts: str) -> tuple[EvaluationSet, ...]:
    return (EvaluationSet(name="eval.txt", prompts=texts),)


def asked(part: Part) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = part.tables["contaminated"].to_pylist()
    return rows


def test_a_user_turn_that_is_an_exact_or_near_copy_of_a_prompt() -> None:
    rows = [
        example("exact", " ".join(PROMPT).upper() + "!", "Yes."),
        example("later", "Hello there.", "Hello.", " ".join(edited(PROMPT, 3)), "Well."),
        example("whole", " ".join(PROMPT[:20]), " ".join(PROMPT[20:])),
        example("other", " ".join(prose("other", 40)), "Well."),
        example("reply", "Hello there.", " ".join([*PROMPT, *prose("long", 200)])),
    ]
    part = deduplicated(rows, parts=2, prompts=prompts("What is this?", " ".join(PROMPT)))
    assert {(row["example_id"], row["method"], row["evaluation"]) for row in asked(part)} == {
        ("exact", "exact", "eval.txt:2"),
        ("later", "near", "eval.txt:2"),
        ("whole", "exact", "eval.txt:2"),
        ("reply", "contained", "eval.txt:2"),
    }
    (near,) = (row for row in asked(part) if row["method"] == "near")
    assert 0.6 <= near["similarity"] < 1
    assert (part.tally["set_aside:contaminated"], part.tally["keepers"]) == (4, 1)
    assert draw_ledger("dedup", part.tally, len(rows)).unaccounted == 0


def test_a_prompt_inside_a_longer_turn() -> None:
    """Behind an introduction, as a paragraph, with a few words changed; not scattered, and not half of it."""
    short, long = PROMPT[:6], PROMPT[6:]
    around = prose("around", 300)
    scattered = [word for n in range(0, len(long) - 1, 2) for word in (*long[n : n + 2], *around[n : n + 12])]
    rows = [
        example("behind", "Please answer: " + " ".join(long), "Yes."),
        example("paragraph", " ".join(around) + "\n\n" + " ".join(edited(long, 3)) + "\n\nThanks!", "Yes."),
        example("short", "Please answer this: " + " ".join(short).upper() + "?", "Yes."),
        example("both", " ".join([*around[:9], *PROMPT, *around[9:]]), "Yes."),
        example("nearly short", "Please answer this: " + " ".join([*short[:5], "other"]), "Yes."),
        example("scattered", " ".join(scattered), "Yes."),
        example("half", " ".join([*around, *long[:17], *prose("more", 90)]), "Yes."),
        example("four words", " ".join([*around, *PROMPT[:4], "so"]), "Yes."),
    ]
    found = deduplicated(
        rows, parts=3, prompts=prompts(" ".join(long), " ".join(short), " ".join(PROMPT[:4]))
    )
    by_name = {row["example_id"]: row for row in asked(found) if row["method"] == "contained"}
    assert {name: row["evaluation"] for name, row in by_name.items()} == {
        "paragraph": "eval.txt:1", "short": "eval.txt:2", "both": "eval.txt:1",
    }  # fmt: skip
    assert {row["example_id"]: row["method"] for row in asked(found)}.keys() == {*by_name, "behind"}
    assert by_name["both"]["similarity"] == 1 > by_name["paragraph"]["similarity"] >= 0.75
    strict = deduplicated(rows, contained=1, prompts=prompts(" ".join(long)))
    assert {row["example_id"] for row in asked(strict) if row["method"] == "contained"} == {"both"}


def test_prompts_of_one_template_are_told_apart_inside_longer_turns() -> None:
    """Two hundred prompts begin with the same words, so that these are no meeting place; one prompt has no others."""
    template = prose("template", 12)
    own = [[*template, *prose(n, 14)] for n in range(200)]
    around = " ".join(prose("around", 60))
    rows = [
        example("template", f"{around} {' '.join(template)} {around}", "Yes."),
        example("seventh", f"{around} {' '.join(own[7])} {around}", "Yes."),
    ]
    found = deduplicated(rows, prompts=prompts(*(" ".join(words) for words in own)))
    assert [(row["example_id"], row["evaluation"]) for row in asked(found)] == [("seventh", "eval.txt:8")]
    alone = deduplicated(rows, prompts=prompts(*(" ".join(words) for words in own), " ".join(template)))
    assert [(row["example_id"], row["evaluation"]) for row in asked(alone)] == [
        ("seventh", "eval.txt:8"),
        ("template", "eval.txt:201"),
    ]


def test_a_contaminated_example_is_in_no_cluster_and_keeps_no_other_out() -> None:
    words = prose("reply", 150)
    rows = [
        example("asks", " ".join(PROMPT), " ".join(words), text_bytes=10_000),
        example("twin", " ".join(edited(PROMPT, 14)), " ".join(words)),
        example("third", " ".join(edited(PROMPT, 14)), " ".join(edited(words, 1))),
    ]
    assert set(keepers(deduplicated(rows)).values()) == {"asks"}
    part = deduplicated(rows, prompts=prompts(" ".join(PROMPT)))
    assert [row["example_id"] for row in asked(part)] == ["asks"]
    assert set(keepers(part)) == {"twin", "third"}
    assert part.tally["contaminated_kept"] == 0


def test_without_near_copies_only_exact_words_count() -> None:
    rows = [
        example("exact", " ".join(PROMPT).upper(), "Yes."),
        example("near", " ".join(edited(PROMPT, 1)), "Yes, indeed."),
        example("nearly held", "Say: " + " ".join(edited(PROMPT, 1)), "Yes, indeed, so."),
        example("held", "Say: " + " ".join(PROMPT), "Yes, indeed, and so."),
    ]
    part = deduplicated(rows, near=False, prompts=prompts(" ".join(PROMPT)))
    assert {row["example_id"]: row["method"] for row in asked(part)} == {
        "exact": "exact",
        "held": "contained",
    }


def test_short_prompts_are_found_exactly_only_and_wordless_ones_never() -> None:
    rows = [example("a", "Why?", "So."), example("b", "Why not?", "So."), example("c", "?!", "Hm.")]
    part = deduplicated(rows, prompts=prompts("why", "..."))
    assert [row["example_id"] for row in asked(part)] == ["a"]


def test_the_most_similar_prompt_is_named() -> None:
    close, far = edited(PROMPT, 1, "close"), edited(PROMPT, 4, "far")
    rows = [example("a", " ".join(PROMPT), "Yes.")]
    part = deduplicated(rows, prompts=prompts(" ".join(far), " ".join(close)))
    assert [row["evaluation"] for row in asked(part)] == ["eval.txt:2"]


def test_nothing_is_contaminated_without_prompts() -> None:
    part = deduplicated([spoken("a", PROMPT)])
    assert part.tables["contaminated"].num_rows == part.tally["set_aside:contaminated"] == 0


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", "One?\n\n  Two?  \n", ("One?", "Two?")),
        ("a.jsonl", '"One?"\n{"question": "Two?", "answer": "no"}\n\n', ("One?", "Two?")),
        ("a.json", '[{"prompt": "One?"}, {"text": "Two?"}]', ("One?", "Two?")),
        (
            "a.json",
            json.dumps([{"messages": [{"role": "system", "content": "Be."}, {"role": "user", "content": "One?"},
                                      {"role": "assistant", "content": "No."}, {"role": "user", "content": "Two?"}]}]),
            ("One?", "Two?"),
        ),
        ("a.jsonl", '"One\\ud800?"\n"Tw\\u0000o\\ud83d\\ude00?"\n"\\u0000"\n', ("One\ufffd?", "Two😀?")),
    ],
)  # fmt: skip
def test_prompts_are_read_from_text_lines_objects_and_conversations(
    tmp_path: Path, name: str, content: str, expected: tuple[str, ...]
) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    assert read_evaluation(tmp_path / name) == EvaluationSet(name=name, prompts=expected)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "\n \n", "there is no evaluation prompt in the file"),
        ("a.csv", "One?", "read from .txt, .jsonl and .json"),
        ("a.jsonl", '"One?"\n{"question"', r"not valid JSON .*a.jsonl, line 2"),
        ("a.json", '[{"answer": "no"}]', r"no evaluation prompt was found .*a.json, item 1"),
        ("a.json", '[{"messages": [{"role": "user", "content": null}]}]', "no evaluation prompt was found"),
        ("a.json", "[3]", "no evaluation prompt was found"),
    ],
)
def test_a_file_without_prompts_is_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(SettingsError, match=message):
        read_evaluation(tmp_path / name)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read the evaluation prompts"):
        read_evaluation(tmp_path / "none.txt")
    with pytest.raises(SettingsError, match="cannot read the evaluation prompts"):
        read_evaluation(tmp_path / "no\0ne.txt")


def test_a_build_holds_the_contents_and_not_the_path(tmp_path: Path) -> None:
    """From beside the settings file; the same words elsewhere give the same settings, other words others."""
    for folder, text in (("one", "One?"), ("two", "One?"), ("three", "Other?")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "eval.txt").write_text(text, "utf-8")
        (tmp_path / folder / "settings.yaml").write_text("dedup: {evaluations: [eval.txt]}", "utf-8")
    one, two, three = (
        seal(load_build_settings(file=tmp_path / folder / "settings.yaml"))
        for folder in ("one", "two", "three")
    )
    assert one.dedup == two.dedup != three.dedup
    assert one.dedup.evaluations == ()
    assert one.dedup.prompts == (EvaluationSet(name="eval.txt", prompts=("One?",)),)
    assert seal(one) == one


def test_the_parts_are_read_once_each_whatever_their_number() -> None:
    rows = [example(f"e{n}", " ".join(PROMPT if n % 3 == 0 else prose(n, 20)), "Yes.") for n in range(9)]
    one, many = (deduplicated(rows, parts=parts, prompts=prompts(" ".join(PROMPT))) for parts in (1, 4))
    assert one.tables["contaminated"].equals(many.tables["contaminated"])
