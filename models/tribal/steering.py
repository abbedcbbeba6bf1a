"""A member is given a weight, in place of the detector's: the same model, in another voice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from models.tribal.members import folded
from schemas.errors import UsageError

#: What a member has that is named without a weight.
WEIGHT = 0.9
#: The smallest share that is divided by.
_LEAST = 1e-9


def find_member(members: Sequence[str], name: str, where: str = "--member") -> str:
    """The member as the configuration writes it, however case and accents are given. Raises UsageError."""
    for member in members:
        if folded(member) == folded(name):
            return member
    raise UsageError(
        f"{name[:80]!r} is no member of this NOVA", where=where, fix=f"Its members are {', '.join(members)}."
    )


def read_steering(members: Sequence[str], given: str) -> tuple[str, float]:
    """`sora` or `sora=0.85` as member and weight. Raises UsageError."""
    name, equals, share = given.partition("=")
    member = find_member(members, name)
    try:
        weight = float(share) if equals else WEIGHT
    except ValueError:
        weight = -1.0
    if not 0 <= weight <= 1:  # also what is no number
        raise UsageError(
            f"a member's weight is a number from 0 to 1, not {share[:40]!r}", where=f"--member {member}"
        )
    return member, weight


@contextmanager
def steered(model: Any, member: str, weight: float) -> Iterator[None]:
    """Inside the block the member has this weight at every position; the others share the rest as they did before.

    Raises UsageError for a NOVA that detects nothing: there every member has the same weight by design.
    """
    detector, place = model.model.detector, model.config.members.index(member)
    if detector is None:
        raise UsageError(
            "this NOVA weighs its members alike", where="--member", fix="Use one with a learned detector."
        )
    if len(model.config.members) == 1:
        raise UsageError("this NOVA has no member beside its core", where="--member")

    def turn(module: Any, given: Any, log_alpha: Any) -> Any:
        alpha = log_alpha.exp()
        rest = alpha.clone()
        rest[..., place] = 0
        others = rest.sum(-1, keepdim=True)
        # Where the detector is sure of the member, nothing is left to be shared: the others get it alike.
        even = alpha.new_full((alpha.shape[-1],), 1 / (alpha.shape[-1] - 1))
        even[place] = 0
        shares = rest / others.clamp(min=_LEAST)
        shares = shares.where(others > _LEAST, even) * (1 - weight)
        shares[..., place] = weight
        return shares.log()

    hook = detector.register_forward_hook(turn)
    try:
        yield
    finally:
        hook.remove()
