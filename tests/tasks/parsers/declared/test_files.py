"""Files of every kind, packed, encoded and damaged in every way; large ones in pieces."""

from __future__ import annotations

import gzip
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import InputError, UsageError
from schemas.settings import ParseSettings
from schemas.settings.sources import Source
from schemas.settings.sources_file import load_sources
from tasks.exports import export_units, parse_unit
from tasks.parsers.declared import find_declared
from tasks.parsers.declared.spans import spans_of
from tests.tasks.parsers.declared.conftest import NAME, QA

RECORD = {"q": "question", "a": "answer ăîș"}
ALIKE = [("user", "question"), ("assistant", "answer ăîș")]
LATIN = [("user", "question"), ("assistant", "answer é")]
Run = Callable[..., SimpleNamespace]


def parquet(*records: dict[str, Any], group: int | None = None) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(records)), buffer, row_group_size=group)
    return buffer.getvalue()


def gzipped(text: str) -> bytes:
    """The same bytes at any time of day: they are part of a test's name, which two processes must agree on."""
    return gzip.compress(text.encode(), mtime=0)


def zipped(**members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "."), text)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "read", "texts"),
    [
        ("x.json", json.dumps([RECORD]), {}, ALIKE),
        ("x.json", json.dumps([RECORD], indent=2), {}, ALIKE),
        ("x", json.dumps(RECORD) + "\n" + json.dumps(RECORD), {}, ALIKE * 2),
        ("x.json", json.dumps({"canary": "no", "data": {"rows": [RECORD]}}), {"records": "data.rows"}, ALIKE),
        ("x.json", json.dumps({"k1": RECORD, "k2": RECORD}), {"records": "*"}, ALIKE * 2),
        ("x.json", json.dumps({"conversations": [{"messages": []}], **RECORD}), {}, ALIKE),
        ("x.jsonl.gz", gzipped(json.dumps(RECORD)) + gzipped("\n" + json.dumps(RECORD)),
         {}, ALIKE * 2),
        ("x.csv", "\ufeffq,a\r\nquestion,answer ăîș\r\n", {}, ALIKE),
        ("x.csv", 'q,a\n"question","answer ""é""\nand, more"\n', {},
         [("user", "question"), ("assistant", 'answer "é"\nand, more')]),
        ("x.csv", "q;a\nquestion;answer é\n".encode("cp1252"), {"delimiter": ";"}, LATIN),
        ("x.csv", "q,a\nquestion,answer é\n".encode("latin-1"), {"encoding": "latin-1"}, LATIN),
        ("x.csv", "q,a\nquestion,answer é\n".encode("utf-16"), {}, LATIN),
        ("x.tsv", 'question\tanswer "é\n', {"header": False, "columns": ["q", "a"]},
         [("user", "question"), ("assistant", 'answer "é')]),
        ("x.data", "question|answer é\n", {"kind": "csv", "delimiter": "|", "header": False, "columns": ["q", "a"]},
         LATIN),
        ("x.parquet", parquet(RECORD, RECORD, group=1), {}, ALIKE * 2),
        ("x.xml", "<d><p><q>question</q><a>answer é</a></p></d>", {"element": "p"}, LATIN),
        ("x.zip", zipped(a__json=json.dumps([RECORD]), LICENSE="MIT"), {}, ALIKE),
    ],
)  # fmt: skip
def test_kinds(run: Run, name: str, content: Any, read: Any, texts: Any) -> None:
    found = run(content, name=name, read=read, mapping=QA)
    assert found.texts == texts
    assert found.tally["failed"] == 0


