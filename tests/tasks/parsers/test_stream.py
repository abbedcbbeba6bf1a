from __future__ import annotations

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.parsers import stream as streams
from tasks.parsers import window as windows
from tasks.parsers.stream import Broken, ItemReader
from tasks.parsers.window import TextWindow

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
CHUNKS = st.integers(1, 40)


class Dribble(io.BytesIO):
    """Gives at most so many bytes at a time, whatever it is asked for."""

    def __init__(self, data, most):
        super().__init__(data)
        self.most = most

    def read(self, amount=-1, /):
        return super().read(min(amount, self.most))


def items(data, encoding="utf-8", most=1 << 20, is_item=None):
    if isinstance(data, str):
        data = data.encode()
    reader = ItemReader(TextWindow(Dribble(data, most), encoding), is_item)
    return list(reader)


def good(found):
    return [item for item in found if not isinstance(item, Broken)]


def broken(found):
    return [(item.at, item.reason) for item in found if isinstance(item, Broken)]


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.lists(VALUES, max_size=6), CHUNKS, st.booleans(), st.sampled_from([None, 1]))
def test_an_array_reads_like_json_loads(values, most, ascii_only, indent):
    text = json.dumps(values, ensure_ascii=ascii_only, indent=indent)
    data = text.encode("utf-8", "surrogatepass")
    if data.decode("utf-8", "ignore") != text:
        return
    assert items(data, most=most) == json.loads(text)


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(st.text(), VALUES, max_size=3), min_size=1, max_size=5), st.data())
def test_a_cut_file_gives_every_whole_item_and_one_failure(values, data):
    pieces = [json.dumps(value).encode() for value in values]
    whole = b"[" + b", ".join(pieces) + b"]"
    cut = data.draw(st.integers(1, len(whole) - 1))
    found = items(whole[:cut], most=data.draw(CHUNKS))
    ends = [1 + sum(map(len, pieces[: n + 1])) + 2 * n for n in range(len(pieces))]
    assert good(found) == [json.loads(piece) for piece, end in zip(pieces, ends, strict=True) if end <= cut]
    assert len(broken(found)) == 1


@settings(derandomize=True, max_examples=80, deadline=None)
@given(st.lists(st.dictionaries(st.text(), VALUES, max_size=3), min_size=2, max_size=5), CHUNKS)
def test_lines_read_one_by_one(values, most):
    text = "\r\n\n".join(json.dumps(value) for value in values) + "\n"
    assert items(text, most=most) == values


@pytest.mark.parametrize("most", [1, 7, 1 << 20])
def test_a_broken_item_fails_alone(most):
    text = '[{"a": 1}, {"a": nul}, {bad}, 12x, {"a": "\\q"}, {"a": [1}, {"a": 2}]'
    found = items(text, most=most, is_item=lambda item: isinstance(item, dict) and "a" in item)
    assert [item for item in good(found) if isinstance(item, dict)] == [{"a": 1}, {"a": 2}]
    assert [at for at, _ in broken(found)][:2] == ["byte offset 11", "byte offset 23"]


@pytest.mark.parametrize(
    "second",
    ['{"k": {"x": 1}', '{"k": "no end', '{"k": {"x": "y}', '{"k": 1, "z": [[[', '{"k": "a "b" c", {{'],
)
@pytest.mark.parametrize("most", [1, 50, 1 << 20])
def test_items_behind_an_unbalanced_one_are_found_again(second, most):
    whole = [{"k": number, "kind": "item", "text": 'brackets }] and "quotes"'} for number in range(4)]
    first, *others = [json.dumps(value) for value in whole]
    text = "[" + ", ".join([first, second, *others]) + "]"
    found = items(text, most=most, is_item=lambda item: isinstance(item, dict) and "kind" in item)
    assert good(found) == whole
    assert len(broken(found)) == 1


