"""No token is lost when conversations are cut and packed, none sees another's window, and targets are aligned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.tribal.batches import IGNORED, Collator
from models.tribal.documents import Documents
from models.tribal.labels import NOBODY
from models.tribal.windows import cut_windows, pack_windows

#: Conversations: for each turn its number of tokens, its member (or NOBODY), its strength, whether it carries loss.
TURN = st.tuples(st.integers(2, 40), st.integers(-1, 3), st.floats(0, 1, width=32), st.booleans())
CONVERSATIONS = st.lists(st.lists(TURN, min_size=1, max_size=6), max_size=8)


def documents_of(conversations: list[list[tuple[int, int, float, bool]]]) -> Documents:
    turns = [turn for conversation in conversations for turn in conversation]
    lengths = np.array([turn[0] for turn in turns], np.int64)
    learn = [np.r_[False, np.full(length - 1, learns)] for length, _, _, learns in turns]
    sizes = [sum(turn[0] for turn in conversation) for conversation in conversations]
    names = tuple(str(number) for number in range(len(conversations)))
    return Documents(
        ids=np.arange(lengths.sum(), dtype=np.int32) + 10,
        learn=np.concatenate(learn) if learn else np.zeros(0, bool),
        turn=np.repeat(np.arange(len(turns), dtype=np.int32), lengths),
        starts=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        member=np.array([turn[1] for turn in turns], np.int16),
        strength=np.array([turn[2] for turn in turns], np.float32),
        example_ids=names,
        conversation_ids=names,
        phases=({1: 1},) * len(names),
    )


@given(CONVERSATIONS, st.integers(4, 64))
@settings(max_examples=200, deadline=None)
def test_no_token_is_lost_by_cutting_and_none_is_there_twice(conversations: Any, max_length: int) -> None:
    documents = documents_of(conversations)
    windows = cut_windows(documents, max_length)
    read = [documents.ids[start:stop] for _, start, stop in windows]
    assert np.array_equal(np.concatenate([*read, np.zeros(0, np.int32)]), documents.ids)
    for number, start, stop in windows:
        assert 0 < stop - start <= max_length
        assert documents.starts[number] <= start
        assert stop <= documents.starts[number + 1]


@given(CONVERSATIONS, st.integers(4, 64))
@settings(max_examples=200, deadline=None)
def test_a_window_ends_within_a_turn_only_where_no_turn_ends_in_it(
    conversations: Any, max_length: int
) -> None:
    documents = documents_of(conversations)
    for _, start, stop in cut_windows(documents, max_length):
        turns = documents.turn[start:stop]
        whole = stop == len(documents.ids) or documents.turn[stop] != turns[-1]
        assert whole or (turns[0] == turns[-1] and stop - start == max_length)


@given(st.lists(st.integers(1, 64), max_size=60), st.integers(64, 100))
@settings(max_examples=200, deadline=None)
def test_every_window_is_in_one_row_that_holds_it(lengths: list[int], max_length: int) -> None:
    rows = pack_windows(lengths, max_length)
    assert sorted(number for row in rows for number in row) == list(range(len(lengths)))
    filled = [sum(lengths[number] for number in row) for row in rows]
    assert all(0 < size <= max_length for size in filled)
    # Best fit: no two rows could have been one.
    assert all(a + b > max_length for i, a in enumerate(filled) for b in filled[i + 1 :])
    assert pack_windows(lengths, max_length) == rows


@given(CONVERSATIONS, st.integers(8, 64), st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_rows_keep_ids_labels_positions_and_targets_together(
    conversations: Any, length: int, ramp: int
) -> None:
    documents = documents_of(conversations)
    windows = cut_windows(documents, length)
    rows = pack_windows((windows[:, 2] - windows[:, 1]).tolist(), length)
    batch = Collator(documents, windows, length, 0, 4, ramp)(rows)
    seen = 0
    for place, row in enumerate(rows):
        at = 0
        for number in row:
            _, start, stop = windows[number]
            for token in range(start, stop):
                check_token(documents, batch, place, at + token - start, token, token - start, ramp)
            at, seen = at + stop - start, seen + stop - start
        assert (batch["input_ids"][place, at:] == 0).all()
        assert (batch["labels"][place, at:] == IGNORED).all()
        assert (batch["member_targets"][place, at:] == 0).all()
        assert batch["position_ids"][place, at:].tolist() == list(range(length - at))
    assert seen == len(documents.ids)


def check_token(
    documents: Documents, batch: Any, place: int, at: int, token: int, within: int, ramp: int
) -> None:
    assert batch["input_ids"][place, at] == documents.ids[token]
    assert batch["position_ids"][place, at] == within
    learns = documents.learn[token] and within > 0
    assert batch["labels"][place, at] == (documents.ids[token] if learns else IGNORED)
    turn = documents.turn[token]
    expected = np.zeros(4, np.float32)
    if documents.member[turn] != NOBODY:
        weight, strength = min(1, (within + 1) / ramp), documents.strength[turn]
        expected[0] += weight * (1 - strength)
        expected[documents.member[turn]] += weight * strength
    assert batch["member_targets"][place, at].numpy() == pytest.approx(expected, abs=1e-6)


def test_a_packed_row_gives_each_window_what_it_has_alone(prepared: Any) -> None:
    """The real model: neither loss nor logits of a window depend on what stands beside it in the row."""
    from models.tribal.job import build_nova, nova_config

    model = build_nova(nova_config(prepared), 1).eval()
    collate = prepared.collator(prepared.train, length=64)
    chosen = [int(number) for number in np.argsort(prepared.train.lengths)[:3]]
    lengths = prepared.train.lengths[chosen]
    assert lengths.sum() <= 64
    with torch.no_grad():
        packed = model(**collate([chosen]))
        alone = [model(**collate([[number]])) for number in chosen]
    for number, length, start in zip(range(3), lengths, np.cumsum([0, *lengths[:-1]]), strict=True):
        difference = packed.logits[0, start : start + length] - alone[number].logits[0, :length]
        assert float(difference.abs().max()) < 1e-5
    counts = [int((collate([[n]])["labels"][:, 1:] != IGNORED).sum()) for n in chosen]
    losses = sum(float(one.lm_loss) * count for one, count in zip(alone, counts, strict=True) if count)
    assert float(packed.lm_loss) * sum(counts) == pytest.approx(losses, rel=1e-5)
