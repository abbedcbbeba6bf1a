"""From presets, YAML files and `--set` to settings, with errors that name the nearest valid key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from schemas.errors import SettingsError
from schemas.settings.build import BuildSettings
from schemas.settings.complaints import settings_error
from schemas.settings.evaluations import read_evaluation
from schemas.settings.mixtures import WHOLE, anchor_mixture, lay_mixture, without_contract
from schemas.settings.presets import preset_names
from schemas.settings.rules import PatternRules, Rule
from schemas.settings.stages import DedupSettings
from schemas.settings.training import LoraPreset
from schemas.settings.tribal import TribalPreset
from schemas.settings.yamls import mapping_of, parse_yaml, read_settings_text, read_yaml

#: What the file of a preset of one's own is called.
_FILES = {
    "build": "build preset file",
    "mixture": "mixture file",
    "train": "model preset file",
    "tribal": "NOVA preset file",
}

Preset = TypeVar("Preset", LoraPreset, TribalPreset)


def preset_values(kind: str, name: str) -> dict[str, Any]:
    """The YAML contents of a shipped preset, or of any YAML file by path.

    The name of a mixture will do for a build: the defaults with that mixture. Raises SettingsError.
    """
    if name.endswith((".yaml", ".yml")):
        return read_yaml(Path(name), _FILES[kind])
    if name not in preset_names(kind):
        mixtures = preset_names("mixture") if kind == "build" else []
        if name in mixtures:
            return {"mix": {"preset": name}}
        also = f"; and mixtures: {', '.join(mixtures)}" if mixtures else ""
        raise SettingsError(
            f"no {kind} preset is called {name!r}", fix=f"There are: {', '.join(preset_names(kind))}{also}."
        )
    text = (resources.files("schemas") / "presets" / kind / f"{name}.yaml").read_text("utf-8")
    return mapping_of(parse_yaml(text, f"{kind} preset {name}", "vatra"), f"{kind} preset {name}")


def load_lora_preset(name: str, changes: Mapping[str, Any] | None = None) -> LoraPreset:
    """A model preset by name or YAML path, with some of its settings changed. Raises SettingsError.

    Who asks for epochs gets them: the preset's own max_steps does not hold then.
    """
    return _load_preset("train", LoraPreset, name, changes or {})


def load_tribal_preset(name: str, changes: Mapping[str, Any] | None = None) -> TribalPreset:
    """The same for a NOVA preset. Raises SettingsError."""
    return _load_preset("tribal", TribalPreset, name, changes or {})


def _load_preset(kind: str, model: type[Preset], name: str, changes: Mapping[str, Any]) -> Preset:
    lifted = {} if lifted_steps(kind, name, changes) is None else {"max_steps": None}
    try:
        return model.model_validate(_merge(preset_values(kind, name), {**changes, **lifted}))
    except ValidationError as error:
        raise settings_error(error, model, f"{_FILES[kind].removesuffix(' file')} {name}") from None


def lifted_steps(kind: str, name: str, changes: Mapping[str, Any]) -> int | None:
    """The preset's max_steps where changes that name epochs, and no max_steps, lift it; else None."""
    if "epochs" not in changes or "max_steps" in changes:
        return None
    steps: int | None = preset_values(kind, name).get("max_steps")
    return steps


def overruled_by_phases(kind: str, name: str, changes: Mapping[str, Any]) -> list[str]:
    """Changes without effect: where there are phases, each has its own epochs and learning rate."""
    phases = changes.get("phases", preset_values(kind, name).get("phases"))
    return [key for key in ("epochs", "learning_rate") if key in changes] if phases else []


def load_build_settings(
    preset: str | None = None, file: Path | None = None, overrides: Iterable[str] = ()
) -> BuildSettings:
    """Preset, then file, then `key=value` overrides; later ones win. Raises SettingsError."""
    origin = str(file) if file else f"preset {preset}" if preset else "the defaults"
    return _layered({}, preset, file, overrides, origin)


def settings_over(
    before: BuildSettings,
    preset: str | None = None,
    file: Path | None = None,
    overrides: Iterable[str] = (),
    build: str = "before",
) -> BuildSettings:
    """The same, laid over the settings of an earlier build: what they do not say stays. Raises SettingsError.

    A sources file takes the place of the sources of that build, and of the shares that came from their weights.
    """
    values = before.model_dump(mode="json")
    overrides = list(overrides)
    if any(item.startswith("sources_file=") for item in overrides):
        weights = {name: source.weight for name, source in before.sources.items() if source.weight}
        drawn: dict[str, Any] = {
            key: {} for key in ("shares", "weights") if weights and values["mix"][key] == weights
        }
        values = {**values, "sources": {}, "mix": {**values["mix"], **drawn}}
    origins = [f"build {build}", *([f"preset {preset}"] if preset else []), *([str(file)] if file else [])]
    return _layered(values, preset, file, overrides, ", ".join(origins))


def _layered(
    values: dict[str, Any], preset: str | None, file: Path | None, overrides: Iterable[str], origin: str
) -> BuildSettings:
    if preset:
        chosen = preset_values("build", preset)
        chosen.pop("description", None)
        values = _merge(values, _with_mixture(chosen))
    if file is not None:
        given = read_yaml(file)
        given.pop("description", None)
        _anchor_files(given, file.parent)
        values = _merge(values, _with_mixture(given))
    overrides = list(overrides)
    return build_settings(apply_overrides(values, overrides), f"{origin} and --set" if overrides else origin)


