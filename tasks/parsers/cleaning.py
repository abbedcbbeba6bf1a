"""Debris that the chat programs leave in texts: citation marks, links into a sandbox, tags of artifacts.

Every pass is guarded by a search for a literal, so that a clean text costs next to nothing.
"""

from __future__ import annotations

import json
import re

_OPEN_SPAN = re.compile("(?:\\w{1,30}\ue202)?(?:[\\w#.-]*\ue202)*(?:turn\\d+\\w*)?")
_MARKS = tuple("\ue200\ue201\ue202\ue203\ue204\ue205\ue206")
_NAMING = ("entity", "product", "product_entity", "url")
_TURNS = r"turn\d+(?:search|view|news|image|file|product|forecast|finance|sports|maps)\d+"
_TURN = re.compile(_TURNS)
_BARE = re.compile(rf"[ \t]?(?:cite|filecite|navlist)?(?:{_TURNS})+")
_DAGGER = re.compile("[ \t]?【[^【】\n]{0,200}†[^【】\n]{0,300}】")
_OAICITE = re.compile(r"[ \t]?:contentReference\[oaicite:\d+\](?:\{index=\d+\})?")
_SANDBOX = re.compile(r"\[([^\[\]]*)\]\(sandbox:[^()\s]*\)")

_UNSUPPORTED = "This block is not supported on your current device yet."
_BLOCK = re.compile(r"\s*(?:```[ \t]*\n?)?" + re.escape(_UNSUPPORTED) + r"(?:\n?[ \t]*```)?\s*")
_THINKING = re.compile(r"<antThinking\b[^>]*>.*?(?:</antThinking>\s*|\Z)", re.DOTALL)
_ARTIFACT = re.compile(r"</?antArtifact\b[^>]*>")


def strip_citations(text: str) -> str:
    """A ChatGPT text without its citation marks; the names that marked entities carry stay in the sentence."""
    if text.isascii():
        return _strip_plain(text)
    if "\ue200" in text:
        text = _strip_spans(text)
    for mark in _MARKS:
        if mark in text:
            text = text.replace(mark, "")
    if "†" in text:
        text = _DAGGER.sub("", text)
    return _strip_plain(text)


def strip_claude_tags(text: str) -> str:
    """A Claude text without notices of unsupported blocks and without thinking; artifacts are unwrapped."""
    changed = text
    if _UNSUPPORTED in changed:
        changed = _BLOCK.sub("\n\n", changed)
    if "<antThinking" in changed:
        changed = _THINKING.sub("", changed)
    if "antArtifact" in changed:
        changed = _ARTIFACT.sub("", changed)
    return text if changed is text else changed.strip()


def _strip_plain(text: str) -> str:
    if "turn" in text and _TURN.search(text):
        text = _BARE.sub("", text)
    if "[oaicite:" in text:
        text = _OAICITE.sub("", text)
    if "](sandbox:" in text:
        text = _SANDBOX.sub(r"\1", text)
    return text


def _strip_spans(text: str) -> str:
    """Without what stands between the marks; the space before goes with it, unless it parts two words."""
    before, *pieces = text.split("\ue200")
    kept = [before]
    for piece in pieces:
        span, closed, rest = piece.partition("\ue201")
        kind, _, fields = span.partition("\ue202")
        name = _name(fields) if closed and kind in _NAMING else ""
        if not closed:
            rest = _OPEN_SPAN.sub("", span, count=1)
        elif not name and not rest[:1].isalnum() and kept[-1].endswith((" ", "\t")):
            kept[-1] = kept[-1][:-1]
        kept.append(name + rest)
    return "".join(kept)


def _name(fields: str) -> str:
    first = fields.split("\ue202", 1)[0]
    if not first.startswith("["):
        return "" if _TURN.search(first) else first
    try:
        named = json.loads(first)
    except (ValueError, RecursionError):
        return ""
    return named[1] if isinstance(named, list) and len(named) > 1 and isinstance(named[1], str) else ""
