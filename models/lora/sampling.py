"""Trying an adapter: what the base says and what the adapter says, to the same prompts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext

from pydantic import BaseModel, ConfigDict

from models.lora.opening import Opened

#: A few contexts that ask for different voices, from the strategy's own list.
PROMPTS = (
    "Hi! How are you today?",
    "I'm struggling with anxiety about my job.",
    "Write a story about a robot learning to paint.",
    "Explain why correlation doesn't imply causation.",
)
MAX_TOKENS = 96


class Answer(BaseModel):
    """One answer; `stopped`: the model ended it itself, and was not cut at the limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    tokens: int
    stopped: bool


class Sample(BaseModel):
    """One prompt, answered by the base alone and by the base with the adapter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: str
    base: Answer
    adapter: Answer


def sample(
    opened: Opened, prompts: Sequence[str], max_tokens: int = MAX_TOKENS, system: str | None = None
) -> Iterator[Sample]:
    """Answers one after the other, each always by the likeliest token: the same prompts give the same answers."""
    for prompt in prompts:
        ids = opened.ask(prompt, system)
        yield Sample(
            prompt=prompt,
            base=_answer(opened, ids, max_tokens, with_adapter=False),
            adapter=_answer(opened, ids, max_tokens, with_adapter=True),
        )


def _answer(opened: Opened, ids: list[int], max_tokens: int, with_adapter: bool) -> Answer:
    import torch

    given = torch.tensor([ids], device=opened.device)
    pad = opened.tokenizer.pad_token_id
    with nullcontext() if with_adapter else opened.model.disable_adapter(), torch.inference_mode():
        written = opened.model.generate(
            input_ids=given,
            attention_mask=torch.ones_like(given),
            max_new_tokens=max_tokens,
            do_sample=False,
            # The base's own settings for drawing tokens would only cause a warning here.
            temperature=None,
            top_p=None,
            top_k=None,
            eos_token_id=opened.end,
            pad_token_id=opened.end if pad is None else pad,
        )[0, len(ids) :].tolist()
    stopped = opened.end in written
    said = written[: written.index(opened.end)] if stopped else written
    text = opened.tokenizer.decode(said, skip_special_tokens=True)
    return Answer(text=text, tokens=len(said), stopped=stopped)
