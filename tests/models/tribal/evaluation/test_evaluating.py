"""What is read of a split: every counted token once, with the bytes it stands for."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from models.tribal.evaluation import evaluate, evaluate_trained
from models.tribal.evaluation.evaluating import chosen_windows
from models.tribal.evaluation.reading import read_split, spoken_by
from models.tribal.job import build_nova, nova_config
from models.tribal.labels import NOBODY
from models.tribal.preparing import Prepared, prepare
from schemas.settings import TribalPreset

Shards = dict[str, list[Path]]


@pytest.fixture(scope="module")
def prepared(tiny: TribalPreset, voices: Shards) -> Prepared:
    return prepare(tiny, voices)


def test_a_model_that_knows_nothing_pays_for_the_vocabulary(prepared: Prepared) -> None:
    """All logits equal: every counted token costs ln V, so the figures are known without a model."""
    model = build_nova(nova_config(prepared), 1)
    torch.nn.init.zeros_(model.lm_head.weight)
    found, scores = evaluate(model, prepared, "test")
    tokens, vocabulary = found.language.tokens, len(prepared.tokenizer)
    assert sum(score.nats for score in scores) == pytest.approx(tokens * math.log(vocabulary), rel=1e-6)
    assert found.language.perplexity.value == pytest.approx(vocabulary, rel=1e-6)
    bits = tokens * math.log2(vocabulary) / found.language.bytes
    assert found.language.bits_per_byte.value == pytest.approx(bits, rel=1e-6)


def test_every_byte_of_the_texts_is_counted_once(prepared: Prepared) -> None:
    """All that people said, but for the first token of a window that begins within a turn: nobody foretells it."""
    model = build_nova(nova_config(prepared), 1)
    found, scores = evaluate(model, prepared, "test")
    texts = prepared.tokenizer.batch_decode(
        [list(prepared.test.documents.ids)], skip_special_tokens=True, clean_up_tokenization_spaces=False
    )
    documents, begins = prepared.test.documents, prepared.test.windows[:, 1]
    assert len(begins) > len(scores)  # some conversations are longer than a window
    unseen = int(prepared.bytes_of[documents.ids[begins]].sum())
    assert found.language.bytes == len(texts[0].encode()) - unseen
    assert [score.conversation_id for score in scores] == list(documents.conversation_ids)
    assert found.language.tokens == int(documents.learn.sum()) - int(documents.learn[begins].sum())
    assert (found.split, found.windows, found.windows_left_out) == ("test", len(prepared.test.windows), 0)


def test_batches_and_padding_change_nothing(prepared: Prepared) -> None:
    model = build_nova(nova_config(prepared), 1)
    split = prepared.test
    together = read_split(model, prepared, split, range(len(split.windows)), alpha=True)
    for number in (0, 5, len(split.windows) - 1):
        alone = read_split(model, prepared, split, [number], alpha=True)
        document = int(split.windows[number, 0])
        if int((split.windows[:, 0] == document).sum()) == 1:
            assert alone.sums[document].nats == pytest.approx(together.sums[document].nats, rel=1e-5)


def test_the_nats_are_those_of_the_models_own_loss(prepared: Prepared) -> None:
    model = build_nova(nova_config(prepared), 2).eval()
    batch = prepared.collator(prepared.test)([[3]])
    with torch.no_grad():
        loss = float(model(**batch).lm_loss)
    read = read_split(model, prepared, prepared.test, [3], alpha=False)
    (found,) = read.sums.values()
    assert found.nats / found.tokens == pytest.approx(loss, rel=1e-5)


def test_labelled_tokens_are_those_of_members_and_count_from_their_turn(prepared: Prepared) -> None:
    model = build_nova(nova_config(prepared), 1)
    split = prepared.test
    tokens = read_split(model, prepared, split, range(len(split.windows)), alpha=True).labelled(3)
    member = spoken_by(split.documents)[split.documents.turn]
    assert len(tokens.member) == int((member != NOBODY).sum())
    assert set(tokens.member.tolist()) == {1, 2}  # the stranger is nobody, the core says nothing
    assert np.allclose(tokens.alpha.sum(1), 1)
    assert tokens.place.min() == 1
    first = tokens.taken(tokens.place == 1)
    assert len(np.unique(first.conversation)) == 16
    pieces = [np.unique(split.documents.turn[start:stop]) for _, start, stop in split.windows]
    labelled = sum(int((spoken_by(split.documents)[turns] != NOBODY).sum()) for turns in pieces)
    assert len(first.member) == labelled  # a turn that goes on in another window begins anew there


def test_a_turn_of_little_intensity_is_the_cores(prepared: Prepared) -> None:
    documents = prepared.test.documents
    faint = dataclasses.replace(documents, strength=np.where(documents.member == 1, 0.4, documents.strength))
    assert (spoken_by(faint)[documents.member == 1] == 0).all()
    assert (spoken_by(faint)[documents.member == 2] == 2).all()
    assert (spoken_by(faint)[documents.member == NOBODY] == NOBODY).all()


def test_the_model_is_left_as_it_was(prepared: Prepared) -> None:
    model = build_nova(nova_config(prepared, dropout=0.5), 1).train()
    first, second = (evaluate(model, prepared, "test")[0] for _ in range(2))
    assert first == second
    assert model.training


def test_without_a_test_split_it_is_validation_and_without_both_nothing(
    tiny: TribalPreset, voices: Shards
) -> None:
    held = prepare(tiny, {name: voices[name] for name in ("train", "validation")})
    model = build_nova(nova_config(held), 1)
    found = evaluate_trained(model, held)
    assert found is not None
    assert found.split == "validation"
    assert evaluate_trained(model, prepare(tiny, {"train": voices["train"]})) is None


def test_uniform_alpha_detects_nobody(prepared: Prepared) -> None:
    model = build_nova(nova_config(prepared, detector="uniform"), 1)
    assert evaluate(model, prepared, "test")[0].detection is None


def test_too_much_is_drawn_by_whole_conversations(prepared: Prepared) -> None:
    split = prepared.train
    assert chosen_windows(split) == list(range(len(split.windows)))
    for limits in ((20, 10**9), (10**9, 1000), (10**9, 1)):
        some = chosen_windows(split, *limits)
        assert some == chosen_windows(split, *limits)
        documents = set(split.windows[some, 0].tolist())
        assert len(some) == int(np.isin(split.windows[:, 0], list(documents)).sum())
        assert 1 <= len(documents) <= limits[0]
        assert int(split.lengths[some].sum()) <= limits[1] or len(documents) == 1
