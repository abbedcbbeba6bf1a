"""From texts to token ids and back: a byte-level BPE learnt from the corpus, and conversations in its marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models.chat_tokenizer import END, MARKS, PAD
from models.tribal.romanian import ROMANIAN, comma_below
from schemas.errors import SettingsError

#: Under which mark a message of the corpus is written; a tool call is something that the assistant writes.
ROLES: dict[str, str] = {**{role: role for role in MARKS}, "tool_call": "assistant"}


def check_vocabulary(tokenizer: Any, vocab_size: int) -> None:
    """The corpus gave all the tokens that were asked for. Raises SettingsError."""
    if len(tokenizer) < vocab_size:
        raise SettingsError(
            f"the corpus is too small for a vocabulary of {vocab_size} tokens: it gives {len(tokenizer)}",
            where="vocab_size",
            fix=f"Set vocab_size to {len(tokenizer)} or less (--set vocab_size={len(tokenizer)}; in a build "
            "train.tribal_changes.vocab_size), or train on more.",
        )


def text_of(content: str | None, language: str | None) -> str:
    """What a message says, as it is learned: in Romanian with commas below."""
    return comma_below(content or "") if language == ROMANIAN else content or ""


class ChatEncoder:
    """Writes turns as token ids: the mark of a role, the text, the end mark.

    Texts are read as plain text, so nobody's words can end a turn or begin another one.
    """

    def __init__(self, tokenizer: Any) -> None:
        from tokenizers import Tokenizer

        # A copy: with this switch the tokenizer itself could no longer read its own marks.
        self._plain = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self._plain.encode_special_tokens = True
        self.marks = {role: int(tokenizer.convert_tokens_to_ids(mark)) for role, mark in MARKS.items()}
        self.end, self.pad = (
            int(tokenizer.convert_tokens_to_ids(END)),
            int(tokenizer.convert_tokens_to_ids(PAD)),
        )

    def contents(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of texts, without marks."""
        found = self._plain.encode_batch_fast(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in found]

    def prompt(self, messages: Sequence[Mapping[str, Any]]) -> list[int]:
        """Token ids of a conversation (role, content) up to the mark that asks for the next reply.

        The same ids as of the chat template, for texts without marks.
        """
        ids: list[int] = []
        for message, content in zip(messages, self.contents([m["content"] for m in messages]), strict=True):
            ids += [self.marks[ROLES[message["role"]]], *content, self.end]
        return [*ids, self.marks["assistant"]]


def token_bytes(tokenizer: Any) -> Any:
    """How many bytes of text each token stands for, by id (int64 [V]); a mark stands for none."""
    import numpy as np

    marks = {PAD, END, *MARKS.values()}
    sizes = np.zeros(len(tokenizer), np.int64)
    for token, number in tokenizer.get_vocab().items():  # a byte is one character in the vocabulary
        sizes[number] = 0 if token in marks else len(token)
    return sizes
