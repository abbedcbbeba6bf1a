"""How good a NOVA is, on text that nobody was trained on: `evaluate_trained`, and what a comparison is made of."""

from models.tribal.evaluation.evaluating import evaluate, evaluate_trained

__all__ = ["evaluate", "evaluate_trained"]
