"""How a conversation is written for the demo base: a mark per role, the text, an end mark. Nothing else.

Source, author and intensity of a message never reach the text. The template that is saved with the tokenizer
writes the same tokens, and marks what the model itself says with `{% generation %}`.
"""

from __future__ import annotations

from schemas.tables import ROLES

PAD, END = "<|pad|>", "<|end|>"
ROLE_MARKS: dict[str, str] = {role: f"<|{role}|>" for role in ROLES}
SPECIAL_TOKENS: tuple[str, ...] = (PAD, END, *ROLE_MARKS.values())

#: Roles whose text a model writes.
_GENERATED = ("assistant", "tool_call")

CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message.role not in [" + ", ".join(f"'{role}'" for role in ROLES) + "] -%}"
    "{{- raise_exception('unknown role ' ~ message.role) -}}"
    "{%- endif -%}"
    "{{- '<|' ~ message.role ~ '|>' -}}"
    "{%- if message.role in [" + ", ".join(f"'{role}'" for role in _GENERATED) + "] -%}"
    "{%- generation -%}{{- message.content ~ '<|end|>' -}}{%- endgeneration -%}"
    "{%- else -%}"
    "{{- message.content ~ '<|end|>' -}}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"
)
