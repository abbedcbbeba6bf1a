"""Packed rows as batches of tensors: token ids, positions, labels, and who speaks at each token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.tribal.documents import Documents
from models.tribal.labels import NOBODY

#: The label of a token that carries no loss.
IGNORED = -100


@dataclass(frozen=True)
class Collator:
    """Makes a batch of rows [B, L], each of windows one behind the other and padding at its end.

    `input_ids`, `position_ids` (which begin anew with every window, so that none sees another) and `labels` (no loss
    across windows) are int64 [B, L]; `member_targets` float32 [B, L, N]: the label of the turn times the ramp, zeros
    where nobody is known to speak. Without members there are no targets.
    """

    documents: Documents
    windows: Any
    length: int
    pad: int
    members: int
    label_ramp: int

    def __call__(self, rows: Sequence[Sequence[int]]) -> dict[str, Any]:
        """Rows of window numbers as tensors."""
        import torch

        shape = (len(rows), self.length)
        batch = {
            "input_ids": np.full(shape, self.pad, np.int64),
            "position_ids": np.zeros(shape, np.int64),
            "labels": np.full(shape, IGNORED, np.int64),
        }
        if self.members:
            batch["member_targets"] = np.zeros((*shape, self.members), np.float32)
        for place, row in enumerate(rows):
            at = 0
            for number in row:
                at = self._put(batch, place, at, number)
            batch["position_ids"][place, at:] = np.arange(self.length - at)
        return {name: torch.from_numpy(values) for name, values in batch.items()}

    def _put(self, batch: dict[str, Any], place: int, at: int, number: int) -> int:
        """Write a window into its row from column `at` on; returns the column behind it."""
        _, start, stop = self.windows[number]
        end, source = at + int(stop - start), self.documents
        ids = source.ids[start:stop]
        batch["input_ids"][place, at:end] = ids
        batch["position_ids"][place, at:end] = np.arange(end - at)
        batch["labels"][place, at:end] = np.where(source.learn[start:stop], ids, IGNORED)
        batch["labels"][place, at] = IGNORED  # nothing before it in this window foretells it
        if self.members:
            batch["member_targets"][place, at:end] = self.targets(int(start), int(stop))
        return end

    def targets(self, start: int, stop: int) -> Any:
        """Soft targets of a window's tokens, float32 [stop - start, N]: at token k of it they count (k + 1) / ramp."""
        turns = self.documents.turn[start:stop]
        member, strength = self.documents.member[turns], self.documents.strength[turns]
        known = member != NOBODY
        weight = np.minimum(1.0, np.arange(1, stop - start + 1) / self.label_ramp) * known
        targets = np.zeros((stop - start, self.members), np.float32)
        targets[:, 0] = weight * (1 - strength)
        targets[np.arange(stop - start), np.maximum(member, 0)] += (weight * strength).astype(np.float32)
        return targets
