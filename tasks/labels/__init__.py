"""Labels: the category of each example, and how it came by it."""

from tasks.labels.labelling import Classifier, label_part

__all__ = ["Classifier", "label_part"]
