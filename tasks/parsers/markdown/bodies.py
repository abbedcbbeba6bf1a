"""The text of a turn, from the lines below its opening: marks of quotes, lists and escapes gone."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tasks.parsers.markdown.layout import is_turn
from tasks.parsers.markdown.marks import Opener, fold, is_rule, opener_of
from tasks.parsers.markdown.roles import PRONOUNS

_QUOTE = re.compile(r" {0,3}> ?")
#: A backslash before a line that would else mean something; it is no part of the text.
_ESCAPED = re.compile(r"([ \t]*)\\(?=[-#*_=>`~+\\<])")
_BEFORE_NAME = re.compile(r"( {0,3})\\(?=\S)")


def body_of(opener: Opener, lines: Sequence[str], fenced: Sequence[bool], names: set[str]) -> list[str]:
    """The lines of a turn below its opener's, as its author wrote them; rules at the end part turns and are no text."""
    own: list[str] = []
    quoted = opener.quote
    for line, inside in zip(lines, fenced, strict=True):
        if quoted:
            found = _QUOTE.match(line)
            quoted = found is not None  # behind the quote the text is as it stands
            line = line[found.end() :] if found else line
        elif opener.item and line[: opener.item].isspace():
            line = line[opener.item :]
        own.append(line if inside else _unescaped(line, names))
    last = len(own)
    while last and not fenced[last - 1] and (not own[last - 1].strip() or is_rule(lines[last - 1])):
        last -= 1
    return own[:last]


def _unescaped(line: str, names: set[str]) -> str:
    if "\\" not in line[:40]:
        return line
    if found := _ESCAPED.match(line):
        return found[1] + line[found.end() :]
    found = _BEFORE_NAME.match(line)
    if found:
        opener = opener_of(found[1] + line[found.end() :])
        if opener is not None and is_known(opener, names):
            return found[1] + line[found.end() :]
    return line


def is_known(opener: Opener, declared: set[str]) -> bool:
    """Whether a name is somebody's who speaks: declared, of the tribe, a word for a role."""
    name = fold(opener.name)
    if declared and name in PRONOUNS and name not in declared:
        return False
    return name in declared or is_turn(opener, frozenset())
