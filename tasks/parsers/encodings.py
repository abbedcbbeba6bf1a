"""Which encoding a file is in, decided from its bytes in one pass, and decoders for what was decided."""

from __future__ import annotations

import codecs
import re

#: A UTF-8 file with some stray bytes: those few are read as Windows-1252, one by one.
DAMAGED_UTF8 = "utf-8+cp1252"
#: A UTF-32 file with units that are no characters: those become U+FFFD.
DAMAGED_UTF32 = "utf-32+replaced"
#: How the names of encodings begin whose characters take two or four bytes.
WIDE = ("utf-16", "utf-32")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with the same two bytes
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UNASSIGNED = (b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d")  # what Windows-1252 leaves open
_ROMANIAN = frozenset("ăâîşţĂÂÎŞŢ".encode("cp1250"))
_INSIDE_WORD = re.compile(rb"[A-Za-z][\xba\xfe]|[\xba\xfe][a-z]")
_STRAY = "vatra-stray-bytes"
_WIDE = "vatra-wide-units"
_WARNINGS = {
    "cp1252": "not UTF-8: read as Windows-1252",
    "cp1250": "not UTF-8, with Romanian letters: read as Windows-1250",
    "latin-1": "not UTF-8: read as Latin-1",
    DAMAGED_UTF8: "some bytes are not UTF-8: those were read as Windows-1252",
    DAMAGED_UTF32: "some characters are not Unicode: those were replaced by U+FFFD",
}


def marked_encoding(start: bytes) -> str | None:
    """The encoding that a byte order mark, or the pattern of NULs in JSON's first character, gives away."""
    for mark, name in _MARKS:
        if start.startswith(mark):
            return name
    if len(start) >= 2 and start[0] == 0 and start[1] != 0:
        return "utf-16-be"
    if len(start) >= 2 and start[0] != 0 and start[1] == 0:
        return "utf-16-le"
    return None


class EncodingGuess:
    """Fed with the chunks of a file in order, knows at the end what they are encoded in."""

    def __init__(self) -> None:
        self._marked: str | None = None
        self._decoder: codecs.IncrementalDecoder | None = None
        self._failed = False
        self._good = 0  # bytes behind the first one of good UTF-8 characters: about as many as letters
        self._strays = 0  # bytes that are no UTF-8
        self._unassigned = False

    def feed(self, chunk: bytes) -> None:
        """Look at the next bytes."""
        if self._decoder is None:
            self._marked = marked_encoding(chunk)
            wide = self._marked == "utf-32"
            self._decoder = codecs.getincrementaldecoder("utf-32")("surrogatepass") if wide else _utf8()
        if not self._marked or self._marked == "utf-8-sig":
            self._check(chunk, self._decoder)
        elif self._marked == "utf-32" and not self._failed:
            try:
                self._decoder.decode(chunk)
            except UnicodeDecodeError:
                self._failed = True

    def name(self) -> str:
        """The encoding: a mark's, else strict UTF-8 (its last character may be cut off), else a fallback.

        Behind a mark of UTF-8 stray bytes are Windows-1252 one by one, however many there are.
        """
        if not self._failed:
            return self._marked or "utf-8"
        if self._marked == "utf-32":
            return DAMAGED_UTF32
        if self._marked or self._good > self._strays:
            return DAMAGED_UTF8
        return "latin-1" if self._unassigned else "cp1252"

    def _check(self, chunk: bytes, decoder: codecs.IncrementalDecoder) -> None:
        cut = decoder.getstate()  # a character that the chunk before was cut in
        if chunk.isascii() and not cut[0]:
            return
        try:
            text = decoder.decode(chunk)
        except UnicodeDecodeError:
            # From here on strays are escaped, which costs more, and are counted.
            self._failed, self._decoder = True, _utf8("surrogateescape")
            self._decoder.setstate(cut)
            text = self._decoder.decode(chunk)
        self._good += max(len(chunk) - len(text), 0)
        if self._failed:
            self._strays += len(text) - len(text.encode("utf-8", "ignore").decode())
            self._unassigned = self._unassigned or any(byte in chunk for byte in _UNASSIGNED)


def _utf8(errors: str = "strict") -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder("utf-8")(errors)


def is_romanian(start: bytes) -> bool:
    """Whether text that is no UTF-8 has Romanian letters in Windows-1250: nearly all others of Windows-1252 are theirs.

    ş and ţ inside a word decide: in Windows-1252 they would be º and þ.
    """
    high = sum(byte >= 0xC0 or byte in _ROMANIAN for byte in start)
    return bool(_INSIDE_WORD.search(start)) and sum(byte in _ROMANIAN for byte in start) >= 0.9 * high


def decoder_for(encoding: str) -> codecs.IncrementalDecoder:
    """An incremental decoder that never fails on a file of this encoding; lone surrogates pass, to be repaired."""
    if encoding == DAMAGED_UTF8:
        codecs.register_error(_STRAY, _read_stray)
        return codecs.getincrementaldecoder("utf-8")(_STRAY)
    if encoding == DAMAGED_UTF32:
        codecs.register_error(_WIDE, _replace_wide)
        return codecs.getincrementaldecoder("utf-32")(_WIDE)
    errors = "surrogatepass" if encoding.startswith(WIDE) else "strict"
    if encoding == "cp1250":  # it leaves five bytes open
        errors = "replace"
    return codecs.getincrementaldecoder(encoding)(errors)


def encoded_width(text: str, encoding: str) -> int:
    """How many bytes `text` took up in a file of this encoding."""
    if encoding in ("cp1250", "cp1252", "latin-1"):
        return len(text)
    family = encoding[:6] if encoding.startswith(WIDE) else ""
    return len(text.encode(f"{family}-le" if family else "utf-8", "surrogatepass"))


def encoding_warning(encoding: str) -> str | None:
    """What the account says about an encoding that had to be guessed."""
    return _WARNINGS.get(encoding)


def _read_stray(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    stray = error.object[error.start : error.end]
    return "".join(_WINDOWS.get(byte, chr(byte)) for byte in stray), error.end


def _replace_wide(error: UnicodeError) -> tuple[str | bytes, int]:
    try:
        return codecs.lookup_error("surrogatepass")(error)
    except UnicodeDecodeError as given:
        return "\ufffd", given.end


_WINDOWS = {byte: bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(0x80, 0xA0)}
