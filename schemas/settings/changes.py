"""What may be changed when one stage runs again: the stage's own settings, each of them optional; and what may be
changed of a model preset when it is trained.

The models are made from the real ones, so bounds, choices and descriptions are said once. A value that is not given
stays as it was in the build.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal, cast

from pydantic import Field, SerializerFunctionWrapHandler, create_model, model_serializer
from pydantic.fields import FieldInfo
from pydantic.json_schema import SkipJsonSchema

from schemas.settings.build import PATTERN_SOURCES, BuildSettings, TrainSettings
from schemas.settings.mixing import MixSettings
from schemas.settings.model import Settings
from schemas.settings.rules import PatternRules, QualityRules, ToxicityRules
from schemas.settings.stages import AssembleSettings, DedupSettings, LabelSettings, ParseSettings
from schemas.settings.training import DemoBase, LoraPreset, PretrainedBase
from schemas.settings.tribal import TribalPreset


class Changes(Settings):
    """Settings that differ from those of a build; what is empty is left as it was."""

    @model_serializer(mode="wrap")
    def _given_only(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialize(self).items() if value not in (None, {})}


def changes_of(stage: str) -> type[Changes] | None:
    """The model of a stage's changes; None for a stage that has nothing to set."""
    makers = _MAKERS.get(stage)
    return makers() if makers else None


def _section(
    label: str, model: type[Settings], *, without: Iterable[str] = (), only: Iterable[str] = ()
) -> Any:
    """A settings model with every field optional."""
    kept = {
        name: info
        for name, info in model.model_fields.items()
        if name not in set(without) and (not only or name in set(only))
    }
    fields: dict[str, Any] = {name: _optional(info) for name, info in kept.items()}
    return create_model(label, __base__=Changes, __doc__=model.__doc__, **fields)


#: Said of every field of a preset's changes.
_AS_IN_PRESET = "Empty: as in the preset."


class PresetChanges(Settings):
    """What shall be different from the model preset. Empty: as in the preset."""

    @model_serializer(mode="wrap")
    def _said_only(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Not the nulls that stand for what was left empty: a form's defaults are made of this."""
        return {name: value for name, value in serialize(self).items() if name in self.model_fields_set}

    def given(self) -> dict[str, Any]:
        """Only what was said, a null included: that is how a limit such as max_steps is lifted."""
        return self.model_dump(mode="json", exclude_unset=True)


def preset_changes() -> type[PresetChanges]:
    """The model of a preset's changes. Of the base any part may be changed, so it is not told which kind it is."""
    told = _AS_IN_PRESET
    fields: dict[str, Any] = {name: _optional(info, told) for name, info in LoraPreset.model_fields.items()}
    parts = {**DemoBase.model_fields, **PretrainedBase.model_fields}
    base: dict[str, Any] = {name: _optional(info, told) for name, info in parts.items() if name != "kind"}
    base["kind"] = (
        Literal["built", "pretrained"] | None,
        Field(None, description=f"Kind of the base. {told}"),
    )
    text = LoraPreset.model_fields["base"].description
    changed = create_model("BaseChanges", __base__=PresetChanges, __doc__=text, **base)
    fields["base"] = (changed, Field(changed(), description=f"{text} {told}"))
    return create_model("PresetChanges", __base__=PresetChanges, __doc__=PresetChanges.__doc__, **fields)


def tribal_changes() -> type[PresetChanges]:
    """The model of a NOVA preset's changes."""
    fields: dict[str, Any] = {
        name: _optional(info, _AS_IN_PRESET) for name, info in TribalPreset.model_fields.items()
    }
    return create_model("TribalChanges", __base__=PresetChanges, __doc__=PresetChanges.__doc__, **fields)


def _optional(info: FieldInfo, empty: str = "Empty: as in the build.") -> tuple[Any, Any]:
    bounded: Any = info.annotation
    for bound in info.metadata:
        bounded = operator.getitem(cast(Any, Annotated), (bounded, bound))
    given = info.json_schema_extra

    def extra(schema: dict[str, Any]) -> None:
        if callable(given):
            given(schema)
        elif given:
            schema.update(given)
        schema.pop("default", None)  # forms would show it as the value, and send it
        if (
            info.annotation is bool
        ):  # a switch that is neither on nor off looks off; pydantic reads these words
            schema.update(type="string", enum=["on", "off"])

    text = f"{info.description or ''} {empty}".strip()
    return bounded | Annotated[None, cast(Any, SkipJsonSchema)()], Field(
        None, title=info.title, description=text, json_schema_extra=extra
    )


def _all(label: str, /, **sections: type[Changes] | tuple[Any, Any]) -> type[Changes]:
    fields: dict[str, Any] = {
        name: part if isinstance(part, tuple) else (part, Field(part(), description=_said_of(name)))
        for name, part in sections.items()
    }
    return create_model(label, __base__=Changes, __doc__="Empty: as in the build.", **fields)


def _said_of(section: str) -> str | None:
    """What the form of a build says of this section; None: what its model says."""
    return BuildSettings.model_fields[section].description


def _score() -> type[Changes]:
    return _all(
        "ScoreChanges",
        languages=_optional(BuildSettings.model_fields["languages"]),
        blacklist=_section("BlacklistPatterns", PatternRules, only=PATTERN_SOURCES),
        slop=_section("SlopPatterns", PatternRules, only=PATTERN_SOURCES),
        toxicity=_section("ToxicityScorer", ToxicityRules, only=["scorer"]),
    )


def _filter() -> type[Changes]:
    return _all(
        "FilterChanges",
        blacklist=_section("BlacklistActions", PatternRules, without=PATTERN_SOURCES),
        slop=_section("SlopActions", PatternRules, without=PATTERN_SOURCES),
        toxicity=_section("ToxicityActions", ToxicityRules, without=["scorer"]),
        quality=_section("QualityActions", QualityRules),
    )


def _train(setting: str) -> type[Changes]:
    """One of the trainings: the preset's name and what is different from it."""
    label = setting.capitalize()
    section = _section(f"Train{label}", TrainSettings, only=[setting, f"{setting}_changes"])
    return _all(f"Train{label}Changes", train=section)


_MAKERS: dict[str, Callable[[], type[Changes]]] = {
    "parse": lambda: _all("ParseChanges", parse=_section("Parse", ParseSettings)),
    "score": _score,
    "filter": _filter,
    "assemble": lambda: _all("AssembleChanges", assemble=_section("Assemble", AssembleSettings)),
    "dedup": lambda: _all("DedupChanges", dedup=_section("Dedup", DedupSettings)),
    "label": lambda: _all("LabelChanges", label=_section("Label", LabelSettings)),
    "mix": lambda: _all("MixChanges", mix=_section("Mix", MixSettings)),
    "train-lora": lambda: _train("lora"),
    "train-tribal": lambda: _train("tribal"),
}
