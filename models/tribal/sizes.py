"""How many weights a NOVA has, counted from its preset alone: no model library is loaded for it."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.settings.tribal import TribalPreset


def parameters_of(preset: TribalPreset) -> int | None:
    """Weights of a preset's NOVA with its whole vocabulary, the head's shared ones once; None for members that only a
    corpus knows."""
    if preset.members is None:
        return None
    return sum(_parts(preset, len(preset.members)))


def _parts(preset: TribalPreset, members: int) -> Iterator[int]:
    width, slots, inner = preset.d_model, members - 1, preset.detector_dim
    yield preset.vocab_size * width + preset.context * width  # tokens (the head is the same table), positions
    norm, linear = 2 * width, width * width
    # The detector: a norm, query, key and value without biases, a hidden layer, a score per member.
    yield norm + 3 * width * inner + inner * inner + inner + inner * members + members
    if preset.mixing == "residual":
        yield 2 * width * slots * preset.member_rank
        yield slots * width  # profiles of resonance
    else:
        yield linear + width + _coloured(preset, members)
    yield preset.layers * (
        2 * norm + 12 * linear + 9 * width
    )  # attention 4 and feed-forward 8 squares, biases
    yield norm + 2 * slots  # the last norm; where and how steeply gates open


def _coloured(preset: TribalPreset, members: int) -> int:
    """Channels of the members beside the core in concat mode: a third, unless the preset says otherwise."""
    if preset.member_widths is not None:
        return preset.d_model - preset.member_widths[0]
    return preset.d_model - 2 * preset.d_model // 3 if members > 1 else 0
