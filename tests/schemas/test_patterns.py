"""What is said of patterns and replacements that cannot be used, when they are loaded."""

from __future__ import annotations

import pytest

from schemas.patterns import groups_of, named_groups, replacement_of
from schemas.settings.mapping import Value


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "unclosed group"),
        ("(?=a)b", "look-around, including look-ahead and look-behind, is not supported"),
        (r"(a)\1", "backreferences are not supported"),
        ("(?P<x>a)|(?P<x>b)", "duplicate capture group name"),
        ("(a{1000}){1000}", "Compiled regex exceeds size limit"),
    ],
)
def test_patterns_that_the_engine_does_not_have(pattern: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"no regular expression: .*Rust regular expressions") as caught:
        groups_of(pattern)
    assert said in str(caught.value)
    with pytest.raises(ValueError, match="no regular expression"):
        Value.model_validate({"path": "a", "replace": {pattern: ""}})


def test_groups() -> None:
    assert groups_of("(a)(?P<b>b)(?:c)") == ("1", "b")
    assert named_groups("(a)(?P<z>b)(?P<b>b)(?:c)") == ["z", "b"]
    assert groups_of("a") == ()


@pytest.mark.parametrize(
    ("text", "replacement"),
    [
        (r"\1-\g<name>-\2\g<1>", "${1}-${name}-${2}${1}"),
        (r"\g<0>$1\\", "${0}$$1\\"),
        (r"a\nb\.", "a\nb\\."),
        ("", ""),
    ],
)
def test_replacements(text: str, replacement: str) -> None:
    assert replacement_of("(a)(?P<name>b)", text) == replacement


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (r"\9", r"names the group '9', which .* does not have"),
        (r"\0", "names the group '0'"),
        (r"\g<x>", "names the group 'x'"),
        (r"\g<>", "names the group ''"),
        (r"\g", r"\\g means nothing in a replacement"),
        ("a\\", "means nothing in a replacement"),
        (r"\q", r"\\q means nothing"),
    ],
)
def test_replacements_that_say_nothing(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replacement_of("(a)(?P<name>b)", text)
    with pytest.raises(ValueError, match=said):
        Value.model_validate({"path": "a", "replace": {"(a)(?P<name>b)": text}})
