"""The expectations between stages, run through Great Expectations on pandas batches."""

from tasks.checks.suite import StageSuite

__all__ = ["StageSuite"]
