"""Signals: what can be measured of a message once and kept, whatever is decided of it later."""

from tasks.signals.patterns import check_rules
from tasks.signals.renewing import renew_hits, rules_to_find
from tasks.signals.score import ToxicityModel, score_part

__all__ = ["ToxicityModel", "check_rules", "renew_hits", "rules_to_find", "score_part"]
