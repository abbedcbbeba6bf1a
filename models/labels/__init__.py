"""The category of a chat, by a small linear model that comes with vatra and runs offline."""

from models.labels.classifier import BUILTIN, LinearClassifier, builtin_digest, open_classifier

__all__ = ["BUILTIN", "LinearClassifier", "builtin_digest", "open_classifier"]