def test_byte_offsets_count_bytes_in_any_encoding():
    text = '[{"a": "ăâ🙂"}, {"a": nul}]'
    for encoding, codec in (("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("utf-16", "utf-16")):
        found = items(text.encode(codec), encoding)
        at = len(text[: text.index(', {"a"') + 2].encode(codec))
        assert broken(found)[0][0] == f"byte offset {at}"


def test_wrapped_conversations_are_items_and_turns_are_not():
    conversations = [None, {"mapping": {}}, {"mapping": {"x": 1}}]
    wrapped = {"version": {"n": [1]}, "conversations": conversations, "more": 1}
    assert items(json.dumps(wrapped), most=9) == conversations
    turns = {"conversations": [{"from": "human", "value": "q"}]}
    assert items(json.dumps(turns)) == [turns]
    grok = {"conversations": [{"conversation": {}, "responses": []}]}
    assert items(json.dumps(grok)) == [grok]


def test_a_cut_wrapper_gives_what_is_whole():
    text = json.dumps({"conversations": [{"mapping": {}}, {"mapping": {"x": 1}}]})
    assert good(items(text[:-8])) == [{"mapping": {}}]
    assert [reason for _, reason in broken(items(text[:-1]))] == ["the file ends inside this element"]


@pytest.mark.parametrize(
    "text", ['[{"a": 1}] tail', '{"a": 1} tail', '{"conversations": [{"mapping": 1}]} tail']
)
def test_a_tail_is_a_failure(text):
    found = items(text)
    assert len(good(found)) == 1
    assert len(broken(found)) == 1


def test_several_documents_behind_one_another():
    assert items('[{"a": 1}]\n[{"a": 2}, {"a": 3}]') == [{"a": 1}, {"a": 2}, {"a": 3}]
    assert items('{"a":\n1}\n{"a":\n2}') == [{"a": 1}, {"a": 2}]
    lists = [[{"role": "user", "content": "q"}], [{"role": "user", "content": "r"}]]
    assert items("\n".join(map(json.dumps, lists))) == lists


def named(*numbers):
    return [{"id": number, "mapping": {"text": 'brackets }] and "quotes"'}} for number in numbers]


def is_named(item):
    return isinstance(item, dict) and "mapping" in item


A, B, C, D = map(json.dumps, named(0, 1, 2, 3))
PRETTY = [json.dumps(item, indent=1) for item in named(0, 1, 2, 3)]


@pytest.mark.parametrize("most", [1, 33, 1 << 20])
@pytest.mark.parametrize(
    ("text", "numbers", "failures"),
    [
        (f"[{A}]{B}", [0, 1], 0),
        (f"{A}[{B}, {C}]{D}", [0, 1, 2, 3], 0),
        (f"[{A}][][{B}]", [0, 1], 0),
        (f'{{"conversations": [{A}, {B}]}}{{"x": 1, "conversations": [{C}], "y": 2}}[{D}]', [0, 1, 2, 3], 0),
        (f'{{"conversations": [{A}]}}\n{{"conversations": [{B}]}}\n', [0, 1], 0),
        (f"[{A}]\n{B}\n{C}\n", [0, 1, 2], 0),
        (f"[{A}]\n{B}\n{{bad\n{C}\n{D}", [0, 1, 2, 3], 1),
        (f"[{A}] text [{B}] and text\nmore {C}", [0, 1, 2], 2),
        (f"[{A}]\ntext\n[{B}]\n// {D}\n{C} end", [0, 1, 2], 3),
        (f"text {A}", [0], 1),
        (f'{A}{{"id": bad, "mapping": {{}}}}{B}{C}', [0, 1, 2], 1),
        (f"{A}{B[:-4]}{C}{D}", [0, 2, 3], 1),
        (f"[{A}, {B}[{C}, {D}]", [0, 1, 2, 3], 1),
        (f'{{"conversations": [{A}], "x": bad}}{B}', [0, 1], 1),
        ("\n".join(PRETTY), [0, 1, 2, 3], 0),
        ("\n".join([PRETTY[0], PRETTY[1].replace("1,", "x,"), f"[{C}, {PRETTY[3]}]"]), [0, 2, 3], 1),
        (f"{A}\n{B}\n[\n{PRETTY[2]},\n{PRETTY[3]}\n]\n", [0, 1, 2, 3], 0),
        (f'{A}\n[{B}, {{"id": bad}}, {C}]\n{D}', [0, 1, 2, 3], 1),
        (f'{A}\n[{{"id": 1, "map\n{C}\n{D}', [0, 2, 3], 1),
        (f'{A}\n{{"conversations": [{B}, bad, {C}]}}\n{D}', [0, 1, 2, 3], 1),
    ],
)
def test_documents_behind_one_another_are_all_read(text, numbers, failures, most):
    found = items(text, most=most, is_item=is_named)
    assert good(found) == named(*numbers)
    assert len(broken(found)) == failures


def test_glued_objects_and_text_between_need_no_memory():
    text = "".join(json.dumps({"a": number}) for number in range(100_000))
    assert len(items(text)) == 100_000
    window = TextWindow(
        io.BytesIO(("[]" * 1000 + "x" * 3_000_000 + '{"a": 1}').encode()), "utf-8", chunk=10_000
    )
    assert [item for item in ItemReader(window) if not isinstance(item, Broken)] == [{"a": 1}]
    assert len(window.text) < 3_000_000


def test_line_numbers_count_blank_lines_and_those_before():
    assert broken(items('\n\n{"a": 1}\n\n{bad}\n{"a": 2}')) == [
        ("line 5", "Expecting property name enclosed in double quotes")
    ]
    found = items('\n[{"a": 0}]\n\n{"a": 1}\nnull\n{"a": 2}', most=3)
    assert broken(found) == [("line 5", "text that is not JSON")]


@pytest.mark.parametrize(
    "bad", ["null", "// note", "# x", '{"a": [{"b": "cu', '{"a": 1', "{'a': 1}", "---", '"a"', "[{", "[nul]"]
)
def test_a_first_line_that_is_bad_fails_alone(bad):
    found = items(f'{bad}\n{{"a": 1}}\n{{"a": 2}}\n')
    assert good(found) == [{"a": 1}, {"a": 2}]
    assert [at for at, _ in broken(found)] == ["line 1"]


def test_lines_fail_alone_with_their_number():
    found = items('{"a": 1}\n\n{bad}\n{"a": 2}\n{"a": "cu')
    assert good(found) == [{"a": 1}, {"a": 2}]
    assert broken(found)[0][0] == "line 3"
    assert broken(found)[1] == ("line 5", "the file ends inside this line")
    assert good(items('{bad json}\n{"a": 1}\n{"a": 2}')) == [{"a": 1}, {"a": 2}]


def test_what_json_allows_and_python_does_not():
    found = items('[{"a": ' + "9" * 5000 + '}, {"a": ' + "[" * 5000 + "]" * 5000 + '}, {"a": 1e999}]')
    assert [reason for _, reason in broken(found)] == ["a number is too long", "nested too deeply"]
    assert good(found) == [{"a": float("inf")}]


def test_control_characters_in_strings_are_taken():
    assert items('[{"a": "x\x00\ty"}]') == [{"a": "x\x00\ty"}]


def test_an_element_beyond_all_bounds_is_passed_over(monkeypatch):
    monkeypatch.setattr(windows, "LONGEST_ELEMENT", 2000)
    monkeypatch.setattr(streams, "HEAD", 100)
    found = items('[{"a": "' + "x" * 50_000 + '"}, {"a": 1}]', most=500)
    assert good(found) == [{"a": 1}]
    assert "longer than" in broken(found)[0][1]


def test_a_string_without_end_is_given_up(monkeypatch):
    monkeypatch.setattr(windows, "LONGEST_STRING", 2000)
    monkeypatch.setattr(streams, "HEAD", 100)
    found = items(
        '[{"a": "' + "x" * 50_000 + '}, {"a": 1}]', most=500, is_item=lambda item: isinstance(item, dict)
    )
    assert good(found) == [{"a": 1}]
    assert broken(found) == [("byte offset 1", "a string does not end")]


def test_white_space_without_end_is_not_kept():
    window = TextWindow(io.BytesIO(b"[" + b" " * 5_000_000 + b"]"), "utf-8", chunk=10_000)
    reader = ItemReader(window)
    assert list(reader) == []
    assert len(window.text) < 3_000_000
