from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from models.lora.modelfile import go_template, write_modelfile
from models.lora.template import Template, agree
from models.lora.turn_marks import find_marks
from schemas.errors import StageFailed
from tests.models.lora.families import FAMILIES, family_tokenizer

NAMES = {"user": "Drew", "assistant": "Ada"}
CHATS = [
    [("user", "Ce faci?")],
    [("system", "Vorbești scurt."), ("user", "Ce faci?")],
    [("user", "one"), ("assistant", "two\n\nlines"), ("user", "{{ .System }} <b>"), ("assistant", "ok"), ("user", "?")],
    [("system", "S"), ("user", "one"), ("assistant", "two"), ("user", "three")],
]  # fmt: skip
KNOWN = [*sorted(FAMILIES), "named"]


def agreed(family: str, system: str | None = None) -> tuple[Any, Template]:
    tokenizer = family_tokenizer("qwen-2.5" if family == "named" else family)
    return tokenizer, agree(tokenizer, system, NAMES if family == "named" else {})


def jinja(template: Template, tokenizer: Any, chat: list[tuple[str, str]]) -> str:
    """As in training, without the beginning-of-text mark, which Ollama puts there by itself."""
    turns = template.messages([{"role": role, "content": text} for role, text in chat])
    text: str = tokenizer.apply_chat_template(
        [{"role": t["role"], "content": t["content"]} for t in turns],
        chat_template=template.chat_template,
        tokenize=False,
        add_generation_prompt=True,
    )
    return text.removeprefix(tokenizer.bos_token or "")


@pytest.mark.parametrize("family", KNOWN)
def test_marks_write_what_the_jinja_template_writes(family: str) -> None:
    tokenizer, template = agreed(family)
    marks = find_marks(template, tokenizer)
    for chat in CHATS:
        turns = [{"role": role, "content": text} for role, text in chat]
        assert marks.write(turns, ask=True) == jinja(template, tokenizer, chat)


def test_go_writes_the_same() -> None:
    """Ollama's own template engine, over the same conversations."""
    go = os.environ.get("VATRA_TEST_GO") or shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed (VATRA_TEST_GO)")
    cases, expected = [], []
    for family in KNOWN:
        tokenizer, template = agreed(family)
        written = go_template(find_marks(template, tokenizer))
        for chat in CHATS:
            messages = [{"Role": role, "Content": text} for role, text in chat]
            cases.append({"Template": written, "Messages": messages})
            expected.append(jinja(template, tokenizer, chat))
    done = subprocess.run(
        [go, "run", str(Path(__file__).with_name("ollama.go"))],
        input=json.dumps(cases), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == expected


def test_a_modelfile_has_all_that_was_agreed() -> None:
    tokenizer, template = agreed("llama-3", "You are Ada, an AI.")
    text = write_modelfile(template, tokenizer, "./model", "./my adapter")
    found = re.fullmatch(
        r'# [^\n]*\nFROM \./model\nADAPTER "\./my adapter"\nTEMPLATE """(.*)"""\n'
        r'PARAMETER stop "(.*)"\nSYSTEM """(.*)"""\n',
        text,
        re.DOTALL,
    )
    assert found is not None
    assert found[2] == "<|eot_id|>"
    assert found[3] == "You are Ada, an AI."
    assert "<|begin_of_text|>" not in found[1]  # Ollama begins with it already
    assert template.digest in text


def test_what_a_modelfile_cannot_say() -> None:
    tokenizer, template = agreed("qwen-2.5", 'three """ quotes')
    with pytest.raises(StageFailed, match="three quotes"):
        write_modelfile(template, tokenizer, "./model")
    tokenizer, template = agreed("qwen-2.5")
    with pytest.raises(StageFailed, match="cannot name"):
        write_modelfile(template, tokenizer, 'a"b')


@pytest.mark.parametrize(
    "odd",
    [
        "{%- if loop.last -%}LAST {% endif -%}",  # the last turn is written in another way
        "{%- if loop.index0 > 2 -%}LATE {% endif -%}",
        "{%- if '&' in message.content -%}AMP {% endif -%}",
    ],
)
def test_a_template_that_does_more_is_refused(odd: str) -> None:
    tokenizer, template = agreed("named")
    clever = template.chat_template.replace(
        "{%- for message in messages -%}", "{%- for message in messages -%}" + odd
    )
    assert clever != template.chat_template
    with pytest.raises(StageFailed, match="more than put marks"):
        find_marks(template.model_copy(update={"chat_template": clever}), tokenizer)
