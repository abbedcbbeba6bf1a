"""Text from a NOVA by the library's `generate()`, and who spoke while it was written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from models.quiet import quiet_libraries
from models.tribal.pieces import Pieces
from models.tribal.sampling import Sampling
from models.tribal.tokenizer import ChatEncoder
from schemas.errors import StoreError, UsageError


class Generated(BaseModel):
    """What was written, and how it came to an end.

    `tokens` are those of the text; the end mark is not among them. `stopped`: the model ended it ("end"), so many
    tokens were asked for ("limit"), or no more fit behind the prompt ("context"). `alpha` is each member's mean weight
    over the tokens of the text, or null for no token. `strongest` has the largest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    tokens: int = Field(ge=0)
    prompt_tokens: int = Field(ge=1)
    stopped: Literal["end", "limit", "context"]
    alpha: dict[str, float] | None
    strongest: str | None


def prompt_ids(tokenizer: Any, text: str, context: int, *, raw: bool = False) -> list[int]:
    """Token ids of a prompt: a user's turn and the mark that asks for a reply, or (raw) the text to go on with.

    Raises UsageError for an empty prompt and for one that leaves no room in the context.
    """
    if not text.strip():
        raise UsageError("the prompt is empty", where="TEXT", fix="Say something.")
    encoder = ChatEncoder(tokenizer)
    ids = encoder.contents([text])[0] if raw else encoder.prompt([{"role": "user", "content": text}])
    if len(ids) >= context:
        raise UsageError(
            f"the prompt has {len(ids):,} tokens{'' if raw else ' with its marks'}, "
            f"and this NOVA's context holds {context:,} with the reply",
            where="TEXT",
            fix=f"Shorten it to fewer than {context:,} tokens.",
        )
    return ids


def generate(
    model: Any,
    tokenizer: Any,
    ids: Sequence[int],
    sampling: Sampling,
    max_new_tokens: int,
    *,
    show: Callable[[str], None] | None = None,
    use_cache: bool = True,
) -> Generated:
    """Go on from the ids (fewer than the context holds) by at most `max_new_tokens`, or what fits.

    `show` is told every piece of text as soon as it is whole. The same seed gives the same text on the same machine,
    and the process's own random numbers are left as they are. Marks of roles are never written: a reply is text.
    Raises StoreError for a model whose numbers are not finite.
    """
    room, end = min(max_new_tokens, model.config.context - len(ids)), int(tokenizer.eos_token_id)
    pieces = Pieces(tokenizer)
    configuration = _configuration(sampling, room, pieces, end, use_cache)
    teller = _Teller(pieces, show) if show else None
    with _alphas(model) as alphas:
        written = _write(model, ids, configuration, sampling.seed, teller)
    ended = written[-1] == end
    said = written[:-1] if ended else written
    alpha = _mean(model, alphas[1 : len(said) + 1]) if said else None
    return Generated(
        text=pieces.text(said),
        tokens=len(said),
        prompt_tokens=len(ids),
        stopped="end" if ended else "limit" if room == max_new_tokens else "context",
        alpha=alpha,
        strongest=max(alpha, key=lambda name: alpha[name]) if alpha else None,
    )


def _write(
    model: Any, ids: Sequence[int], configuration: Any, seed: int, teller: _Teller | None
) -> list[int]:
    """The new tokens, the end mark among them. All of them but that mark were read by the model when it returns."""
    import torch

    given = torch.tensor([list(ids)], device=model.device)
    devices = [model.device] if model.device.type == "cuda" else []
    with quiet_libraries(), torch.no_grad(), torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        out = model.generate(
            input_ids=given,
            attention_mask=torch.ones_like(given),
            generation_config=configuration,
            logits_processor=[_refuse_nan],
            streamer=teller,
        )
        written: list[int] = out.sequences[0, len(ids) :].tolist()
        if written[-1] != configuration.eos_token_id:  # it was chosen, but not read yet, and its alpha counts
            _read_last(model, out, configuration.use_cache)
    return written


def _configuration(sampling: Sampling, room: int, pieces: Pieces, end: int, use_cache: bool) -> Any:
    """All that decides, said here: what a model's folder says of generation is somebody else's taste."""
    from transformers import GenerationConfig

    drawn = {"temperature": sampling.temperature, "top_k": sampling.top_k, "top_p": sampling.top_p}
    return GenerationConfig(
        max_new_tokens=room,
        do_sample=not sampling.greedy,
        **({} if sampling.greedy else drawn),
        suppress_tokens=sorted(number for number in pieces.marks if number != end),
        eos_token_id=end,
        pad_token_id=end,
        num_beams=1,
        use_cache=use_cache,
        return_dict_in_generate=True,
    )


@contextmanager
def _alphas(model: Any) -> Iterator[list[Any]]:
    """The weights [N] at the last position of every pass inside the block: the prompt's end, then token by token."""
    seen: list[Any] = []
    detector = model.model.detector
    if detector is None:  # every member alike, everywhere
        yield seen
        return
    hook = detector.register_forward_hook(lambda module, given, out: seen.append(out[0, -1].exp()))
    try:
        yield seen
    finally:
        hook.remove()


def _read_last(model: Any, out: Any, use_cache: bool) -> None:
    if use_cache:
        model(input_ids=out.sequences[:, -1:], past_key_values=out.past_key_values, use_cache=True)
    else:
        model(input_ids=out.sequences, use_cache=False)


def _mean(model: Any, alphas: Sequence[Any]) -> dict[str, float]:
    import torch

    members = model.config.members
    if model.model.detector is None:
        return dict.fromkeys(members, 1 / len(members))
    return dict(zip(members, torch.stack(list(alphas)).mean(0).tolist(), strict=True))


def _refuse_nan(ids: Any, scores: Any) -> Any:
    """A step of drawing that only looks. Raises StoreError: nothing can be drawn from what is no number."""
    if scores.isnan().any():
        raise StoreError(
            "the model's logits are not numbers: its weights are damaged, or its training diverged",
            fix="Take the model from a copy that is whole, or train it again.",
        )
    return scores


class _Teller:
    """The library's streamer: the prompt comes first and is not told, then one token at a time."""

    def __init__(self, pieces: Pieces, show: Callable[[str], None]) -> None:
        self._pieces, self._show, self._prompt = pieces, show, True

    def put(self, value: Any) -> None:
        """Tell what is whole with this token."""
        if self._prompt:
            self._prompt = False
            return
        for token in value.reshape(-1).tolist():
            if text := self._pieces.add(token):
                self._show(text)

    def end(self) -> None:
        """Tell what is left."""
        if text := self._pieces.rest():
            self._show(text)
