"""The two kinds of training: their names, stages and pages. Cheap to import, for whoever only lists what they made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from storage.home import Home


@dataclass(frozen=True)
class TrainingKind:
    """A kind of training and of what it makes.

    `names` is the kind of name that its artifacts have (`artifacts/<names>/<name>`), `stage` makes them, `what` is the
    word behind `vatra train`, and in a build's settings `train.<what>` names the preset. `word` is what a person calls
    one of them, `presets` the kind of its presets, and `default` the one that is taken when nobody names one.
    """

    names: str
    stage: str
    what: str
    word: str
    presets: str
    default: str

    @property
    def command(self) -> str:
        """How a person makes the first of them."""
        return f"vatra train {self.what} --preset {self.default}"

    def page_of(self, home: Home, name: str) -> Path:
        """Where the page of a training lies, or will."""
        return home.reports / f"{self.names}-{name}.html"


LORA = TrainingKind(
    names="lora", stage="train-lora", what="lora", word="adapter", presets="train", default="demo"
)
NOVA = TrainingKind(
    names="nova", stage="train-tribal", what="tribal", word="NOVA", presets="tribal", default="nova-tiny"
)
KINDS = (LORA, NOVA)
