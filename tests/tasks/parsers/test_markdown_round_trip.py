"""What a writer puts into the documented form comes back exactly: speakers, texts, intensities, in every order."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.parsers import discover
from tasks.parsers.markdown.marks import fold, opener_of
from tasks.parsers.markdown.metadata import is_metadata
from tasks.parsers.markdown.values import looks_like_intensity

from .conftest import read_files

NAMES = ("Sora", "Lumin", "Nova", "Cezar", "Ștefania", "Maria D.")
#: Characters that begin a line which means something; docs/markdown-corpus.md names the same.
MEANING = "-#*_=>`~+\\<"
LINES = st.sampled_from(
    ["", "  ", "text", "Sora: eu", "**Nova:** tu", "## Conversation 7", "# Titlu 2025-12-20", "---", "***", "```",
     "```python", "~~~", "- Lumin: x", "> **Cezar:** y", "Date: 2025-12-20", "Intensity: 0.3", "| a | b |", "\\",
     "\\Sora: z", "Notă: atât", "1. unu", "    cod", "<!-- x -->", "=====", "<b>", "ș ț 🙂", "\u2028",
     "a\u00a0b", "[x]: y"]
)  # fmt: skip
LINES |= st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0\ufeff()[]{}"), max_size=12
)


def says_something(text: str) -> bool:
    """Neither nothing nor what, right behind a name, is said of the turn: a number, `Date: ...`, `Intensity: ...`."""
    return bool(text.strip(" \t")) and not looks_like_intensity(text) and not is_metadata(text.split("\n")[0])


TEXTS = st.lists(LINES, min_size=1, max_size=6).map("\n".join).map(str.strip).filter(says_something)
INTENSITIES = st.none() | st.integers(0, 100).map(lambda n: f"{n / 100:g}")
TURNS = st.tuples(st.sampled_from(NAMES), TEXTS, INTENSITIES)
CORPUS = st.lists(
    st.tuples(st.lists(TURNS, min_size=1, max_size=6), INTENSITIES, st.sampled_from(["", "0.4", "1"])),
    min_size=1,
    max_size=4,
)


def escaped(text: str) -> str:
    """A text as it is written into a corpus: a backslash before each line that would else mean something."""
    lines = []
    for line in text.split("\n"):
        inner = line.lstrip(" \t")
        opener = opener_of(inner)
        named = opener is not None and fold(opener.name) in set(map(fold, NAMES))
        bare = inner.lstrip("\\")
        hidden = opener_of(bare) if bare != inner else None
        if inner[:1] in tuple(MEANING) or named or hidden:
            line = line[: len(line) - len(inner)] + "\\" + inner
        lines.append(line)
    return "\n".join(lines)


def written(corpus: list, form: str) -> str:
    """The corpus in one of the documented forms of a turn."""
    forms = {
        "bold": "**{name}:** {text}", "beside": "**{name}**{remark}: {text}", "plain": "{name}: {text}",
        "heading": "### {name}{remark}\n\n{text}", "inside": "**{name}{remark}:**\n{text}",
    }  # fmt: skip
    blocks = ["# Corpus", f"**Speakers:** {', '.join(NAMES)}", "Human: Cezar"]
    for number, (turns, common, own) in enumerate(corpus, 1):
        head = [f"## Conversația {number} — 2025-12-{number:02}"]
        head += [f"**Intensitate:** {common}"] if common is not None else []
        head += [f"Sora: {own}.0" if own == "1" else f"Sora: {own}"] if own else []
        blocks.append("\n".join(head))
        for name, text, intensity in turns:
            remark = f" (intensity: {intensity})" if intensity is not None else ""
            shape = forms[form if intensity is None or "{remark}" in forms[form] else "beside"]
            told = escaped(text)
            if not shape.endswith("\n{text}"):  # what stands behind the name means nothing else
                told = text.split("\n")[0] + told[len(escaped(text.split("\n")[0])) :]
            blocks.append(shape.format(name=name, remark=remark, text=told))
        blocks.append("---")
    return "\n\n".join(blocks) + "\n"


@settings(
    max_examples=150, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
@given(
    CORPUS,
    st.sampled_from(["bold", "beside", "plain", "heading", "inside"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_what_was_written_comes_back(corpus: list, form: str, end: str, encoding: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "corpus.md"
        path.write_bytes(written(corpus, form).replace("\n", end).encode(encoding))
        result = read_files(discover([path]).files)
    expected = [
        (name, text, intensity if intensity is not None else (own if own and name == "Sora" else common))
        for turns, common, own in corpus
        for name, text, intensity in turns
    ]
    assert [(row["author"], row["content"], row["intensity"]) for row in result.messages] == expected
    assert [row["messages"] for row in result.conversations] == [len(turns) for turns, _, _ in corpus]
    assert {row["role"] for row in result.messages if row["author"] == "Cezar"} <= {"user"}
    assert {row["role"] for row in result.messages if row["author"] in ("Sora", "Nova")} <= {"assistant"}
    assert not result.set_aside