@pytest.mark.parametrize(
    ("read", "texts"),
    [
        ({}, ["One.\nTwo.\n\nCHAPTER II\n\nThree."]),
        ({"split": "lines"}, ["One.", "Two.", "CHAPTER II", "Three."]),
        ({"split": "paragraphs"}, ["One.\nTwo.", "CHAPTER II", "Three."]),
        ({"split": "chapters"}, ["One.\nTwo.", "CHAPTER II\n\nThree."]),
        ({"begins": "^T"}, ["One.", "Two.\n\nCHAPTER II", "Three."]),
        ({"separator": "Two."}, ["One.", "CHAPTER II\n\nThree."]),
    ],
)  # fmt: skip
def test_plain_text(run: Run, read: Any, texts: list[str]) -> None:
    found = run("One.\nTwo.\n\nCHAPTER II\n\nThree.\n", name="x.txt", read=read, narrative={"form": "text"})
    assert [text for _, text in found.texts] == texts


def test_broken_pieces_are_counted_and_the_rest_is_read(run: Run) -> None:
    good = json.dumps(RECORD)
    assert run(f'{good}\n{{"q": \n{good}\n7\n{good}', mapping=QA).tally["failed"] == 2
    rows = "q,a\nquestion,answer ăîș\nshort\nquestion,answer ăîș,more\nquestion,answer ăîș\n"
    found = run(rows, name="x.csv", mapping=QA)
    assert (found.texts, found.tally["failed"]) == (ALIKE * 2, 2)
    assert [each["reason"] for each in found.imports[0]["failures"]] == [
        "1 columns instead of 2",
        "3 columns instead of 2",
    ]
    assert found.imports[0]["failures"][0]["at"] == "line 3"
    cut = run(json.dumps([RECORD, RECORD])[:-20], name="x.json", mapping=QA)
    assert (cut.tally["kept"], cut.tally["failed"]) == (1, 1)


NEVER, EARLY = "a quote is opened and never closed", "a quote is closed in the middle of a text"


@pytest.mark.parametrize(
    ("rows", "kept", "failures"),
    [
        ('q1,a1\nq2,"a2\nq3,a3\nq4,a4\n', ["a1", "a3", "a4"], [("line 3", NEVER)]),
        ('q1,a1\nq2,"a2', ["a1"], [("line 3", NEVER)]),
        ('q1,a1\nq2,"', ["a1"], [("line 3", NEVER)]),
        # Two stray quotes would make one answer of all between them.
        ('q1,"a1\nq2,a2\nq3,"a3\nq4,a4\n', ["a2", "a4"], [("line 2", EARLY), ("line 4", NEVER)]),
        ('q1,"a1\n\nq2,a2\n"\nq3,a3\n', ["a1\n\nq2,a2\n", "a3"], []),
        ('q1,"a" one\nq2,a2\n', ["a one", "a2"], []),
        ('q1,"a" one,"\nq2,a2\n', ["a2"], [("line 2", NEVER)]),
    ],
)
def test_a_stray_quote_costs_its_own_line(run: Run, rows: str, kept: list[str], failures: Any) -> None:
    found = run("q,a\n" + rows, name="x.csv", mapping=QA)
    assert [text for role, text in found.texts if role == "assistant"] == kept
    assert [(each["at"], each["reason"]) for each in found.imports[0]["failures"]] == failures
    assert found.tally["seen"] == len(kept) + len(failures)


