"""A chat template with people's names in place of roles: `Drew: ...` and `Ada: ...`, as the preset says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from schemas.errors import SettingsError


def named_template(names: Mapping[str, str], tokenizer: Any) -> str:
    """Jinja that writes `Name: text`, an end mark after each reply, an empty line between turns.

    `names` has a name for `user` and for `assistant`; system text stands first, without a name. Raises SettingsError
    when the tokenizer has no end-of-text mark.
    """
    end = tokenizer.eos_token
    if not end:
        raise SettingsError(
            "the base's tokenizer has no end-of-text mark, which role_names need after a reply"
        )
    user, assistant = (json.dumps(names[role] + ":", ensure_ascii=False) for role in ("user", "assistant"))
    return (
        "{%- if bos_token -%}{{- bos_token -}}{%- endif -%}"
        "{%- for message in messages -%}"
        "{%- if message.role == 'system' -%}{{- message.content ~ '\\n\\n' -}}"
        "{%- elif message.role == 'assistant' -%}"
        "{{- "
        + assistant
        + " -}}{%- generation -%}{{- ' ' ~ message.content ~ eos_token -}}{%- endgeneration -%}{{- '\\n\\n' -}}"
        "{%- elif message.role == 'user' -%}{{- " + user + " ~ ' ' ~ message.content ~ '\\n\\n' -}}"
        "{%- else -%}{{- raise_exception('unknown role ' ~ message.role) -}}{%- endif -%}"
        "{%- endfor -%}"
        "{%- if add_generation_prompt -%}{{- " + assistant + " -}}{%- endif -%}"
    )
