"""NOVA, the tribal transformer: members of a tribe who colour one language model, as the context asks for them.

Importing this loads no model library; `train_tribal` does.
"""

from models.training.stopping import TrainingStopped
from models.training.watching import Measured, StepDone
from models.tribal.plan import LabelledTurns, TribalPlan
from models.tribal.result import TribalResult
from models.tribal.train import LIBRARIES, MODEL, RESULT, plan_tribal, train_tribal
from models.tribal.watching import Watcher

__all__ = [
    "LIBRARIES",
    "MODEL",
    "RESULT",
    "LabelledTurns",
    "Measured",
    "StepDone",
    "TrainingStopped",
    "TribalPlan",
    "TribalResult",
    "Watcher",
    "plan_tribal",
    "train_tribal",
]
