"""Rules: signals and thresholds in, verdicts with reasons and evidence out."""

from tasks.rules.verdicts import judge_part

__all__ = ["judge_part"]
