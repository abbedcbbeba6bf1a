"""From the corpus to everything that a training, a comparison or a measurement reads. Trains nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from models.chat_tokenizer import train_tokenizer
from models.tribal.batches import Collator
from models.tribal.corpus import Corpus, read_examples
from models.tribal.documents import Documents, DocumentWriter, LabelCounts
from models.tribal.labels import NOBODY, Labeller
from models.tribal.members import members_of
from models.tribal.tokenizer import ChatEncoder, check_vocabulary, text_of, token_bytes
from models.tribal.windows import cut_windows
from schemas.errors import StageFailed
from schemas.settings.tribal import TribalPreset


@dataclass(frozen=True)
class Split:
    """Conversations of a split, and the windows that they are cut into: int64 [W, 3] of document, start, end.

    `set_aside` counts examples by reason.
    """

    documents: Documents
    windows: Any
    labels: LabelCounts
    set_aside: Counter[str]

    @property
    def lengths(self) -> Any:
        """Tokens of each window, int64 [W]."""
        return self.windows[:, 2] - self.windows[:, 1]


@dataclass(frozen=True)
class Prepared:
    """A corpus made ready. `bytes_of` int64 [V]: the bytes of text that each token stands for.

    Splits that the corpus does not give are empty.
    """

    preset: TribalPreset
    tokenizer: Any
    members: tuple[str, ...]
    bytes_of: Any
    train: Split
    validation: Split
    test: Split

    def collator(self, split: Split, targets: bool = True, length: int | None = None) -> Collator:
        """What makes batches of a split's windows; without targets for a model that has no members."""
        return Collator(
            documents=split.documents,
            windows=split.windows,
            length=length or self.preset.max_length,
            pad=int(self.tokenizer.pad_token_id),
            members=len(self.members) if targets else 0,
            label_ramp=self.preset.label_ramp,
        )


def prepare(preset: TribalPreset, corpus: Corpus) -> Prepared:
    """Learn the tokenizer from the training split, and write all splits as windows of tokens.

    Raises StageFailed (nothing to train on), SettingsError (too small for the vocabulary, a member that is none),
    InputError (an unreadable shard, an intensity that is none).
    """
    authors: Counter[str] = Counter()
    tokenizer = train_tokenizer(_survey(corpus, authors), preset.vocab_size, preset.context)
    if not authors.total():
        raise StageFailed(
            "there is nothing to train on: the corpus has no training example", fix="Build a corpus first."
        )
    check_vocabulary(tokenizer, preset.vocab_size)
    members = members_of(preset, {name: count for name, count in authors.items() if name})
    splits = {
        name: _split(preset, tokenizer, members, corpus, name) for name in ("train", "validation", "test")
    }
    check_trainable(splits["train"], preset)
    return Prepared(preset, tokenizer, members, token_bytes(tokenizer), **splits)


def with_test(prepared: Prepared, corpus: Corpus) -> Prepared:
    """The same with the test split, which a training leaves closed until all is learned. Raises InputError."""
    return replace(
        prepared, test=_split(prepared.preset, prepared.tokenizer, prepared.members, corpus, "test")
    )


def check_test(prepared: Prepared, corpus: Corpus) -> None:
    """Look at the labels of the test split and at nothing else: one that is none would else be found when all is
    trained. Raises InputError.
    """
    labeller = Labeller(prepared.members, prepared.preset.default_intensity)
    for example in read_examples(corpus.get("test", ())):
        for message in example.messages:
            labeller.label(message, example.example_id)


def shuffle_labels(split: Split, seed: int) -> Split:
    """The same text with the labels of other conversations: what labels are worth is what this loses.

    Each conversation gets the labelled turns of another one in order, over and over where it has more turns; where
    nobody is known to speak, nobody is.
    """
    documents = split.documents
    known = np.flatnonzero(documents.member != NOBODY)
    owner = np.searchsorted(documents.starts, _first_tokens(documents)[known], side="right") - 1
    groups = np.split(known, np.flatnonzero(np.diff(owner)) + 1) if len(known) else []
    order = np.random.default_rng(seed).permutation(len(groups))
    member, strength = documents.member.copy(), documents.strength.copy()
    # Along one cycle through all conversations, so that none keeps its own.
    for place, number in enumerate(order):
        given = np.resize(groups[order[place - 1]], len(groups[number]))
        member[groups[number]] = documents.member[given]
        strength[groups[number]] = documents.strength[given]
    return replace(split, documents=replace(documents, member=member, strength=strength))


def check_trainable(train: Split, preset: TribalPreset) -> None:
    """There is loss, and enough text for a batch. Raises StageFailed."""
    tokens, batch = len(train.documents.ids), preset.batch_size * preset.max_length
    if not tokens:
        raise StageFailed(
            f"nothing to train on: none of {train.set_aside.total()} examples has a turn that carries loss",
            fix="Look at what the filter masked, or set learn: everything in the NOVA preset.",
        )
    if tokens < batch:
        raise StageFailed(
            f"the corpus has {tokens} tokens, fewer than one batch of {preset.batch_size} x {preset.max_length}",
            fix="Lower batch_size or max_length in the NOVA preset, or train on more.",
        )


def _survey(corpus: Corpus, authors: Counter[str]) -> Iterator[str]:
    """All texts of the training split, for the tokenizer; authors of replies are counted on the way ("": none)."""
    for example in read_examples(corpus.get("train", ())):
        authors[""] += 1
        for message in example.messages:
            if message["role"] == "assistant" and message["author"]:
                authors[message["author"]] += 1
            yield text_of(message["content"], example.language)


def _split(
    preset: TribalPreset, tokenizer: Any, members: tuple[str, ...], corpus: Corpus, name: str
) -> Split:
    writer = DocumentWriter(ChatEncoder(tokenizer), members, preset.default_intensity, preset.learn)
    documents = writer.write(corpus, name)
    return Split(documents, cut_windows(documents, preset.max_length), writer.labels, writer.set_aside)


def _first_tokens(documents: Documents) -> Any:
    """Where each turn begins."""
    return np.flatnonzero(np.diff(documents.turn, prepend=-1))
