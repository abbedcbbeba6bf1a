"""The embedder, with a tiny BERT of random weights made on the spot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.embedding import open_embedder, weights_digest
from schemas.errors import MissingModel, SettingsError
from schemas.settings import DedupSettings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    made = tmp_path_factory.mktemp("bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "hearth", "is", "warm", "cold"]
    (made / "vocab.txt").write_text("\n".join(words), "utf-8")
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=32,
    )  # fmt: skip
    BertModel(config).save_pretrained(made)
    BertTokenizerFast(str(made / "vocab.txt")).save_pretrained(made)
    return made


def test_vectors_are_of_unit_length_and_do_not_depend_on_the_batch(folder: Path) -> None:
    embed = open_embedder(DedupSettings(semantic=str(folder)))
    assert embed is not None
    texts = ["the hearth is warm", "cold", "the hearth is cold " * 50, ""]
    together, alone = embed(texts), np.concatenate([embed([text]) for text in texts])
    assert together.shape == (4, 16)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert together[0] @ together[1] < 0.999


def test_no_model_is_opened_where_none_is_asked_for() -> None:
    assert open_embedder(DedupSettings()) is None


def test_a_missing_model_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingModel, match=r"no embedding model.*dedup.semantic names a folder"):
        open_embedder(DedupSettings(semantic=str(tmp_path)))


def test_other_weights_than_planned_are_refused(folder: Path) -> None:
    digest = weights_digest(folder)
    assert open_embedder(DedupSettings(semantic=str(folder), semantic_digest=digest)) is not None
    with pytest.raises(SettingsError, match="have changed"):
        open_embedder(DedupSettings(semantic=str(folder), semantic_digest="0" * 32))
