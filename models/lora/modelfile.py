"""An Ollama Modelfile: base, adapter, template, end mark and system prompt, so that Ollama speaks as training did."""

from __future__ import annotations

from typing import Any

from models.lora.template import Template
from models.lora.turn_marks import TurnMarks, find_marks
from schemas.errors import StageFailed

FILE = "Modelfile"


def write_modelfile(template: Template, tokenizer: Any, base: str, adapter: str | None = None) -> str:
    """The text of a Modelfile for `base` (a folder of safetensors, a GGUF file, or a model that Ollama has).

    `adapter` is the folder of an adapter that was not merged. Raises StageFailed for a chat template that Ollama's
    language cannot say.
    """
    lines = [
        f"# Made by vatra. Template {template.digest}: the one that the adapter was trained with.",
        f"FROM {_quoted(base)}",
        *([f"ADAPTER {_quoted(adapter)}"] if adapter else []),
        f"TEMPLATE {_long(go_template(find_marks(template, tokenizer)))}",
        f"PARAMETER stop {_quoted(template.end, always=True)}",
        *([f"SYSTEM {_long(template.system)}"] if template.system else []),
    ]
    return "\n".join(lines) + "\n"


def go_template(marks: TurnMarks) -> str:
    """The same turns in Go's template language. The beginning-of-text mark is left out: Ollama puts it there."""
    turn = "$turn.Content"
    user, assistant = (f"{_text(m[0])}{{{{ {turn} }}}}{_text(m[1])}" for m in (marks.user, marks.assistant))
    if marks.system is None:
        fold = "{{ if $told }}{{ $told }}\n\n{{ end }}"
        user = f"{_text(marks.user[0])}{fold}{{{{ {turn} }}}}{_text(marks.user[1])}"
        start = '{{ $told := "" }}{{ if .System }}{{ $told = .System }}{{ end }}'
        system, spent = "", '{{ $told = "" }}'
    else:
        start, spent = "", ""
        system = f"{_text(marks.system[0])}{{{{ {turn} }}}}{_text(marks.system[1])}"
    opening = f"{{{{ if not .System }}}}{_text(marks.opening)}{{{{ end }}}}" if marks.opening else ""
    return (
        f"{start}{opening}{{{{ range $i, $turn := .Messages }}}}"
        f'{{{{ if eq $turn.Role "system" }}}}{system}'
        f'{{{{ else if eq $turn.Role "user" }}}}{user}{spent}'
        f'{{{{ else if eq $turn.Role "assistant" }}}}{assistant}'
        "{{ end }}{{ end }}"
        f"{_text(marks.ask)}"
    )


def _text(text: str) -> str:
    """Text that stands for itself in Go's template language."""
    return text.replace("{{", '{{ "{{" }}')


def _long(text: str) -> str:
    if '"""' in text:
        raise StageFailed(
            "the template or the system prompt holds three quotes, which a Modelfile cannot say"
        )
    return f'"""{text}"""'


def _quoted(text: str, always: bool = False) -> str:
    if '"' in text or "\n" in text:
        raise StageFailed("a Modelfile cannot name this", where=text[:80], fix="Rename the folder.")
    return f'"{text}"' if always or " " in text else text
