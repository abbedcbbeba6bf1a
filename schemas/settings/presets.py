"""The presets that come with vatra, by name: what forms offer and what settings may say.

Presets are data: their names are read when a schema is drawn up or a value is checked, never at import.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any, ClassVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


def preset_names(kind: str) -> list[str]:
    """Names of the presets that come with vatra, of one kind (`build`, `mixture`, `train` or `tribal`)."""
    folder = resources.files("schemas") / "presets" / kind
    return sorted(Path(entry.name).stem for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def is_preset_file(name: str) -> bool:
    """Whether a preset's name is the path of a YAML file."""
    return name.endswith((".yaml", ".yml"))


def offer_presets(schema: dict[str, Any]) -> None:
    """Give an optional setting's schema (JSON schema, changed in place) the shipped model presets to choose from."""
    _offer("train", schema)


def offer_tribal_presets(schema: dict[str, Any]) -> None:
    """The same with the shipped NOVA presets."""
    _offer("tribal", schema)


def offer_mixtures(schema: dict[str, Any]) -> None:
    """The same with the shipped mixtures."""
    _offer("mixture", schema)


def _offer(kind: str, schema: dict[str, Any]) -> None:
    schema["anyOf"] = [{"type": "null"}, *_choices(kind)]


def _choices(kind: str) -> list[dict[str, Any]]:
    shipped = {"type": "string", "title": "a preset of vatra", "enum": preset_names(kind)}
    return [shipped, {"type": "string", "title": "a YAML file", "pattern": r"\.ya?ml$"}]


class _PresetName(str):
    """The name of a shipped preset; its JSON schema is a choice among them."""

    kinds: ClassVar[tuple[str, ...]]

    @classmethod
    def names(cls) -> list[str]:
        """All that may be chosen."""
        return [name for kind in cls.kinds for name in preset_names(kind)]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls._known, core_schema.str_schema())

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "enum": cls.names()}

    @classmethod
    def _known(cls, value: str) -> _PresetName:
        if value not in cls.names():
            raise ValueError(
                f"no {cls.kinds[0]} preset is called {value!r}; there are: {', '.join(cls.names())}"
            )
        return cls(value)


class BuildPresetName(_PresetName):
    """A preset of build settings, or a mixture on the defaults."""

    kinds = ("build", "mixture")


class ModelPresetName(_PresetName):
    """A preset of a model to train, or the path of a YAML file with one."""

    kinds = ("train",)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": _choices(cls.kinds[0])}

    @classmethod
    def _known(cls, value: str) -> _PresetName:
        return cls(value) if is_preset_file(value) else super()._known(value)


class TribalPresetName(ModelPresetName):
    """A preset of a NOVA to train, or the path of a YAML file with one."""

    kinds = ("tribal",)
