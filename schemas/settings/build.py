"""The settings of one build, as people write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema, field_validator

from schemas.settings.mixing import MixSettings
from schemas.settings.model import Settings
from schemas.settings.notify import NotifySettings
from schemas.settings.presets import offer_presets, offer_tribal_presets
from schemas.settings.rules import LanguageList, PatternRules, QualityRules, ToxicityRules
from schemas.settings.sources import Source, check_names
from schemas.settings.stages import (
    AssembleSettings,
    DedupSettings,
    FilterSettings,
    LabelSettings,
    ParseSettings,
)
from schemas.settings.training import LoraPreset
from schemas.settings.tribal import TribalPreset


def _of_a_preset(model: type[Settings]) -> Callable[[dict[str, Any]], None]:
    """A form refuses what no model preset has: a misspelt change would be found only when all else is planned."""

    def tell(schema: dict[str, Any]) -> None:
        schema["propertyNames"] = {"enum": list(model.model_fields)}

    return tell


class TrainSettings(Settings):
    """What is trained as the last steps of a build."""

    lora: str | None = Field(
        None,
        title="LoRA",
        description="The adapter to train from the corpus: a model preset. None: no training.",
        json_schema_extra=offer_presets,
    )
    lora_changes: dict[str, Any] = Field(
        {},
        title="LoRA changes",
        description='What shall be different from the model preset, like {"epochs": 2, "batch_size": 1}.',
        json_schema_extra=_of_a_preset(LoraPreset),
    )
    tribal: str | None = Field(
        None,
        title="NOVA",
        description="The tribal transformer to train from the corpus: a NOVA preset. None: no training.",
        json_schema_extra=offer_tribal_presets,
    )
    tribal_changes: dict[str, Any] = Field(
        {},
        title="NOVA changes",
        description='What shall be different from the NOVA preset, like {"epochs": 2, "batch_size": 1}.',
        json_schema_extra=_of_a_preset(TribalPreset),
    )


#: Where a family's patterns come from: the score stage's business; what is done about a hit is the filter's.
PATTERN_SOURCES = ("builtin", "patterns", "files")


#: In a form the sources are one JSON object: a mapping goes deeper than a form can show.
_SOURCES_FORM = {"type": "object", "additionalProperties": {"type": "object"}}


class BuildSettings(LanguageList):
    """All settings of a build. `vatra build --settings FILE` reads them from YAML, `--set a.b=value` changes one."""

    sources_file: str | None = Field(
        None,
        description="A YAML file of sources: data sets, folders and narratives, and how each is read "
        "(docs/sources.md). None: only what is named in paths. In a form, the field sources above is the same.",
    )
    sources: Annotated[dict[str, Source], WithJsonSchema(_SOURCES_FORM)] = Field(
        {}, description="Sources by name, as such a file has them; rather give the file."
    )
    parse: ParseSettings = ParseSettings()
    blacklist: PatternRules = Field(
        PatternRules(),
        description="Corporate speak: what is done about messages in which a pattern is found.",
    )
    slop: PatternRules = Field(
        PatternRules(),
        description="AI slop: phrases that assistants overuse, like the blacklist with a list of its own.",
    )
    toxicity: ToxicityRules = ToxicityRules()
    quality: QualityRules = QualityRules()
    assemble: AssembleSettings = AssembleSettings()
    dedup: DedupSettings = DedupSettings()
    label: LabelSettings = LabelSettings()
    mix: MixSettings = MixSettings()
    train: TrainSettings = TrainSettings()
    notify: NotifySettings = NotifySettings()

    @field_validator("sources")
    @classmethod
    def _named(cls, value: dict[str, Source]) -> dict[str, Source]:
        return check_names(value)

    def for_filter(self) -> FilterSettings:
        """The filter's projection; where patterns come from is the score stage's business."""
        bare = {name: PatternRules.model_fields[name].default for name in PATTERN_SOURCES}
        toxicity = self.toxicity.model_copy(update={"scorer": "none"})
        return FilterSettings(
            blacklist=self.blacklist.model_copy(update=bare),
            slop=self.slop.model_copy(update=bare),
            toxicity=toxicity,
            quality=self.quality,
        )
