"""The formats that are read. A new one is a file with a parser, and its line here."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.parsers.chatgpt import ChatGPTParser
from tasks.parsers.claude import ClaudeParser
from tasks.parsers.contract import Parser
from tasks.parsers.foreign import foreign_name, is_deepseek
from tasks.parsers.generic import GenericParser
from tasks.parsers.markdown.parser import MarkdownCorpusParser

PARSERS: tuple[Parser, ...] = (
    ChatGPTParser(),
    ClaudeParser(),
    MarkdownCorpusParser(),
    GenericParser(),
)


def parser_for(name: str) -> Parser:
    """The parser of a format by its name."""
    return next(parser for parser in PARSERS if parser.format == name)


def recognise(sample: Sequence[object]) -> Parser | str | None:
    """The parser for a file that begins with these items; the name of a format that is known but not read; or None."""
    if any(is_deepseek(item) for item in sample):
        return "DeepSeek"
    for parser in PARSERS:
        if not parser.broad and parser.matches(sample):
            return parser
    foreign = next((name for name in map(foreign_name, sample) if name), None)
    if foreign:
        return foreign
    return next((parser for parser in PARSERS if parser.broad and parser.matches(sample)), None)