def test_a_file_of_stray_quotes_is_read_in_bounded_time(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setattr("tasks.parsers.declared.delimited._READ_AGAIN", 100)
    found = run("q,a\nq0,a0\n" + 'q1,"a1\n' + "q,a\n" * 99, name="x.csv", mapping=QA)
    assert found.imports[0]["failures"] == [
        {"at": "line 3", "reason": f"{NEVER}, and the 99 lines behind it are not read"}
    ]


@pytest.mark.parametrize("chunk", [1, 2, 3, 1 << 18])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_they_do_anywhere(
    monkeypatch: pytest.MonkeyPatch, run: Run, end: str, chunk: int
) -> None:
    monkeypatch.setattr("tasks.parsers.declared.bytes.CHUNK", chunk)
    rows = f'q,a{end}question,answer ăîș{end}question,"answer ăîș"{end}'
    assert run(rows, name="x.csv", mapping=QA).texts == ALIKE * 2
    text = run(f"one{end}{end}two{end}more", name="x.txt", read={"split": "paragraphs"}, narrative={})
    assert [said for _, said in text.texts] == ["one", "two\nmore"]


def test_a_header_that_cannot_be_read_is_refused(run: Run) -> None:
    told = run('q,"a\nquestion,answer\n', name="x.csv", mapping=QA, expect=InputError)
    assert f"line 1, which names the columns, cannot be read: {NEVER} (x.csv)" in told


@pytest.mark.parametrize(
    ("name", "content", "declared", "said"),
    [
        ("x.jsonl", [{"question": "q", "answer": "a"}], {},
         "no record has the column 'q'; the columns are: question, answer"),
        ("x.jsonl", [{"q": "q", "answr": "a"}], {"mapping": {"turns": [{"user": "q"}, {"assistant": "answer"}]}},
         "Did you mean 'answr'?"),
        ("x.csv", "q,b\nq,b\n", {}, "no record has the column 'a'; the columns are: q, b"),
        ("x.parquet", parquet({"q": "q", "b": "b"}), {}, "no record has the column 'a'; the columns are: q, b"),
        ("x.jsonl", [{"q": {"x": "q"}, "a": "a"}], {"mapping": {"turns": [{"user": "q.y"}, {"assistant": "a"}]}},
         "no record has the column 'q.y'; q has: x"),
        ("x.jsonl", [{"m": [{"role": "user", "text": "q"}]}],
         {"mapping": {"turns": [{"each": {"path": "m", "text": "said"}}]}},
         "the elements of m have no 'said'; an element of m has: role, text"),
        ("x.jsonl", [{"ps": [{"q": "q"}]}],
         {"mapping": {"explode": "ps", "turns": [{"user": "ps.q"}, {"assistant": "ps.a"}]}},
         "no record has the column 'ps.a'; ps has: q"),
        ("x.jsonl", [{"m": [{"role": "user", "content": "q"}]}], {"mapping": {"turns": [{"each": "m"}]}},
         "none of the 1 records becomes a conversation (no_reply 1)"),
        ("x.jsonl", [{"q": "", "a": "a"}], {}, "becomes a conversation (empty:q 1)"),
        ("x.csv", "q,a\n", {}, "the source holds no record"),
        ("x.json", "[]", {}, "the source holds no record"),
        ("x.jsonl", b"", {}, "the file is empty"),
        ("x.json", '{"data": [], "rows": 1}', {"read": {"records": "data"}},
         "where no records are (x.json). The object holds: data, rows"),
        ("x.parquet", b"PAR1 no more", {}, "not a Parquet file, or a damaged one"),
        ("x.parquet", b"no", {}, "not a Parquet file"),
        ("x.jsonl.gz", gzipped('{"q": "q"}' * 99)[:-9], {}, "the gzip file is damaged"),
        ("x.bin", b"what is this", {}, "neither content nor name say what kind of data this is"),
        ("x.xml", "<d><p/></d>", {"read": {"element": "q"}}, "holds no element 'q' (x.xml). It has: p, d"),
        ("x.xml", "<d><p/></d>", {}, "read.element is missing"),
        ("x.csv", "q,a\nq,é\n".encode("latin-1"), {"read": {"encoding": "utf-8"}},
         "is not utf-8: byte 0xe9 (x.csv). Say another read.encoding"),
    ],
)  # fmt: skip
def test_refused_before_anything_is_built(
    run: Run, name: str, content: Any, declared: Any, said: str
) -> None:
    told = run(content, name=name, expect=InputError, **{"mapping": QA, **declared})
    assert said in told
    assert name in told, "the file is named"


def test_an_unreadable_shard_in_the_middle_is_refused(tmp_path: Path, run_files: Run) -> None:
    for number, content in enumerate([parquet(RECORD), parquet(RECORD)[:-6], parquet(RECORD)]):
        (tmp_path / f"part-{number}.parquet").write_bytes(content)
    with pytest.raises(InputError, match=r"damaged.*part-1\.parquet.*name the good ones"):
        run_files([tmp_path], mapping=QA)
    # A footer that is whole above a row group that is not: found when it is read, and no half of it is given out.
    whole = bytearray(parquet(*[{**RECORD, "a": f"answer {n} of many words"} for n in range(900)], group=300))
    (tmp_path / "part-1.parquet").write_bytes(
        whole[:4] + bytes(len(whole) // 3) + whole[4 + len(whole) // 3 :]
    )
    with pytest.raises(InputError, match=r"damaged.*part-1\.parquet"):
        run_files([tmp_path], mapping=QA)


def test_globs_folders_and_what_lies_beside(tmp_path: Path, run_files: Run) -> None:
    for name in ("a1.json", "a2.json", "a10.json", "b.json", "_LICENSE", "README.md", ".hidden.json"):
        (tmp_path / name).write_text(json.dumps([{"q": name, "a": "a"}]), "utf-8")
    glob = run_files([tmp_path / "a*.json"], mapping=QA)
    assert sorted(text for role, text in glob.texts if role == "user") == ["a1.json", "a10.json", "a2.json"]
    assert run_files([tmp_path], mapping=QA).tally["kept"] == 4
    with pytest.raises(UsageError, match=r"no file is named so.*c\*\.json"):
        run_files([tmp_path / "c*.json"], mapping=QA)
    with pytest.raises(UsageError, match="no such file or folder"):
        run_files([tmp_path / "c.json"], mapping=QA)


def test_what_is_no_regular_file_is_refused_and_never_waited_for(tmp_path: Path, run_files: Run) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.jsonl").write_text(json.dumps(RECORD))
    (folder / "deep").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.jsonl")
    read = {"kind": "jsonl"}
    assert run_files([folder], mapping=QA, read=read).texts == ALIKE, "a link to a folder is not followed"
    (folder / "zero.jsonl").symlink_to("/dev/zero")
    for path in (folder, tmp_path / "pipe.jsonl", Path("/dev/zero"), tmp_path / "*.jsonl"):
        with pytest.raises((InputError, UsageError), match=r"no regular file|no file is named so"):
            run_files([path], mapping=QA, read=read)
    with pytest.raises(InputError, match=r"no regular file.*\(source declared-one, .*zero.jsonl\)"):
        run_files([folder], mapping=QA)


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_file_that_became_a_pipe_is_not_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x.{kind}"
    path.write_bytes(json.dumps(RECORD).encode() if kind == "jsonl" else parquet(RECORD))
    source = Source(path=(str(path),), mapping=QA)  # type: ignore[arg-type]
    (file,) = find_declared(NAME, source, [path], lambda count: None).files
    path.unlink()
    os.mkfifo(path)
    (unit,) = export_units([file], {NAME: source})
    with pytest.raises(InputError, match="no regular file"):
        list(parse_unit(unit.payload.open(None), ParseSettings()))  # type: ignore[arg-type]


NOT_UTF8 = pa.Array.from_buffers(
    pa.string(), 2, [None, pa.py_buffer(b"\0\0\0\0\4\0\0\0\x08\0\0\0"), pa.py_buffer(b"good\xff\xfebd")]
)


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (NOT_UTF8, "a text that is not UTF-8 in the column a"),
        (pa.array([NOT_UTF8[0]]).cast(pa.string()), ""),
        (pa.array([0, 2**62], pa.timestamp("us")), "a value beyond what can be said in the column a"),
        (pa.array([0, 2**62], pa.timestamp("ms", "UTC")), "a value beyond what can be said in the column a"),
        (
            pa.array([None, 0], pa.timestamp("us", "Nowhere/City")),
            "a time in an unknown zone in the column a",
        ),
        (
            pa.array([[], [2**62]], pa.list_(pa.timestamp("us"))),
            "a value beyond what can be said in the column a",
        ),
    ],
)
def test_what_no_value_can_say_costs_its_row(run: Run, column: pa.Array, reason: str) -> None:
    more = [f"answer {n}" for n in range(len(column))]
    sink = io.BytesIO()
    pq.write_table(pa.table({"q": ["q1", "q2"][: len(column)], "a": column, "b": more}), sink)
    mapping = {"turns": [{"user": "q"}, {"assistant": {"join": ["b", {"path": "a", "default": "-"}]}}]}
    found = run(sink.getvalue(), name="x.parquet", mapping=mapping)
    failures = [{"at": "row 1", "reason": reason}] if reason else []
    assert found.imports[0]["failures"] == failures
    assert (found.tally["seen"], found.tally["kept"]) == (len(column), 1)


