"""What can be asked of the drawing of tokens."""

from __future__ import annotations

import math
from typing import Any

import pytest

from models.tribal.sampling import Sampling, read_sampling
from schemas.errors import UsageError

NOTHING: dict[str, Any] = {"greedy": False, "temperature": None, "top_k": None, "top_p": None, "seed": 0}


@pytest.mark.parametrize(
    ("said", "where"),
    [
        *(
            ({"temperature": value}, "--temperature")
            for value in (0.0, -1.0, math.nan, math.inf, 1e-40, 1e300)
        ),
        *(({"top_p": value}, "--top-p") for value in (0.0, -0.1, 1.01, math.nan)),
        *(({"top_k": value}, "--top-k") for value in (0, -3)),
        *(({"seed": value}, "--seed") for value in (-1, 2**63)),
    ],
)
def test_values_that_cannot_be_are_refused_by_name(said: dict[str, Any], where: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_sampling(**NOTHING | said)
    assert refused.value.where == where


@pytest.mark.parametrize("option", ["temperature", "top_k", "top_p"])
def test_greedy_draws_nothing(option: str) -> None:
    with pytest.raises(UsageError, match=f"--{option.replace('_', '-')} has no meaning"):
        read_sampling(**NOTHING | {"greedy": True, option: 1})


def test_what_is_not_said_has_its_default() -> None:
    assert read_sampling(**NOTHING | {"top_p": 0.5}) == Sampling(top_p=0.5)
    assert read_sampling(**NOTHING | {"top_p": 1.0, "top_k": 1}).top_k == 1
