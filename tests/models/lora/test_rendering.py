"""Where the loss lies, decoded token by token, in the templates of several families."""

from __future__ import annotations

from typing import Any

import pytest

from models.lora.rendering import IGNORED, Unwritable, render, tokenize
from models.lora.template import Template, agree, check_same, read_template
from schemas.errors import SettingsError, StageFailed
from tests.models.lora.families import FAMILIES, family_tokenizer

TALK = [
    {"role": "system", "content": "Fii bun."},
    {"role": "user", "content": "Ce mai faci?"},
    {"role": "assistant", "content": "Bine, mulțumesc! 🌳"},
    {"role": "user", "content": "And you?"},
    {"role": "assistant", "content": "Masked reply."},
    {"role": "user", "content": "Bye"},
    {"role": "assistant", "content": "Pa!"},
]


@pytest.fixture(params=sorted(FAMILIES))
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def tokenizer(family: str) -> Any:
    return family_tokenizer(family)


@pytest.fixture
def template(tokenizer: Any) -> Template:
    return agree(tokenizer, None, {})


def trained_texts(tokens: Any, tokenizer: Any) -> list[str]:
    runs: list[list[int]] = []
    previous = IGNORED
    for token, label in zip(tokens.input_ids, tokens.labels, strict=True):
        assert label in (IGNORED, token)
        if label != IGNORED:
            if previous == IGNORED:
                runs.append([])
            runs[-1].append(token)
        previous = label
    return [tokenizer.decode(run, skip_special_tokens=False) for run in runs]


def test_loss_lies_on_trainable_replies_and_their_end_mark(
    family: str, tokenizer: Any, template: Template
) -> None:
    end = FAMILIES[family][4]
    assert template.end == end
    rendered = render(TALK, template, tokenizer)
    tokens = tokenize(rendered, [True, False, True], tokenizer)
    first, second = trained_texts(tokens, tokenizer)
    thought = "<think>\n\n</think>\n\n" if family == "qwen-3" else ""
    assert (first, second) == (thought + "Bine, mulțumesc! 🌳" + end, thought + "Pa!" + end)
    whole = tokenizer.decode(tokens.input_ids, skip_special_tokens=False)
    assert whole == rendered.text
    assert "Masked reply." in whole
    assert "Fii bun." in whole


def test_the_prompt_is_what_the_model_is_given_when_it_is_used(
    family: str, tokenizer: Any, template: Template
) -> None:
    """Everything before the last reply is, token for token, the prompt of the tokenizer's own template."""
    rendered = render(TALK, template, tokenizer)
    tokens = tokenize(rendered, [False, False, True], tokenizer)
    start = next(i for i, label in enumerate(tokens.labels) if label != IGNORED)
    messages = [{"role": turn["role"], "content": turn["content"]} for turn in template.messages(TALK[:-1])]
    prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    if family == "qwen-3":  # its own template leaves the empty thoughts of earlier turns out; ours keeps them
        prompt = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, chat_template=template.chat_template
        )
    assert tokens.input_ids[:start] == tokenizer(prompt, add_special_tokens=False)["input_ids"]


def test_marks_in_somebodys_text_are_text(family: str, tokenizer: Any, template: Template) -> None:
    end = FAMILIES[family][4]
    talk = [
        {"role": "user", "content": f"What does {end} mean? {end}"},
        {"role": "assistant", "content": f"It ends a turn: {end}, that is all."},
    ]
    rendered = render(talk, template, tokenizer)
    assert rendered.defused == 3
    tokens = tokenize(rendered, [True], tokenizer)
    mark = tokenizer.convert_tokens_to_ids(end)
    trained = [label for label in tokens.labels if label != IGNORED]
    assert trained.count(mark) == 1
    assert trained[-1] == mark
    assert "that is all." in tokenizer.decode(trained)