@pytest.mark.parametrize("glob", ["**[", "a**b", "[/"])
def test_a_pattern_that_is_none_is_refused(tmp_path: Path, run_files: Run, glob: str) -> None:
    with pytest.raises(UsageError, match=r"\(source declared-one, .*\)"):
        run_files([tmp_path / glob], mapping=QA)


def test_the_name_of_the_file_is_a_column(tmp_path: Path, run_files: Run) -> None:
    (tmp_path / "navigate.v1.json").write_text(json.dumps([RECORD]), "utf-8")
    turns = [{"user": {"template": "{@file}: {q}"}}, {"assistant": "a"}]
    assert run_files([tmp_path], mapping={"turns": turns}).texts[0] == ("user", "navigate: question")


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_large_file_is_read_in_pieces_that_give_the_same(tmp_path: Path, kind: str) -> None:
    records = [{"q": f"question {n}", "a": f"answer {n} " + "ș" * (n % 50)} for n in range(2000)]
    path = tmp_path / f"big.{kind}"
    if kind == "jsonl":
        path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records), "utf-8")
    else:
        path.write_bytes(parquet(*records, group=100))
    source = Source.model_validate({"path": str(path), "mapping": QA})
    (file,) = find_declared(NAME, source, [path], lambda count: None).files
    assert file.spans == (), "a small file is read as one"
    spans = spans_of(file, source, size=file.size // 5)
    assert len(spans) >= 3
    assert (spans[-1].stop <= file.size, [s.start for s in spans[1:]]) == (True, [s.stop for s in spans[:-1]])
    cut = file.model_copy(update={"spans": spans})

    def texts(units: Any) -> list[str]:
        return [
            text
            for unit in units
            for part in parse_unit(unit.payload.open(None), ParseSettings())
            for text in part.tables["messages"]["content"].to_pylist()
        ]

    units = export_units([cut], {NAME: source})
    assert len(units) == len(spans)
    assert len({unit.key for unit in units}) == len(spans)
    assert (
        texts(units)
        == texts(export_units([file], {NAME: source}))
        == [t for r in records for t in (r["q"], r["a"])]
    )
    whole = path.read_bytes()
    place = spans[1].start + 5
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    with pytest.raises(InputError, match="the file changed while it was read"):
        texts(units[1:2])
    assert texts(units[:1]), "the other pieces are what they were"


def test_grouped_or_limited_sources_are_not_cut(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text((json.dumps(RECORD) + "\n") * 50)
    grouped = Source.model_validate({"path": str(path), "mapping": {**QA, "group": "q"}})
    (file,) = find_declared(NAME, grouped, [path], lambda count: None).files
    assert spans_of(file, grouped, size=100) == ()


def test_the_example_sources_are_what_docs_say(run_files: Run) -> None:
    sources = load_sources(Path(__file__).parents[4] / "examples/sources.yaml")
    kept = {}
    for name, source in sources.items():
        declared = {key: getattr(source, key) for key in source.model_fields_set if key != "path"}
        kept[name] = run_files(list(map(Path, source.path)), **declared).tally["kept"]
    assert kept == {"journal": 3, "kitchen": 4, "neighbours": 3}
