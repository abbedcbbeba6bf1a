"""The settings of a build: frozen, unknown keys refused, every stage sees only its own projection."""

from schemas.settings.build import BuildSettings, TrainSettings
from schemas.settings.complaints import settings_error
from schemas.settings.evaluations import EvaluationSet
from schemas.settings.loading import apply_overrides, load_build_settings
from schemas.settings.mixing import MixSettings, Phase
from schemas.settings.notify import NotifySettings
from schemas.settings.rules import Action, PatternRules, QualityRules, Rule, ToxicityRules
from schemas.settings.stages import (
    AssembleSettings,
    DedupSettings,
    FilterSettings,
    LabelSettings,
    LabelStageSettings,
    LoraSettings,
    ParseSettings,
    ReconcileSettings,
    ScoreSettings,
    TribalSettings,
)
from schemas.settings.training import LoraPreset
from schemas.settings.tribal import TribalPreset

__all__ = [
    "Action",
    "AssembleSettings",
    "BuildSettings",
    "DedupSettings",
    "EvaluationSet",
    "FilterSettings",
    "LabelSettings",
    "LabelStageSettings",
    "LoraPreset",
    "LoraSettings",
    "MixSettings",
    "NotifySettings",
    "ParseSettings",
    "PatternRules",
    "Phase",
    "QualityRules",
    "ReconcileSettings",
    "Rule",
    "ScoreSettings",
    "ToxicityRules",
    "TrainSettings",
    "TribalPreset",
    "TribalSettings",
    "apply_overrides",
    "load_build_settings",
    "settings_error",
]
