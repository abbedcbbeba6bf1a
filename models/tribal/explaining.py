"""What a NOVA sees in a text: who speaks at every token and why, what the heads look at, what may come next."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from models.quiet import quiet_libraries
from models.tribal.attribution import Attribution, attribute
from models.tribal.pieces import Pieces
from models.tribal.steering import find_member
from models.tribal.tokenizer import ChatEncoder
from schemas.errors import StoreError, UsageError

#: Attention maps show the beginning of a text: being causal, it is the same whatever follows.
MAP_TOKENS = 64
NEXT = 10


@dataclass(frozen=True)
class Head:
    """Attention weights [t, t] of one head: row by row, how much each token looks at those up to it.

    `layer` and `head` count from 1; the detector's own attention is layer 0.
    """

    layer: int
    head: int
    weights: Any


@dataclass(frozen=True)
class Gate:
    """A member's resonance: its learned threshold and steepness, how far it opened over the text (0 to alpha), and
    by what share it raised the channel that it raises most.
    """

    member: str
    threshold: float
    steepness: float
    mean: float
    most: float
    loudest: float


@dataclass(frozen=True)
class Explanation:
    """A text of T tokens, taken apart.

    `labels` name every token by itself; `text` is what each adds to the text (a torn character appears whole, with
    its last token). `alpha` [T, N], `mean` by member. `next`: the likeliest next tokens with their probability.
    """

    members: list[str]
    labels: list[str]
    text: list[str]
    marks: list[bool]
    alpha: Any
    mean: dict[str, float]
    gates: list[Gate]
    attribution: Attribution | None
    heads: list[Head]
    next: list[tuple[str, float]]

    def as_object(self) -> dict[str, Any]:
        """All of it but the attention maps, as numbers and words."""
        return {
            "members": self.mean,
            "tokens": [
                {"token": label, "alpha": weights}
                for label, weights in zip(self.labels, self.alpha.round(6).tolist(), strict=True)
            ],
            "resonance": [asdict(gate) for gate in self.gates],
            "attribution": None if self.attribution is None else asdict(self.attribution),
            "next": [{"token": token, "probability": chance} for token, chance in self.next],
        }


def text_ids(tokenizer: Any, text: str, context: int, role: str) -> list[int]:
    """Token ids of a text: said by the assistant (a turn that goes on), by a user (a reply follows), or by nobody.

    Raises UsageError for an empty text and for one that is longer than the context.
    """
    if not text.strip():
        raise UsageError("the text is empty", where="TEXT", fix="Say something.")
    encoder = ChatEncoder(tokenizer)
    (ids,) = encoder.contents([text])
    if role == "user":
        ids = [encoder.marks["user"], *ids, encoder.end, encoder.marks["assistant"]]
    elif role == "assistant":
        ids = [encoder.marks["assistant"], *ids]
    if len(ids) > context:
        raise UsageError(
            f"the text has {len(ids):,} tokens, and this NOVA's context holds {context:,}",
            where="TEXT",
            fix="Shorten it.",
        )
    return ids


def check_choice(config: Any, member: str | None, layer: int | None, head: int | None) -> str | None:
    """The member as this NOVA writes its name. Raises UsageError for a member, layer or head that it does not have."""
    for what, value, most in (("layer", layer, config.n_layers), ("head", head, config.n_heads)):
        if value is not None and not 1 <= value <= most:
            raise UsageError(f"this NOVA has {what}s 1 to {most}, not {value}", where=f"--{what}")
    return None if member is None else find_member(config.members, member)


def explain(model: Any, tokenizer: Any, ids: list[int], member: str | None = None) -> Explanation:
    """Take a text apart. `model` was opened with eager attention; `member` is whose alpha is traced to tokens, by
    default the strongest beside the core. Raises StoreError for a model whose numbers are not finite.
    """
    import torch

    given = torch.tensor([ids], device=model.device)
    pieces, members = Pieces(tokenizer), list(model.config.members)
    with quiet_libraries(), torch.no_grad():
        out = model(input_ids=given, use_cache=False, return_alpha=True, logits_to_keep=1)
        if not (out.logits.isfinite().all() and out.alpha.isfinite().all()):
            raise StoreError("the model's numbers are not finite: its weights are damaged")
        heads = _heads(model, given[:, :MAP_TOKENS])
    alpha = out.alpha[0].float()
    mean = dict(zip(members, alpha.mean(0).tolist(), strict=True))
    traced = member or max(members[1:] or members, key=lambda name: mean[name])
    chances, tokens = out.logits[0, -1].float().softmax(-1).topk(min(NEXT, len(tokenizer)))
    return Explanation(
        members=members,
        labels=[pieces.label(token) for token in ids],
        text=[pieces.add(token) for token in ids],
        marks=[token in pieces.marks for token in ids],
        alpha=alpha.cpu().numpy(),
        mean=mean,
        gates=_gates(model, alpha),
        attribution=attribute(model, given, traced),
        heads=heads,
        next=[
            (pieces.label(token), chance)
            for token, chance in zip(tokens.tolist(), chances.tolist(), strict=True)
        ],
    )


def _heads(model: Any, ids: Any) -> list[Head]:
    """The attention of every block's heads, and before them the detector's."""
    seen: list[Any] = []
    detector = model.model.detector
    hook = detector and detector.attention.register_forward_hook(lambda m, i, out: seen.append(out[1]))
    try:
        layers = model(input_ids=ids, use_cache=False, output_attentions=True, logits_to_keep=1).attentions
    finally:
        if hook:
            hook.remove()
    first = 1 - len(seen)
    return [
        Head(first + layer, head + 1, weights.float().cpu().numpy())
        for layer, of_layer in enumerate((*seen, *layers))
        for head, weights in enumerate(of_layer[0])
    ]


def _gates(model: Any, alpha: Any) -> list[Gate]:
    """The resonance of every member beside the core, over the text's alpha [T, N]."""
    import torch

    resonance = model.model.resonance
    with torch.no_grad():
        opened = resonance.gate(alpha.to(resonance.threshold.dtype))
        most = opened.max(0).values
        profile = (
            resonance.profile.sigmoid().max(-1).values if resonance.widths is None else most.new_ones(())
        )
        columns = (
            resonance.threshold, resonance.steepness, opened.mean(0), most, resonance.limit * most * profile
        )  # fmt: skip
        values = torch.stack([column.float() for column in columns], -1).tolist()
    return [Gate(name, *row) for name, row in zip(model.config.members[1:], values, strict=True)]