def build_settings(values: dict[str, Any], where: str) -> BuildSettings:
    """Settings from nested values. Raises SettingsError."""
    try:
        return BuildSettings.model_validate(_with_mixture(values))
    except ValidationError as error:
        raise settings_error(error, BuildSettings, where) from None


def layer_settings(preset: str, settings: BuildSettings) -> BuildSettings:
    """A preset under settings that a form filled in whole: what differs from its default wins. Raises SettingsError."""
    base = load_build_settings(preset).model_dump(mode="json")
    values = settings.model_dump(mode="json")
    values["notify"]["webhook"] = settings.notify.webhook  # an address is hidden wherever settings are shown
    changed = _differences(values, BuildSettings().model_dump(mode="json"))
    return build_settings(_merge(base, changed), f"preset {preset} and the form")


def change_settings(before: BuildSettings, changes: Mapping[str, Any]) -> BuildSettings:
    """The settings of an earlier build with some of them changed. Raises SettingsError."""
    return build_settings(_merge(before.model_dump(mode="json"), changes), "the changes")


def _differences(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        default = defaults.get(name)
        if value == default:
            continue
        if isinstance(value, Mapping) and isinstance(default, Mapping) and name not in WHOLE:
            value = _differences(value, default)
        found[name] = value
    return found


def apply_overrides(values: dict[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Put `a.b=value` items (values in YAML) into nested `values`; returns a new dictionary."""
    # A preset comes first, wherever it stands: what is set beside it wins.
    for item in sorted(overrides, key=lambda item: not item.startswith("mix.preset=")):
        key, sign, text = item.partition("=")
        if not sign or not key:
            raise SettingsError(f"{item!r} is not key=value", where="--set")
        value = parse_yaml(text, f"the value of {key}", "--set")
        if key == "mix.preset":
            key, value = "mix", {"preset": value}
        values = _with_mixture(_put(values, key.split("."), value))
    return values


def _with_mixture(values: dict[str, Any]) -> dict[str, Any]:
    """The values with the contents of the mixture that `mix.preset` names under those that are given beside it."""
    section = values.get("mix")
    if not isinstance(section, Mapping) or not isinstance(section.get("preset"), str):
        return values
    name = section["preset"]
    contents = preset_values("mixture", name)
    contents.pop("description", None)
    if name.endswith((".yaml", ".yml")):
        anchor_mixture(contents, Path(name).parent)
    return {**values, "mix": lay_mixture(contents, section)}


def _put(values: Mapping[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    """`values` with one setting changed; a mapping is merged into a section, but `shares` are a choice as a whole."""
    first, *rest = path
    old = values.get(first)
    if rest:
        value = _put(old if isinstance(old, Mapping) else {}, rest, value)
        return {**values, first: value}
    return _merge(values, {first: value})


def resolve_rules(family: str, rules: PatternRules) -> tuple[Rule, ...]:
    """The contents of a family: built-in list, files, single patterns; the first of equal patterns stays."""
    found: list[Rule] = []
    if rules.builtin:
        text = (resources.files("schemas") / "rules" / f"{family}.yaml").read_text("utf-8")
        found += _rules(parse_yaml(text, "the rule file", f"{family}.yaml"), f"{family}.yaml")
    for name in rules.files:
        text = read_settings_text(Path(name), "rule file")
        found += _rules(parse_yaml(text, "the rule file", name), name)
    found += _rules(list(rules.patterns), f"{family}.patterns")
    unique: dict[str, Rule] = {}
    for rule in found:
        unique.setdefault(rule.pattern, rule)
    return tuple(unique.values())


def seal(settings: BuildSettings) -> BuildSettings:
    """The settings with the contents of files in place of their paths: a build must not change under them."""
    sealed: dict[str, Any] = {"dedup": _seal_evaluations(settings.dedup)}
    for family in ("blacklist", "slop"):
        rules: PatternRules = getattr(settings, family)
        own = resolve_rules(family, rules.model_copy(update={"builtin": False}))
        sealed[family] = rules.model_copy(update={"patterns": own, "files": ()})
    return settings.model_copy(update=sealed)


def _seal_evaluations(dedup: DedupSettings) -> DedupSettings:
    read = tuple(read_evaluation(Path(name)) for name in dedup.evaluations)
    return dedup.model_copy(update={"prompts": dedup.prompts + read, "evaluations": ()})


def _rules(values: Any, where: str) -> list[Rule]:
    if not isinstance(values, list):
        raise SettingsError("a rule file is a list of patterns, or of {name, pattern}", where=where)
    try:
        return [Rule(name=v, pattern=v) if isinstance(v, str) else Rule.model_validate(v) for v in values]
    except ValidationError as error:
        raise settings_error(error, Rule, where) from None


def _merge(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in top.items():
        old = merged.get(key)
        # `shares` and the like are a choice as a whole: a new set of shares replaces the old one.
        if isinstance(old, dict) and isinstance(value, dict) and key not in WHOLE:
            if key == "mix":
                old = without_contract(old, value)
            merged[key] = _merge(old, value)
        else:
            merged[key] = value
    return merged


def _anchor_files(values: dict[str, Any], folder: Path) -> None:
    """Files of rules, of evaluation prompts and the like are named from the settings file's own folder."""
    for family, key in (("blacklist", "files"), ("slop", "files"), ("dedup", "evaluations")):
        section = values.get(family)
        if isinstance(section, dict) and isinstance(section.get(key), list):
            section[key] = [str(folder / str(name)) for name in section[key]]
    if isinstance(values.get("mix"), dict):
        anchor_mixture(values["mix"], folder)
