"""A Markdown corpus: the documented forms, what is no turn, who is who, what is counted, and what is no corpus."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.errors import InputError
from schemas.tables import PLAIN_TEXT
from tasks.parsers import discover
from tasks.parsers.markdown.values import NotAnIntensity, intensity_of, time_of

ROOT = Path(__file__).resolve().parents[3]


def told(result):
    """Author, intensity and text of each message."""
    return [(row["author"], row["intensity"], row["content"]) for row in result.messages]


def warned(result, words):
    """How often the account warns of something."""
    return sum(int(each.rsplit(": ", 1)[1]) for each in result.imports[0]["warnings"] if words in each)


@pytest.mark.parametrize(
    "turn",
    [
        "**Sora** (0.9): Da.\n\n- una\n- alta", "**Sora (0.9):** Da.\n\n- una\n- alta",
        "**Sora [intensity: 0.9]:**\nDa.\n\n- una\n- alta", "Sora (intensitate: 90%): Da.\n\n- una\n- alta",
        "### Sora (0.9)\n\nDa.\n\n- una\n- alta", "### Sora\n\n**Intensitate:** 0,9\n\nDa.\n\n- una\n- alta",
        "**Sora**\n<!-- intensity: 0.9 -->\nDa.\n\n- una\n- alta", "__Sora__ (9/10): Da.\n\n- una\n- alta",
        "**Sora:** (intensity: 0.9) Da.\n\n- una\n- alta", "**Sora:** Da.\n\n- una\n- alta\n\n[intensitate: 0.9]",
        "**Sora:** (0.9) Da.\n\n- una\n- alta", "> **Sora** (0.9): Da.\n>\n> - una\n> - alta",
        "- **Sora** (0.9) — Da.\n\n  - una\n  - alta", "**🌸 Sora** (foarte mare): Da.\n\n- una\n- alta",
        "[21:20] Sora (0.9): Da.\n\n- una\n- alta", "***Sora*** {0.9}: Da.\n\n- una\n- alta",
    ],
)  # fmt: skip
def test_every_form_of_a_turn(parse, turn):
    result = parse(f"## Conversația 1 — 2025-12-20\n\n**Om:** Vii?\n\n{turn}\n\n---\n\n**Om:** Bine.\n")
    assert told(result) == [
        ("Om", None, "Vii?"),
        ("Sora", "0.9", "Da.\n\n- una\n- alta"),
        ("Om", None, "Bine."),
    ]
    assert [row["role"] for row in result.messages] == ["user", "assistant", "user"]
    assert not result.set_aside


@pytest.mark.parametrize(
    "head",
    [
        "**Data:** 20 Decembrie 2025\n**Intensitate:** 85%\n**Participanți:** Ana, Sora",
        "Date: 2025-12-20\nIntensity: 0.85\nSpeakers: Ana & Sora",
        "- *DATA*: sâmbătă, 20 decembrie 2025\n- *intensitatea*: 0,85\n- *PARTICIPANTI*: Ana și Sora",
        "> Date: Dec 20, 2025 | Intensity: 85% | Speakers: Ana and Sora",
        "---\ndate: 2025-12-20\nintensity: 0.85\nspeakers: [Ana, Sora]\n---",
        "```yaml\ndate: 20.12.2025\nintensity:\n  Ana: 0.85\n  Sora: 0.85\nspeakers:\n  - Ana\n  - Sora\n```",
        "<!-- date: 2025-12-20; intensity: 0.85; speakers: Ana, Sora -->",
        "<!--\nwhen: 2025-12-20\nlevel: 0.85\nmembers: Ana, Sora\n-->",
        "| Data | 20 dec. 2025 |\n|---|---|\n| **Intensitate** | 85/100 |\n| Vorbitori | Ana (om), Sora [AI] |",
        "*20 decembrie 2025*\n\nParticipants: Ana, Sora\n\nIntensitate: Ana 0.85, Sora 85%",
        "Când: 2025-12-20\nVoci: Ana (0.85), Sora (0.85)",
        "(Date: 2025-12-20)\nHuman: Ana\nAI: Sora\nAna: 0.85\nSora: 0.85",
    ],
)  # fmt: skip
@pytest.mark.parametrize("plain", [False, True])
def test_every_form_of_metadata(parse, head, plain):
    if plain:
        head = "".join(c for c in unicodedata.normalize("NFD", head) if not unicodedata.combining(c))
    result = parse(f"# Corpus\n\n## Conversation 1\n\n{head}\n\nAna: Salut\nSora: Bună\n")
    assert told(result) == [("Ana", "0.85", "Salut"), ("Sora", "0.85", "Bună")]
    [conversation] = result.conversations
    assert (
        conversation["created_at"] == result.messages[1]["created_at"] == datetime(2025, 12, 20, tzinfo=UTC)
    )
    assert conversation["title"] == "Conversation 1"
    assert not result.set_aside
    assert [row["role"] for row in result.messages] == ["user", "assistant"]


def test_what_stands_in_an_answer_is_its_text(parse):
    answer = (
        "Trei lucruri:\n\nNotă: unu\nNotă: doi\nPasul 1: așa\n\n## Plan\n\n> citat\n\n---\n\ntext\n\n"
        "- **Lumin:** blând\n- **Nova:** clară\n\n```md\n## Conversația 2\n---\nLumin: nu\n**Ana:** nu\n```\n\n"
        "    Sora: cod\n\nhttp://a.ro: b\n\nOra 12: 30"
    )
    result = parse(
        f"Speakers: Ana, Sora, Lumin\n\n## Conversația 1\n\n**Ana:** Ce?\n\n**Sora:** {answer}\n\n**Ana:** Da"
    )
    assert told(result) == [("Ana", None, "Ce?"), ("Sora", None, answer), ("Ana", None, "Da")]


def test_undeclared_names_open_turns_when_they_come_back_or_come_first(parse):
    result = parse(
        "Date: 2025-12-20\n\nIoana: unu\nSora: doi\nRezultat: nu e nume\nIoana: trei\nSora: patru\nReguli: text\n"
        "---\nDate: 2025-12-21\n\n**Vlad:** o dată\n\n**Sora:** atât\n\n**Atenție:** text\n"
    )
    assert told(result) == [
        ("Ioana", None, "unu"), ("Sora", None, "doi\nRezultat: nu e nume"), ("Ioana", None, "trei"),
        ("Sora", None, "patru\nReguli: text"), ("Vlad", None, "o dată"), ("Sora", None, "atât\n\n**Atenție:** text"),
    ]  # fmt: skip
    assert [row["messages"] for row in result.conversations] == [4, 2]
    assert warned(result, "role was guessed") == 2


def test_the_narrower_intensity_holds(parse):
    result = parse(
        "Intensity: 0.1\nLumin: 0.2\n\nSpeakers: Om, Sora, Lumin, Nova\n\n## Conversation 1\nOm: a\nLumin: b\n"
        "## Conversation 2\nIntensity: 0.3\nSora: 0.4\n\nOm: c\nSora: d\nSora (0.5): e\nLumin: f\n"
    )
    assert [(author, intensity) for author, intensity, _ in told(result)] == [
        ("Om", "0.1"), ("Lumin", "0.2"), ("Om", "0.3"), ("Sora", "0.4"), ("Sora", "0.5"), ("Lumin", "0.3"),
    ]  # fmt: skip


@pytest.mark.parametrize("bad", ["1.2", "-0.1", "150%", "11/10", "5", "fierbinte", "1/0", "", "nan"])
def test_what_is_no_intensity_is_counted_and_left_empty(parse, bad):
    with pytest.raises(NotAnIntensity):
        intensity_of(bad)
    result = parse(
        f"## Conversation 1\nIntensity: 0.5\n\n**Om:** a\n\n**Sora** (intensity: {bad or '?'}): b\n\n**Nova:** c\n"
    )
    assert told(result) == [("Om", "0.5", "a"), ("Sora", None, "b"), ("Nova", "0.5", "c")]
    assert warned(result, "intensities that are no number") == 1


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-12-20T21:14:05+02:00", "2025-12-20T19:14:05"), ("28 Decembrie 2025", "2025-12-28T00:00:00"),
        ("Dec. 20th, 2025, 9:14 PM", "2025-12-20T21:14:00"), ("03/04/2025", "2025-04-03T00:00:00"),
        ("12/25/2025", "2025-12-25T00:00:00"), ("duminică 1 mai 2024 ora 07:05", "2024-05-01T07:05:00"),
        ("1 iun. 2024", "2024-06-01T00:00:00"), ("31 iunie 2025", None), ("20 decembrie", None), ("azi", None),
    ],
)  # fmt: skip
def test_dates_in_two_languages(text, moment):
    known = time_of(text)
    assert (known and datetime.fromtimestamp(known / 1e6, UTC).isoformat()[:19]) == moment


def test_a_time_beside_a_name_is_on_the_conversations_day(parse):
    result = parse(
        "## Conversation 1 (20 Dec 2025)\n\n[21:14] Om: a\n[21:20] Sora: b\nSora (23:59, 0.5): c\n"
    )
    assert [row["created_at"].isoformat()[:16] for row in result.messages] == [
        "2025-12-20T21:14", "2025-12-20T21:20", "2025-12-20T23:59",
    ]  # fmt: skip
    assert told(result)[2] == ("Sora", "0.5", "c")


@pytest.mark.parametrize(
    ("head", "names", "roles", "guessed"),
    [
        ("", ["Ion", "Sora", "LUMIN"], ["user", "assistant", "assistant"], 1),
        ("Human: Nova\n", ["Nova", "Sora", "Nova"], ["user", "assistant", "user"], 0),
        ("Speakers: Mara, Sora, Eli\nHuman: Mara\n", ["Mara", "Sora", "Eli"], ["user", "assistant", "assistant"], 1),
        ("AI: Ion, Dan\n", ["Ana", "Ion", "Dan"], ["user", "assistant", "assistant"], 1),
        ("Speakers: Ana (AI), Ion (om)\n", ["Ion", "Ana"], ["user", "assistant"], 0),
        ("Speakers: Ana, Ion, Dan\n", ["Ion", "Ana", "Dan"], ["user", "assistant", "assistant"], 3),
        ("Speakers: Ana, Om\n", ["Om", "Ana"], ["user", "assistant"], 1),
        ("", ["User", "Sophia", "System"], ["user", "assistant", "system"], 0),
        ("", ["Sora", "Sámănta"], ["assistant", "assistant"], 0),
    ],
)  # fmt: skip
def test_who_is_who(parse, head, names, roles, guessed):
    turns = "\n".join(f"**{name}:** text {number}" for number, name in enumerate(names))
    result = parse(f"# Conversation 1 — 2025-12-20\n{head}\n{turns}\n")
    assert [(row["author"], row["role"]) for row in result.messages] == list(zip(names, roles, strict=True))
    assert warned(result, "role was guessed") == guessed
    alone = "user" not in roles  # nobody asked: it is learned as a text by itself
    assert warned(result, "no person speaks") == alone
    assert [row["flags"] for row in result.conversations] == [[PLAIN_TEXT] if alone else []]


def test_everything_is_counted(parse):
    result = parse(
        "# Corpus\n\nUn cuvânt înainte.\n\n## Conversația 1\nDispoziție: bună\nIntensitate: 0.5\n\nE seară.\nNinge.\n\n"
        "**Om:** a\n\n**Sora:**\n\n**Sora:**  \n\n---\n\n**Sora (oftând):** b\n\n## Conversația 2\nData: mâine\n\n"
        "## Conversația 3\n\n**Om:** c\n\n**Nova:** d\n"
    )
    assert [text for _, _, text in told(result)] == ["a", "b", "c", "d"]
    assert result.set_aside == {"before_first_turn": 2, "unknown_metadata": 1, "empty": 2}
    assert result.tally["messages_seen"] == 9
    assert (result.tally["seen"], result.tally["kept"], result.tally["empty"]) == (3, 2, 1)
    assert warned(result, "remarks beside names") == 1


def test_what_is_said_of_months_and_before_a_heading_holds_below_it(parse):
    result = parse(
        "---\nspeakers: [Ana, Sora]\n---\n# 20 Decembrie 2025\n\n## Seara\n\nAna: a\nSora: b\n\n## Noaptea\n\nAna: c\n"
        "Sora: d\n\n# 21 Decembrie 2025\n\n## Zori\n\nAna: e\nSora: f\n\n---\ndate: 2025-12-24\nintensity: low\n---\n"
        "## Ajun\n\nAna: g\nSora: h\n\n## Crăciun\n\nAna: i\nSora: j\n"
    )
    days = [(row["title"], row["created_at"].day) for row in result.conversations]
    assert days == [("Seara", 20), ("Noaptea", 20), ("Zori", 21), ("Ajun", 24), ("Crăciun", 21)]
    assert [row["intensity"] for row in result.messages] == [None] * 6 + ["0.25"] * 2 + [None] * 2


def test_conversations_without_the_marks_of_headings(parse):
    result = parse(
        "Conversation 1 - 2025-12-20\nIntensity: high (0.8)\nAna: a\nSora: b\n\nConversation 2 - 2025-12-21\n"
        "Intensity: 🔥 0.3\nAna: c\nSora: d\nDialog 7: e\n"
    )
    assert [(row["title"], row["created_at"].day) for row in result.conversations][:2] == [
        ("Conversation 1", 20), ("Conversation 2", 21),
    ]  # fmt: skip
    assert told(result)[:3] == [("Ana", "0.8", "a"), ("Sora", "0.8", "b"), ("Ana", "0.3", "c")]
    bold = parse("**Conversația 1** (20.12.2025)\n\n**Om:** a\n\n**Sora** *(intensitate: 0.9)*: b\n\n===\n")
    assert told(bold) == [("Om", None, "a"), ("Sora", "0.9", "b")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1250", "utf-32"])
def test_encodings_and_line_ends(parse, end, encoding):
    text = "## Conversaţia 1 — 20 Dec 2025\n\nIntensitate: ridicată\n\n**Om:** Eşti?\n\n**Sora:** Sunt, şi ţin focul.\n"
    result = parse(text.replace("\n", end).encode(encoding), name="corpus.md")
    assert told(result) == [("Om", "0.75", "Eşti?"), ("Sora", "0.75", "Sunt, şi ţin focul.")]


def test_a_file_that_is_cut_off_ends_where_it_ends(parse):
    text = "## Conversation 1\n\n**Om:** a\n\n**Sora** (0.5): b\n\n```python\nx = 1\n"
    assert told(parse(text))[1] == ("Sora", "0.5", "b\n\n```python\nx = 1")
    assert told(parse(text + "\n## Conversation 2\n\n**Om:** c\n\n**Sora:** d\n"))[2:] == [
        ("Om", None, "c"), ("Sora", None, "d"),
    ]  # fmt: skip
    assert told(parse("**Om:** a\n\n**Sora** (0.5): b\n\n**Nov")) == [
        ("Om", None, "a"), ("Sora", "0.5", "b\n\n**Nov"),
    ]  # fmt: skip


def test_hostile_names_and_characters(parse):
    name = "X" * 5000
    text = (
        f"Speakers: Om, Sora, {name}\n\n**Om:** a\n\n**So\u200bra** (0.5): b \ud800\n\n**{name}:** c\n\n"
        "**<script>alert(1)</script>:** d\n\n**[Sora](http://x):** e\n\n**Sora (((0.9))):** f\0\n"
    )
    result = parse(text.encode("utf-16-le", "surrogatepass"))
    assert [(row["author"], row["role"]) for row in result.messages] == [
        ("Om", "user"),
        ("So\u200bra", "assistant"),
    ]
    assert result.messages[1]["content"].startswith("b \ufffd\n\n**XXX")
    assert warned(result, "lone surrogates") == 1
    assert warned(result, "NUL") == 1


@pytest.mark.parametrize(
    "text",
    [
        "# Notes\n\nNova: a star.\n", "# Chat\n\n## User\n\nq\n\n---\n\n## Assistant\n\na\n",
        "# aider chat started at 2026-03-10\n\n#### fix it\n\nDone.\n\n> Applied edit\n",
        "Ana: unu\nDan: doi\nAna: trei\n",
        "# Release 1.2 (2025-12-20)\n\n- **Added:** x\n- **Fixed:** y\n- **Added:** z\n",
        "---\ntitle: x\ndate: 2025-01-01\n---\n\nPost\n",
        "Speakers: Ana, Dan\n", "def f(user: str) -> None:\n    level = 0.5\n",
    ],
)  # fmt: skip
def test_other_texts_are_no_corpus(tmp_path, text):
    path = tmp_path / "corpus.md"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError, match="not a chat export: not JSON"):
        discover([path])


def test_the_projects_own_pages_are_no_corpus_but_the_example_is():
    found = discover([ROOT / "examples"])
    assert [Path(file.path).name for file in found.files if file.format == "corpus_md"] == [
        "tribal-corpus.md"
    ]
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        with pytest.raises(InputError, match="not JSON"):
            discover([page])


def test_a_chapter_that_is_called_like_one_of_the_tribe_makes_no_corpus(parse):
    with pytest.raises(InputError, match="not JSON"):
        parse("# House\n\n## Training\n\nHow it learns.\n\n## NOVA\n\nWhat it is.\n")
    turns = "".join(f"## {name}\n\ntext {n}\n\n" for n, name in enumerate(["Mara", "Nova", "Mara", "Nova"]))
    assert [row["author"] for row in parse(turns).messages] == ["Mara", "Nova", "Mara", "Nova"]


def test_the_example_gives_what_was_counted_by_hand(read):
    expected = json.loads((ROOT / "examples/EXPECTED.json").read_text("utf-8"))["tribal-corpus.md"]
    result = read(discover([ROOT / "examples/tribal-corpus.md"]).files)
    assert result.tally["seen"] == expected["conversations_seen"] == result.tally["kept"]
    assert Counter(row["role"] for row in result.messages) == expected["parsed"]
    assert Counter(row["author"] for row in result.messages) == expected["authors"]
    assert sum(row["intensity"] is None for row in result.messages) == expected["without_intensity"]
    assert result.set_aside == expected["set_aside"]
    assert all(row["created_at"] for row in result.messages)
    for row in result.messages:
        for word in (*expected["authors"], "ntensit", "2025", "**"):
            assert word not in row["content"]


def test_memory_and_time_do_not_depend_on_the_windows_edges(source, read, tmp_path):
    """Many windows: no conversation is lost or doubled where one ends."""
    turns = "**Om:** Cum e?\n\n**Sora** (0.5): " + "Bine. " * 40 + "\n\n"
    path = tmp_path / "corpus.md"
    path.write_text("".join(f"## Conversația {n}\n\n{turns}" for n in range(3000)), "utf-8")
    result = read([source(path, "corpus_md")])
    assert [row["title"] for row in result.conversations] == [f"Conversația {n}" for n in range(3000)]
    assert {row["messages"] for row in result.conversations} == {2}
