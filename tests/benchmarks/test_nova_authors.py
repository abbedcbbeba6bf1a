"""The corpus of authors: what is taken from a book's page, and that nothing beside the text says whose it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.nova_authors import AUTHORS, MEMBERS, sources
from tests.tasks.parsers.declared.conftest import read_declared

PAGE = """<?xml version="1.0" encoding="utf-8"?>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title>T</title></head>
<body><section><h2>A Heading</h2>{paragraphs}</section></body></html>"""
BOOKS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "public"
LONG = (
    "and so to the office, where busy till noon, and then home to dinner with my wife, and after dinner out again. "
    * 3
)


def taken(tmp_path: Path, author: str, *paragraphs: str) -> Any:
    """What the declaration of an author takes from one page."""
    declared = sources(tmp_path)["sources"][author.lower()]
    pattern = declared.pop("path")
    folder = Path(pattern).parent
    folder.mkdir(parents=True)
    name = Path(pattern).name.replace("*", "1").replace("[ab]", "a")
    (folder / name).write_text(PAGE.format(paragraphs="".join(f"<p>{p}</p>" for p in paragraphs)), "utf-8")
    declared.pop("sample", None)
    return read_declared([folder / name], **declared)


def test_a_diarys_dates_and_notes_are_taken_off(tmp_path: Path) -> None:
    found = taken(
        tmp_path,
        "Pepys",
        f"<time>October 1st</time>. Early to my Lord,<a epub:type='noteref'>1034</a> {LONG}",
        f"<time>2nd</time> (Lord’s day). To church in the\n\t\tforest5 {LONG}",
        f"12th. (Friday). Up {LONG}",
        f"At 9 o’clock, £100 and 16 pieces {LONG}",
        "Too short.",
    )
    texts = [row["content"] for row in found.messages]
    assert [text[:24] for text in texts] == [
        "Early to my Lord, and so",
        "To church in the forest ",
        "Up and so to the office,",
        "At 9 o’clock, £100 and 1",
    ]
    assert {row["author"] for row in found.messages} == {"Pepys"}
    assert {row["role"] for row in found.messages} == {"assistant"}
    assert found.imports[0]["conversations_left_out"] == [{"reason": "below_min_chars", "count": 1}]


def test_lines_of_verse_stay_lines(tmp_path: Path) -> None:
    lines = [f"I celebrate myself, and sing myself, line {number} of the song" for number in range(6)]
    stanza = "<br/>".join(f"<span>{line}</span>" for line in lines)
    found = taken(tmp_path, "Whitman", stanza, f"Prose of the\n\tpreface. {LONG}")
    assert found.messages[0]["content"] == "\n".join(lines)
    assert found.messages[1]["content"].startswith("Prose of the preface. and so")


@pytest.mark.skipif(not BOOKS.is_dir(), reason="the books of ../shared are not here")
def test_the_books_give_five_balanced_authors() -> None:
    sizes = {}
    for name, files, *_ in AUTHORS:
        declared = sources(BOOKS)["sources"][name.lower()]
        declared.pop("path")
        paths = sorted(BOOKS.glob(files))
        found = read_declared(paths, **declared)
        sizes[name] = sum(len(row["content"].encode()) for row in found.messages)
        assert {row["author"] for row in found.messages} == {name}
        assert not any("\t" in row["content"] for row in found.messages)
    assert set(sizes) == set(MEMBERS[1:])
    assert all(80_000 < size < 200_000 for size in sizes.values()), sizes
