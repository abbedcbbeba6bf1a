"""How the next token is drawn, checked before a model is opened."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.errors import UsageError

TEMPERATURE, TOP_K, TOP_P = 0.8, 50, 1.0
#: Beyond these, logits divided by the temperature leave the range of fp32.
COLDEST, HOTTEST = 1e-4, 1e4
#: What the library's random numbers can begin with.
SEEDS = 2**63


@dataclass(frozen=True)
class Sampling:
    """Greedy: always the likeliest token. Else one of the `top_k` likeliest that make up `top_p` of the probability,
    the logits divided by `temperature` before. `seed`: what chance begins with.
    """

    greedy: bool = False
    temperature: float = TEMPERATURE
    top_k: int = TOP_K
    top_p: float = TOP_P
    seed: int = 0


def read_sampling(
    *,
    greedy: bool,
    temperature: float | None,
    top_k: int | None,
    top_p: float | None,
    seed: int,
) -> Sampling:
    """What was asked for; None stands for what was not said. Raises UsageError for what cannot be."""
    said = {"--temperature": temperature, "--top-k": top_k, "--top-p": top_p}
    drawn = [option for option, value in said.items() if value is not None]
    if greedy and drawn:
        raise UsageError(
            f"--greedy draws nothing, so {drawn[0]} has no meaning beside it",
            fix=f"Leave out --greedy or {' and '.join(drawn)}.",
        )
    if temperature is not None and not COLDEST <= temperature <= HOTTEST:  # also what is no number
        raise UsageError(
            f"a temperature is a number above 0 ({COLDEST:g} to {HOTTEST:g}), not {temperature:g}",
            where="--temperature",
            fix="For the likeliest token each time, say --greedy.",
        )
    if top_p is not None and not 0 < top_p <= 1:
        raise UsageError(f"a share of probability is above 0 and at most 1, not {top_p:g}", where="--top-p")
    if top_k is not None and top_k < 1:
        raise UsageError(f"at least 1 token must be left to choose from, not {top_k}", where="--top-k")
    if not 0 <= seed < SEEDS:
        raise UsageError(f"a seed is a whole number from 0 to 2^63 - 1, not {seed}", where="--seed")
    return Sampling(
        greedy,
        TEMPERATURE if temperature is None else temperature,
        TOP_K if top_k is None else top_k,
        TOP_P if top_p is None else top_p,
        seed,
    )
