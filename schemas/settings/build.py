"""The settings of one build, as people write them."""

from __future__ import annotations

from pydantic import Field

from schemas.settings.model import Settings
from schemas.settings.notify import NotifySettings
from schemas.settings.rules import LanguageList, PatternRules, QualityRules, ToxicityRules
from schemas.settings.stages import (
    AssembleSettings,
    DedupSettings,
    FilterSettings,
    MixSettings,
    ParseSettings,
)


class TrainSettings(Settings):
    """What is trained as the last step of a build."""

    lora: str | None = Field(
        None, description="Name of a model preset, see `vatra presets`; none: no training."
    )


class BuildSettings(LanguageList):
    """All settings of a build. `vatra build --settings FILE` reads them from YAML, `--set a.b=value` changes one."""

    parse: ParseSettings = ParseSettings()
    blacklist: PatternRules = Field(PatternRules(), description="Corporate speak.")
    slop: PatternRules = Field(PatternRules(), description="Phrases that assistants overuse.")
    toxicity: ToxicityRules = ToxicityRules()
    quality: QualityRules = QualityRules()
    assemble: AssembleSettings = AssembleSettings()
    dedup: DedupSettings = DedupSettings()
    mix: MixSettings = MixSettings()
    train: TrainSettings = TrainSettings()
    notify: NotifySettings = NotifySettings()

    def for_filter(self) -> FilterSettings:
        """The filter's projection; where patterns come from is the score stage's business."""
        bare = {"patterns": (), "files": (), "builtin": True}
        toxicity = self.toxicity.model_copy(update={"scorer": "none"})
        return FilterSettings(
            blacklist=self.blacklist.model_copy(update=bare),
            slop=self.slop.model_copy(update=bare),
            toxicity=toxicity,
            quality=self.quality,
        )
