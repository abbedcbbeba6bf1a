"""Reads a split through a model: what every token costs, and which alpha stands there. No gradients, no randomness."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.tribal.batches import IGNORED
from models.tribal.documents import Documents
from models.tribal.evaluation.detection import Tokens
from models.tribal.labels import NOBODY
from models.tribal.preparing import Prepared, Split
from schemas.nova_evaluation import ConversationScore

#: Logits that a batch may hold at most (fp32: 256 MiB), and windows.
_LOGITS, _WINDOWS = 1 << 26, 32
#: Of a turn whose member has less than this, the core says the more.
_HALF = 0.5


@dataclass
class _Sums:
    nats: float = 0.0
    tokens: int = 0
    size: int = 0


@dataclass
class Read:
    """What was read: sums by conversation, and labelled tokens window by window."""

    sums: dict[int, _Sums] = field(default_factory=lambda: defaultdict(_Sums))
    tokens: list[Tokens] = field(default_factory=list)

    def scores(self, documents: Documents) -> tuple[ConversationScore, ...]:
        """Conversations with a counted token, in the corpus's order."""
        return tuple(
            ConversationScore(
                conversation_id=documents.conversation_ids[number],
                nats=found.nats,
                tokens=found.tokens,
                bytes=found.size,
            )
            for number, found in sorted(self.sums.items())
            if found.tokens
        )

    def labelled(self, members: int) -> Tokens:
        """All labelled tokens as one."""
        empty = Tokens(np.zeros((0, members)), *(np.zeros(0, np.int64) for _ in range(3)))
        some = [empty, *self.tokens]
        return Tokens(
            np.concatenate([one.alpha for one in some]),
            np.concatenate([one.member for one in some]),
            np.concatenate([one.conversation for one in some]),
            np.concatenate([one.place for one in some]),
        )


def read_split(
    model: Any,
    prepared: Prepared,
    split: Split,
    windows: Sequence[int],
    alpha: bool,
    heard: Callable[[int, int], None] = lambda done, total: None,
) -> Read:
    """Each window by itself through the model, in eval mode; `alpha`: the model has a detector.

    `heard` is told of windows done and in all. The model's mode and device are afterwards what they were before.
    """
    read, done, spoken = Read(), 0, spoken_by(split.documents)
    with _reading(model):
        for numbers in _batches(split, windows, int(model.config.vocab_size)):
            nats, weights = _forward(model, prepared, split, numbers, alpha)
            for place, number in enumerate(numbers):
                seen = None if weights is None else weights[place]
                _note(read, prepared, split, number, spoken, nats[place], seen)
            done += len(numbers)
            heard(done, len(windows))
    return read


@contextmanager
def _reading(model: Any) -> Iterator[None]:
    """Inside the block the model is in eval mode, on a GPU where there is one, and nothing is kept for gradients."""
    import torch

    training, device = model.training, model.device
    model.eval()
    if torch.cuda.is_available():
        model.to("cuda")
    try:
        with torch.inference_mode():
            yield
    finally:
        model.to(device).train(training)


def _batches(split: Split, windows: Sequence[int], vocabulary: int) -> Iterator[list[int]]:
    """Windows of like length together, so that little is padded."""
    lengths = split.lengths
    ordered = sorted(windows, key=lambda number: (-int(lengths[number]), number))
    start = 0
    while start < len(ordered):
        longest = int(lengths[ordered[start]])
        size = max(1, min(_WINDOWS, _LOGITS // (longest * vocabulary)))
        yield ordered[start : start + size]
        start += size


def _forward(
    model: Any, prepared: Prepared, split: Split, numbers: Sequence[int], alpha: bool
) -> tuple[Any, Any]:
    """Nats [B, L], of what carries no loss 0, and alpha [B, L, N] or None."""
    import torch

    longest = max(int(split.lengths[number]) for number in numbers)
    batch = prepared.collator(split, targets=False, length=longest)([[number] for number in numbers])
    device = model.device
    # Padding stands behind the text, where no causal model sees it: positions are those that it counts itself.
    wanted = {"return_alpha": True} if alpha else {}
    output = model(input_ids=batch["input_ids"].to(device), use_cache=False, **wanted)
    labels = batch["labels"][:, 1:].to(device)
    logits = output.logits[:, :-1].float()
    nats = torch.nn.functional.cross_entropy(
        logits.reshape(-1, logits.shape[-1]), labels.reshape(-1), ignore_index=IGNORED, reduction="none"
    ).view(labels.shape)
    padded = torch.nn.functional.pad(nats, (1, 0)).double().cpu().numpy()
    return padded, output.alpha.double().cpu().numpy() if alpha else None


def _note(
    read: Read, prepared: Prepared, split: Split, number: int, spoken: Any, nats: Any, alpha: Any
) -> None:
    """Add a window's tokens to the sums of its conversation, and its labelled ones to the tokens."""
    document, start, stop = (int(value) for value in split.windows[number])
    documents, length = split.documents, stop - start
    counted = documents.learn[start:stop].copy()
    counted[0] = False
    sums = read.sums[document]
    sums.nats += float(nats[:length][counted].sum())
    sums.tokens += int(counted.sum())
    sums.size += int(prepared.bytes_of[documents.ids[start:stop][counted]].sum())
    if alpha is None:
        return
    turns = documents.turn[start:stop]
    member = spoken[turns]
    known = member != NOBODY
    read.tokens.append(
        Tokens(alpha[:length], member, np.full(length, document, np.int64), _places(turns)).taken(known)
    )


def spoken_by(documents: Documents) -> Any:
    """The member that says most of each turn, int64 [turns], or NOBODY: the core where the member has under a half."""
    member = documents.member.astype(np.int64)
    return np.where((member != NOBODY) & (documents.strength < _HALF), 0, member)


def _places(turns: Any) -> Any:
    """Where each token stands in its turn, as far as the window shows it, from 1: int64 [n]."""
    begins = np.flatnonzero(np.diff(turns, prepend=-1))
    lengths = np.diff(np.append(begins, len(turns)))
    return np.arange(1, len(turns) + 1) - np.repeat(begins, lengths)
