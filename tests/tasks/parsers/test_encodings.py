from __future__ import annotations

import codecs
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.parsers.encodings import DAMAGED_UTF8, DAMAGED_UTF32, EncodingGuess, decoder_for

TEXT = "Țărm și café – 🙂"


def record(text):
    return json.dumps([{"prompt": text, "completion": "a"}], ensure_ascii=False)


@pytest.mark.parametrize(
    ("codec", "name"),
    [
        ("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("utf-16", "utf-16"), ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"), ("utf-32", "utf-32"),
    ],
)  # fmt: skip
def test_encodings_are_told_apart(parse, codec, name):
    result = parse(record(TEXT).encode(codec))
    assert result.texts[0] == ("user", TEXT)
    assert (result.imports[0]["encoding"], result.imports[0]["warnings"]) == (name, [])


@pytest.mark.parametrize(("codec", "text"), [("cp1252", "café – “là”"), ("latin-1", "caf\xe9 \x81")])
def test_fallbacks_are_warnings(parse, codec, text):
    result = parse(record(text).encode(codec))
    assert result.texts[0] == ("user", text)
    assert result.imports[0]["encoding"] == codec
    assert result.imports[0]["warnings"][0].startswith("not UTF-8: read as")


@pytest.mark.parametrize("stray", [b"\xe9", b"\x81", b"\xff\xfe"])
@pytest.mark.parametrize("first", [True, False])
def test_a_stray_byte_does_not_spoil_the_rest(parse, stray, first):
    good = record(TEXT * 5).encode()
    data = (
        good.replace(b'"completion": "', b'"completion": "' + stray)
        if not first
        else good.replace(b"[", b"[ ", 1)
    )
    if first:
        data = data.replace(b'"prompt": "', b'"x": "' + stray + b'", "prompt": "')
    result = parse(data)
    assert result.texts[0] == ("user", TEXT * 5)
    assert result.imports[0]["encoding"] == DAMAGED_UTF8
    assert "\ufffd" not in result.texts[1][1]


def test_a_cut_inside_a_character_is_still_utf8(parse):
    data = (record("q")[:-1] + ', {"prompt": "').encode() + "🙂".encode()[:2]
    result = parse(data)
    assert (result.tally["kept"], result.tally["failed"], result.imports[0]["encoding"]) == (1, 1, "utf-8")


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.integers(1, 9))
def test_any_bytes_can_be_decoded_as_what_they_are_said_to_be(data, size):
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    guess = EncodingGuess()
    for chunk in chunks:
        guess.feed(chunk)
    name = guess.name()
    if name.startswith(("utf-16", "utf-32")):
        return  # told by their mark alone; what follows may be no such text
    decoder = decoder_for(name)
    assert isinstance("".join(decoder.decode(chunk) for chunk in chunks), str)


def test_a_mark_of_utf16_before_something_else_is_no_crash(parse, tmp_path):
    from schemas.errors import InputError

    with pytest.raises(InputError, match="not a chat export"):
        parse(b"\xff\xfe\x00\xd8\x41")


@pytest.mark.parametrize("text", ["café", "é" * 300, "x"])
@pytest.mark.parametrize("stray", [b"", b"\x93", b"\x81", "“là – café”".encode("cp1252")])
def test_a_mark_of_utf8_before_bytes_of_windows_1252(parse, text, stray):
    data = codecs.BOM_UTF8 + record(text).encode().replace(b'"a"', b'"a' + stray + b'"')
    result = parse(data)
    wanted = stray.decode("cp1252", "ignore") or ("\x81" if stray else "")
    assert result.texts == [("user", text), ("assistant", f"a{wanted}")]
    assert result.imports[0]["encoding"] == (DAMAGED_UTF8 if stray else "utf-8-sig")
    assert len(result.imports[0]["warnings"]) == bool(stray)
    whole = parse(codecs.BOM_UTF8 + record("café – là").encode("cp1252"))
    assert whole.texts[0] == ("user", "café – là")
    assert whole.imports[0]["warnings"] == ["some bytes are not UTF-8: those were read as Windows-1252"]


def test_letters_of_all_chunks_are_weighed_against_the_strays():
    guess = EncodingGuess()
    for chunk in ("ăâîșț".encode() * 100, b"plain", "🙂".encode()[:2], "🙂".encode()[2:], b"\xe9 \xe9 \xe8 "):
        guess.feed(chunk)
    assert guess.name() == DAMAGED_UTF8


def test_utf32_with_units_that_are_no_characters_is_read_and_says_so(parse):
    data = record("xyz").encode("utf-32").replace("y".encode("utf-32-le"), b"\xff\xff\xff\x7f", 1)
    result = parse(data)
    assert (result.texts[0][1], result.imports[0]["encoding"]) == ("x\ufffdz", DAMAGED_UTF32)
    assert "not Unicode" in result.imports[0]["warnings"][0]
