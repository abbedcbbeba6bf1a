"""Detoxify checkpoints for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.models.toxicity.checkpoints import UNBIASED, WORDS, write_detoxify_variant

Writer = Callable[..., Path]


@pytest.fixture(scope="session")
def write_detoxify() -> Writer:
    """Write a variant's folder under a cache: `write(cache, variant, classes=..., outputs=...) -> folder`."""
    return write_detoxify_variant


@pytest.fixture(scope="session")
def tiny_cache(tmp_path_factory: pytest.TempPathFactory, write_detoxify: Writer) -> Path:
    """A cache that holds the variant `original`; tests must not change it."""
    cache = tmp_path_factory.mktemp("cache")
    write_detoxify(cache)
    return cache


@pytest.fixture
def write_roberta() -> Writer:
    """Write a tiny RoBERTa with its tokenizer as the variant `unbiased`: `write(cache) -> folder`."""

    def write(cache: Path) -> Path:
        import torch
        from tokenizers import ByteLevelBPETokenizer
        from transformers import RobertaConfig, RobertaForSequenceClassification

        folder = cache / "detoxify" / "unbiased"
        (folder / "model").mkdir(parents=True)
        special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
        bpe = ByteLevelBPETokenizer()
        bpe.train_from_iterator(WORDS, vocab_size=300, special_tokens=special, show_progress=False)
        bpe.save_model(str(folder / "model"))
        (folder / "model/tokenizer_config.json").write_text('{"model_max_length": 512}')
        config = RobertaConfig(
            vocab_size=bpe.get_vocab_size(), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=32, max_position_embeddings=514, type_vocab_size=1, num_labels=16,
        )  # fmt: skip
        config.save_pretrained(folder / "model")
        torch.manual_seed(1)
        model = RobertaForSequenceClassification(config)
        for weights in model.parameters():
            torch.nn.init.normal_(weights, std=0.4)
        arch = {
            "num_classes": 16, "model_type": "roberta-base",
            "model_name": "RobertaForSequenceClassification", "tokenizer_name": "RobertaTokenizer",
        }  # fmt: skip
        saved = {"arch": {"type": "ROBERTA", "args": arch}, "dataset": {"args": {"classes": list(UNBIASED)}}}
        torch.save({"state_dict": model.state_dict(), "config": saved}, folder / "checkpoint.ckpt")
        return folder

    return write
