"""A Detoxify checkpoint in the real format and of a size that a test can afford."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

ORIGINAL = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
UNBIASED = (
    "toxicity", "severe_toxicity", "obscene", "identity_attack", "insult", "threat", "sexual_explicit",
)  # fmt: skip
WORDS = (
    "you", "are", "a", "the", "and", "we", "they", "fool", "kind", "dear", "good", "bad", "day", "house",
    "tree", "love", "hate", "ion", "ana", "noapte", "casa", "mere",
)  # fmt: skip
Writer = Callable[..., Path]


def _write_model(folder: Path) -> int:
    """Config and WordPiece tokenizer of a tiny BERT; returns the size of its vocabulary."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,!?'ăâîșț"
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *letters, *(f"##{c}" for c in letters)]
    vocab = list(dict.fromkeys(vocab))
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(vocab) + "\n", "utf-8")
    config = {
        "model_type": "bert", "architectures": ["BertForMaskedLM"], "vocab_size": len(vocab),
        "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
        "max_position_embeddings": 512,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    tokenizer = {"tokenizer_class": "BertTokenizer", "model_max_length": 512, "do_lower_case": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer), "utf-8")
    return len(vocab)


def _write_checkpoint(path: Path, model: Path, classes: tuple[str, ...], outputs: int, seed: int) -> None:
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(seed)
    bert = BertForSequenceClassification(BertConfig.from_pretrained(str(model), num_labels=outputs))
    for weights in bert.parameters():  # fresh weights are so small that every text would get the same score
        torch.nn.init.normal_(weights, std=0.4)
    arch = {
        "type": "BERT",
        "args": {
            "num_classes": outputs, "model_type": "bert-base-uncased",
            "model_name": "BertForSequenceClassification", "tokenizer_name": "BertTokenizer",
        },
    }  # fmt: skip
    dataset = {
        "type": "JigsawDataOriginal",
        "args": {"train_csv_file": "train.csv", "classes": list(classes)},
    }
    config = {"name": "Jigsaw_BERT", "n_gpu": 1, "batch_size": 10, "arch": arch, "dataset": dataset}
    # Checkpoints of that time also hold this buffer, which today's models no longer have.
    buffer = {"bert.embeddings.position_ids": torch.arange(512).expand((1, -1))}
    torch.save({"state_dict": {**bert.state_dict(), **buffer}, "config": config}, path)


@pytest.fixture(scope="session")
def write_detoxify() -> Writer:
    """Write a variant's folder under a cache: `write(cache, variant, classes=..., outputs=...) -> folder`."""

    def write(
        cache: Path,
        variant: str = "original",
        classes: tuple[str, ...] = ORIGINAL,
        outputs: int | None = None,
        seed: int = 0,
    ) -> Path:
        folder = cache / "detoxify" / variant
        _write_model(folder / "model")
        _write_checkpoint(
            folder / "checkpoint.ckpt", folder / "model", classes, outputs or len(classes), seed
        )
        return folder

    return write


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
