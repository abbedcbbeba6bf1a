"""Assembly: verdicts to training examples, salvaging before dropping, every message accounted for."""

from tasks.assembly.examples import assemble_part
from tasks.assembly.placing import place_part

__all__ = ["assemble_part", "place_part"]
