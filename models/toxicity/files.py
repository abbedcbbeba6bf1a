"""The files that a scorer needs in the cache, and their digest. Imports nothing heavy.

<cache>/detoxify/<variant>/checkpoint.ckpt    as its makers published it
<cache>/detoxify/<variant>/model/             config.json and tokenizer files of its base model
<cache>/detoxify/<variant>/source.json        where they came from (written by fetch, not needed to score)
"""

from __future__ import annotations

import hashlib
import zipfile
from functools import partial
from importlib.metadata import version
from pathlib import Path

from models.toxicity.names import variant_of
from schemas.errors import MissingModel
from schemas.ids import DIGEST_BYTES, hash_fields

CHECKPOINT, MODEL, SOURCE = "checkpoint.ckpt", "model", "source.json"
CONFIG = "config.json"
#: Each of these alone (together with what stands beside it) defines a tokenizer.
_TOKENIZERS = (
    ("tokenizer.json",),
    ("vocab.txt",),
    ("vocab.json", "merges.txt"),
    ("sentencepiece.bpe.model",),
    ("spiece.model",),
)
#: What can change a score; a README beside them cannot.
MODEL_FILES = (
    CONFIG, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    *(name for group in _TOKENIZERS for name in group),
)  # fmt: skip


def variant_folder(cache: Path, variant: str) -> Path:
    """Where the files of a Detoxify variant lie."""
    return cache / "detoxify" / variant


def scorer_digest(name: str, cache: Path) -> str:
    """Digest of everything that the scores of `name` come from: weights, config and tokenizer by content.

    Cheap: it reads the files once and loads no library. `none` has the digest `none`, `profanity` one of its
    package's version. Raises MissingModel when a file that the scorer needs is not there.
    """
    variant = variant_of(name)
    if name == "none":
        return "none"
    if variant is None:
        return hash_fields(name, version("alt-profanity-check"))
    folder = variant_folder(cache, variant)
    check_files(folder, variant)
    model = folder / MODEL
    fields = ["detoxify", file_digest(folder / CHECKPOINT)]
    for file in sorted(MODEL_FILES):
        if (model / file).is_file():
            fields += [file, file_digest(model / file)]
    return hash_fields(*fields)


def check_files(folder: Path, variant: str) -> None:
    """Raise MissingModel, saying which file is missing or torn, unless `folder` looks complete."""
    checkpoint, model = folder / CHECKPOINT, folder / MODEL
    if not folder.is_dir():
        raise missing(variant, "its weights are not on this machine", folder)
    if not checkpoint.is_file():
        raise missing(variant, f"{CHECKPOINT} is missing", folder)
    if _is_torn(checkpoint):
        raise missing(variant, f"{CHECKPOINT} is torn (a download that broke off?)", checkpoint)
    if not (model / CONFIG).is_file():
        raise missing(variant, f"{MODEL}/{CONFIG} is missing", folder)
    if not any(all((model / file).is_file() for file in group) for group in _TOKENIZERS):
        raise missing(variant, f"{MODEL}/ holds no tokenizer file (tokenizer.json or vocab.txt, say)", folder)


def missing(variant: str, problem: str, place: Path) -> MissingModel:
    """The error for a Detoxify variant that cannot be used: what is wrong, how to get it, or what else."""
    return MissingModel(
        f"the toxicity scorer detoxify:{variant} cannot be used: {problem}",
        where=str(place),
        fix=f"Fetch it with `vatra fetch toxicity --variant {variant}`, or choose another scorer: "
        "`--set toxicity.scorer=profanity` (English only, needs nothing) or `--set toxicity.scorer=none`.",
    )


def file_digest(path: Path) -> str:
    """BLAKE2b-128 of a file's content, in hexadecimal, without holding the file in memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, partial(hashlib.blake2b, digest_size=DIGEST_BYTES)).hexdigest()


def _is_torn(checkpoint: Path) -> bool:
    """True for an empty file and for a zip archive without its end; other damage shows when it is loaded."""
    with checkpoint.open("rb") as file:
        start = file.read(2)
    return not start or (start == b"PK" and not zipfile.is_zipfile(checkpoint))