def test_tools_and_openings_are_written_or_left_out(family: str, tokenizer: Any, template: Template) -> None:
    talk = [
        {"role": "assistant", "content": "An opening."},
        {"role": "user", "content": "Time?"},
        {"role": "tool_call", "content": '{"name": "time"}'},
        {"role": "tool", "content": "12:00"},
        {"role": "assistant", "content": "Noon."},
    ]
    rendered = render(talk, template, tokenizer)
    sources = [reply.sources for reply in rendered.replies]
    assert sources[-1] == (4,)
    assert ((0,) in sources) == template.opens_with_reply == ("An opening." in rendered.text)
    for text in ("Time?", '{"name": "time"}', "12:00", "Noon."):
        assert text in rendered.text
    trained = trained_texts(tokenize(rendered, [s == (4,) for s in sources], tokenizer), tokenizer)
    assert len(trained) == 1
    assert trained[0].endswith("Noon." + template.end)


def test_names_in_place_of_roles() -> None:
    tokenizer = family_tokenizer("mistral")
    template = agree(tokenizer, "You are Ada.", {"user": "Drew", "assistant": "Ada"})
    rendered = render(TALK[1:3], template, tokenizer)
    assert rendered.text == "<s>You are Ada.\n\nDrew: Ce mai faci?\n\nAda: Bine, mulțumesc! 🌳</s>\n\n"
    assert trained_texts(tokenize(rendered, [True], tokenizer), tokenizer) == [" Bine, mulțumesc! 🌳</s>"]


def test_a_base_without_a_template_is_refused() -> None:
    tokenizer = family_tokenizer("mistral")
    tokenizer.chat_template = None
    with pytest.raises(SettingsError, match="no chat template"):
        agree(tokenizer, None, {})


def test_a_template_that_rewrites_earlier_turns_is_refused() -> None:
    tokenizer = family_tokenizer("qwen-2.5")
    tokenizer.chat_template = (
        "{% for message in messages %}"
        "{{ messages | length }}{{ message.role }}: {{ message.content }}<|im_end|>"
        "{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    with pytest.raises((SettingsError, StageFailed)):
        render(TALK, agree(tokenizer, None, {}), tokenizer)


CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.mark.parametrize(
    "template",
    [
        "{{ raise_exception('never') }}",
        "{% for %}",
        "{{ 1 + 'a' }}",
        "{{ messages[0].x.y }}",
        {"tool_use": CHATML, "rag": CHATML},
    ],
)
def test_a_template_that_writes_nothing_is_refused_in_words(template: Any) -> None:
    tokenizer = family_tokenizer("qwen-2.5")
    tokenizer.chat_template = template
    with pytest.raises(SettingsError, match=r"cannot write a plain conversation|none of them is the default"):
        agree(tokenizer, None, {})


@pytest.mark.parametrize(
    ("content", "reply"),
    [
        ("m.content[:9]", "long enough to be cut"),
        ("m.content.split('</think>')[-1]", "<think>why</think>because"),
        ("m.content ~ (1 + 'a' if 'because' in m.content else '')", "because"),
    ],
)
def test_a_template_that_leaves_words_out_or_stumbles_is_noticed(content: str, reply: str) -> None:
    tokenizer = family_tokenizer("qwen-2.5")
    tokenizer.chat_template = CHATML.replace("m.content", content)
    template = agree(tokenizer, None, {})
    render(TALK[1:3], template.model_copy(update={"chat_template": CHATML}), tokenizer)
    with pytest.raises(Unwritable):
        render([TALK[1], {"role": "assistant", "content": reply}], template, tokenizer)


def test_thoughts_are_kept_or_the_conversation_is_refused() -> None:
    tokenizer = family_tokenizer("qwen-3")
    template = agree(tokenizer, None, {})
    kept = [TALK[1], {"role": "assistant", "content": "<think>mm</think>so"}, *TALK[3:5]]
    assert "<think>\nmm\n</think>\n\nso" in render(kept, template, tokenizer).text
    lost = [TALK[1], {"role": "assistant", "content": "One </think> two </think> three"}]
    with pytest.raises(Unwritable):
        render(lost, template, tokenizer)


def test_another_template_is_refused(tmp_path: Any) -> None:
    template = agree(family_tokenizer("llama-3"), None, {})
    template.write(tmp_path)
    assert read_template(tmp_path) == template
    check_same(template, read_template(tmp_path), "adapter")
    with pytest.raises(StageFailed, match="system differ"):
        check_same(template, template.model_copy(update={"system": "Be kind."}), "adapter")
    (tmp_path / "template.json").write_text("{")
    with pytest.raises(StageFailed, match="no readable template"):
        read_template(tmp_path)
