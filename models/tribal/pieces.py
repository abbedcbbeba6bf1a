"""Token ids as text, one after the other: a character that byte-level tokens tore apart appears when it is whole."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import Any

from models.chat_tokenizer import END, MARKS, PAD


class Pieces:
    """What each token adds to the text. `vocabulary` holds the bytes of every token; marks have none."""

    def __init__(self, tokenizer: Any) -> None:
        byte_of = _bytes_by_character()
        self.marks: dict[int, str] = {
            number: token
            for token, number in tokenizer.get_vocab().items()
            if token in (PAD, END, *MARKS.values())
        }
        self.vocabulary: dict[int, bytes] = {
            number: b"" if number in self.marks else bytes(byte_of[character] for character in token)
            for token, number in tokenizer.get_vocab().items()
        }
        self.restart()

    def restart(self) -> None:
        """Forget what was begun: the next token is the first of a text."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, token: int) -> str:
        """The characters that are whole with this token; none while one is torn."""
        return self._decoder.decode(self.vocabulary.get(token, b""))

    def rest(self) -> str:
        """What is left at the end: a replacement character where the last one never became whole."""
        return self._decoder.decode(b"", final=True)

    def text(self, tokens: Sequence[int]) -> str:
        """Some tokens as one text. The same as the tokenizer's own reading without its marks."""
        self.restart()
        return "".join(map(self.add, tokens)) + self.rest()

    def label(self, token: int) -> str:
        """A token by itself, for people: its text, its mark, or its bytes where they are no whole characters."""
        if token in self.marks:
            return self.marks[token]
        given = self.vocabulary.get(token, b"")
        try:
            return given.decode()
        except UnicodeDecodeError:
            return f"‹{given.hex().upper()}›"


def _bytes_by_character() -> dict[str, int]:
    """Byte-level BPE writes a byte as a character that can be seen: itself, or one from U+0100 on in turn."""
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in set(seen)]
    return {
        **{chr(byte): byte for byte in seen},
        **{chr(0x100 + place): byte for place, byte in enumerate(hidden)},
    }
