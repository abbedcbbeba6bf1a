"""Reading a page as a browser would, and what no page of ours may hold."""

from __future__ import annotations

import re
from html.parser import HTMLParser

TAGS = set(
    re.findall(
        r"\w+",
        "html head meta title style body main header section nav footer h1 h2 h3 p a b small span bdi "
        "code mark cite div ul li table thead tbody tfoot tr th td details summary blockquote pre figure "
        "figcaption i br svg line rect text polygon polyline circle",
    )
)
VOID = {"meta", "br", "line", "polygon"}
INLINE = {"bdi", "mark", "b", "code"}
#: What people and attackers put into chats, titles, paths and rules.
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></title></pre></bdi><iframe src=https://evil.example>",
    "![x](https://evil.example/p.png) [y](javascript:alert(1))",
    "{{ 7 * 7 }}{% include 'style.css' %}",
    "&lt;b&gt; &amp; <!-- <![CDATA[",
    "\u202edrowssap\u2066 \u200b\ufeff",
    "\x00\x1b[2J\x07",
    "w" * 100_000,
    "e" + "\u0301" * 400,
    "سلام עולם",
]


class Page(HTMLParser):
    """Tags, attributes and text of a page; refuses tags that do not nest."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.text: list[str] = []
        self.comments: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        self.text.append("" if tag in INLINE else " ")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.text.append("" if tag in INLINE else " ")

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    @property
    def words(self) -> str:
        return " ".join("".join(self.text).split())


def assert_offline_and_inert(page: str) -> Page:
    """A report: it links to itself only."""
    parsed = assert_inert(page)
    assert all((value or "").startswith("#") for _, name, value in parsed.attributes if name == "href")
    return parsed


def assert_inert(page: str) -> Page:
    """No script, nothing from elsewhere, links only to this page or to pages of the same server."""
    parsed = Page(page)
    assert set(parsed.tags) <= TAGS
    assert parsed.comments == []
    for tag, name, value in parsed.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name not in ("src", "srcset", "action", "xlink:href", "background", "ping", "srcdoc")
        if name == "href":
            assert re.fullmatch(r"#[\w-]+|/(builds/[A-Za-z0-9][\w.-]*(/validation)?)?", value or "")
        if name == "style":
            assert re.fullmatch(r"width:[0-9.]+%", value or "")
    policies = [v for _, name, v in parsed.attributes if name == "content" and v and "default-src" in v]
    assert len(policies) == 1
    assert policies[0].startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")
    styles = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in styles
    assert "@import" not in styles
    page.encode("utf-8")
    return parsed
