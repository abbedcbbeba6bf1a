"""In which order the Trainer takes the rows of a phase: the seed alone fixes it."""

from __future__ import annotations

from models.training.schedule import Batch, PhasePlan


def rows_read(plan: PhasePlan, batch: Batch, seed: int, steps: int | None = None) -> list[int]:
    """The rows of a phase that its steps come to: the first ones of the order in which the Trainer takes them.

    `steps`: of a phase that ended before its plan.
    """
    count = (plan.steps if steps is None else steps) * batch.size * batch.accumulation
    if count >= plan.rows:
        return list(range(plan.rows))
    from accelerate.data_loader import SeedableRandomSampler

    return list(SeedableRandomSampler(range(plan.rows), data_seed=seed))[:count]
