"""The artifact of a run: counts, and nothing in it that a Markdown page could act upon."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
from markdown_it import MarkdownIt

from schemas.summary import BuildSummary, CorpusCounts, StageSummary
from tasks.reports import ReportContext, collect_statistics, render_markdown
from tasks.reports.markdown import code, plain
from tests.tasks.reports.pages import HOSTILE

ATTACKS = [
    *HOSTILE,
    "![x](http://evil.example/p.png)",
    "![x][1]\n\n[1]: http://evil.example/p.png",
    "<img src=http://evil.example/p.png>",
    "http://evil.example www.evil.example a@evil.example",
    "**b** __b__ ~~s~~ `c` # h",
    "a | b || c\\|",
    "```mermaid\ngraph TD\n```",
    "\n\n# heading\n\n---\n- [ ] item",
    "<details><b>x</b></details>",
    "$x^2$ :smile: &copy; &#33;",
]


def tokens(text: str) -> list[Any]:
    """Every token, as a page with tables, raw HTML and strikethrough reads it."""
    found = []
    for token in MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text):
        found += [token, *(token.children or [])]
    return found


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
@pytest.mark.parametrize("around", ["{}", "- {}", "| {} | 1 |", "**Stopped**: {}"])
def test_text_from_elsewhere_is_shown_and_does_nothing(attack: str, around: str) -> None:
    shown = plain(attack)
    table = "| a | b |\n|---|--:|\n" if "|" in around else ""
    with_it, without = (tokens(table + around.format(text)) for text in (shown, "word"))
    structure = [token.type for token in with_it if token.type not in ("code_inline", "text")]
    assert structure == [token.type for token in without if token.type != "text"]
    words = "".join(token.content for token in with_it if token.type == "text")
    assert not re.search(r"://|www\.|@|[<>\[\]!`#*~|$&{}]|\\", words), "a page could make something of it"
    assert "\n" not in shown
    assert len(shown) <= 100
    said = "".join(token.content for token in with_it if token.type in ("text", "code_inline"))
    if attack.split()[0].isprintable():
        assert attack.split()[0][:2].replace("|", "¦") in said


@pytest.mark.parametrize(
    "text",
    [
        *("Masked (context, not learned)", "53.8%", "train-lora", "8 replies lay beyond max_length."),
        *("Bună seara", "–", "2 of 3"),
    ],
)
def test_our_own_words_stay_words(text: str) -> None:
    assert plain(text) == text


ACTING = ["1. item", "1)", "- item", "+ item", "_x_", "x _y", "= =", "WWW.x.y", "a/b", "> q"]


@pytest.mark.parametrize("text", ACTING)
def test_what_begins_something_is_code(text: str) -> None:
    assert plain(text) == f"`{text}`"


@pytest.mark.parametrize(
    "path", ["/home/a/r.html", "/a`b/``c`", "`", "/![x](http://e/p.png)", "a\nb | c", ""]
)
def test_a_path_is_code_whatever_it_holds(path: str) -> None:
    found = [token for token in tokens(f"Report: {code(path)}") if token.type != "text"]
    assert {token.type for token in found} <= {"paragraph_open", "paragraph_close", "inline", "code_inline"}
    if path:
        (shown,) = (token.content for token in found if token.type == "code_inline")
        assert shown.split() == path.replace("|", "¦").split()


def test_counts_by_stage_and_reason(tables: Any, context: ReportContext) -> None:
    context = dataclasses.replace(
        context,
        summary=context.summary.model_copy(
            update={"corpus": CorpusCounts(train=1, validation=1), "report": "/h/reports/evening.html"}
        ),
    )
    text = render_markdown(collect_statistics(tables, context), context)
    cells = [[c.content for c in tokens(line) if c.type == "text"] for line in text.splitlines()]
    assert "| parse | 6 | 4 rows | 2 empty | 0 / 0 | 0.0 |" in text.splitlines()
    flat = [" ".join("".join(line).split()) for line in cells]
    assert "| **Kept** | 7 | 53.8% |" in text.splitlines()
    assert any("Masked: Blacklist | 1 | 7.7% |" in line for line in flat)
    assert any("Dropped: Superseded copies | 2 | 15.4% |" in line for line in flat)
    assert "1 train, 1 validation, 0 test examples." in text
    assert "Report: `/h/reports/evening.html`" in text
    assert "Let us circle back" not in text, "an artifact holds no chat text"


def test_a_stopped_build_says_why(tables: Any) -> None:
    context = ReportContext(BuildSummary(error="2 rows have no parent (assemble). Look.\nmore"))
    text = render_markdown(collect_statistics(tables.without("verdicts", "placements"), context), context)
    assert "**Stopped**: 2 rows have no parent (assemble). Look." in text
    assert "more" not in text.splitlines()[2]
    assert "No stage was done." in text
    assert "The filter was not reached." in text


def test_hostile_names_act_nowhere_and_the_artifact_stays_short(build_tables: Any) -> None:
    reasons = [f"unknown_type:{number} {text}" for number in range(150) for text in ATTACKS]
    messages = [("c1", "user", "t", "en", None, "drop_turn", text, "dropped", text) for text in reasons]
    stages = [
        StageSummary(stage=text, fingerprint="f", unit=text, set_aside={f"{text}{n}": 1 for n in range(30)})
        for text in ATTACKS
    ]
    context = ReportContext(BuildSummary(error=ATTACKS[11], stages=stages, report=ATTACKS[11]), notes=ATTACKS)
    text = render_markdown(collect_statistics(build_tables([["c1"]], messages), context), context)
    assert len(text.splitlines()) < 1_000
    assert len(text) < 500_000
    allowed = {"inline", "text", "text_special", "code_inline", "softbreak", "strong", "heading", "paragraph",
               "table", "thead", "tbody", "tr", "th", "td", "bullet_list", "list_item"}  # fmt: skip
    seen = {token.type.removesuffix("_open").removesuffix("_close") for token in tokens(text)}
    assert seen <= allowed
    rows = [token for token in tokens(text) if token.type == "tr_open"]
    assert len(rows) == 2 + len(stages) + 200 + 1, "no name makes a row or breaks one"
    assert f"{len(reasons):,}" in text
