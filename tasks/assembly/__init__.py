"""Assembly: verdicts to training examples, salvaging before dropping, every message accounted for."""

from tasks.assembly.examples import assemble_part

__all__ = ["assemble_part"]
