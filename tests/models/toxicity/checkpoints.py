"""Writes a Detoxify checkpoint in the real format and of a size that a test can afford."""

from __future__ import annotations

import json
from pathlib import Path

ORIGINAL = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
UNBIASED = (
    "toxicity", "severe_toxicity", "obscene", "identity_attack", "insult", "threat", "sexual_explicit",
)  # fmt: skip
WORDS = (
    "you", "are", "a", "the", "and", "we", "they", "fool", "kind", "dear", "good", "bad", "day", "house",
    "tree", "love", "hate", "ion", "ana", "noapte", "casa", "mere",
)  # fmt: skip


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


def write_detoxify_variant(
    cache: Path,
    variant: str = "original",
    classes: tuple[str, ...] = ORIGINAL,
    outputs: int | None = None,
    seed: int = 0,
) -> Path:
    """The variant's folder under a cache: checkpoint, config and tokenizer, with random weights."""
    folder = cache / "detoxify" / variant
    _write_model(folder / "model")
    _write_checkpoint(folder / "checkpoint.ckpt", folder / "model", classes, outputs or len(classes), seed)
    return folder
