"""Presets, files and overrides: what is accepted, and how clearly the rest is refused."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml
from py3langid.langid import MODEL_FILE, LanguageIdentifier
from pydantic import ValidationError

from schemas.errors import SettingsError
from schemas.settings import BuildSettings, Phase, Rule
from schemas.settings.changes import changes_of
from schemas.settings.loading import (
    apply_overrides,
    load_build_settings,
    load_lora_preset,
    load_tribal_preset,
    preset_names,
    resolve_rules,
    seal,
)
from schemas.settings.rules import LANGUAGES

PRESETS = Path(__file__).resolve().parents[2] / "schemas/presets"
SHIPPED = sorted(PRESETS.rglob("*.yaml"))


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_presets_are_where_they_are_looked_for() -> None:
    found = {(path.parent.relative_to(PRESETS).as_posix(), path.stem) for path in SHIPPED}
    kinds = ("build", "mixture", "train", "tribal")
    assert found == {(kind, name) for kind in kinds for name in preset_names(kind)}
    assert {("build", "default"), ("build", "guide"), ("build", "offline"), ("train", "demo")} <= found


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_shipped_preset_loads_and_describes_itself(path: Path) -> None:
    given = yaml.safe_load(path.read_text("utf-8"))
    assert len(given["description"]) > 20
    if path.parent.name == "build":
        loaded = load_build_settings(path.stem).model_dump()
        del given["description"]
    elif path.parent.name == "mixture":
        loaded = load_build_settings(overrides=[f"mix.preset={path.stem}"]).mix.model_dump(mode="json")
        del given["description"]
        given["phases"] = [
            Phase.model_validate(phase).model_dump(mode="json") for phase in given.get("phases", [])
        ]
    else:
        load = load_tribal_preset if path.parent.name == "tribal" else load_lora_preset
        loaded = load(path.stem).model_dump()
    for key, value in given.items():
        assert said(loaded[key], value) == value


def said(got: Any, value: Any) -> Any:
    """Of what was loaded the part that the file says."""
    if isinstance(value, dict):
        return {name: said(got[name], part) for name, part in value.items()}
    return [said(*pair) for pair in zip(got, value, strict=True)] if isinstance(value, list) else got


def test_default_preset_is_the_defaults() -> None:
    assert load_build_settings("default") == load_build_settings() == BuildSettings()


def test_guide_preset_drops_where_the_default_masks() -> None:
    guide = load_build_settings("guide")
    assert [guide.blacklist.assistant, guide.slop.assistant, guide.toxicity.assistant] == ["drop_turn"] * 3
    assert guide.blacklist.user == "flag"


def test_unknown_preset_is_answered_with_those_there_are() -> None:
    with pytest.raises(SettingsError, match=r"no build preset is called 'guid'.*default, guide, offline"):
        load_build_settings("guid")


@pytest.mark.parametrize(
    ("override", "unknown", "nearest"),
    [
        ("tocixity.threshold=0.5", "tocixity", "toxicity"),
        ("toxicity.treshold=0.5", "toxicity.treshold", "toxicity.threshold"),
        ("quality.min_char=3", "quality.min_char", "quality.min_chars"),
        ("train.lorra=demo", "train.lorra", "train.lora"),
    ],
)
def test_unknown_key_is_answered_with_the_nearest(override: str, unknown: str, nearest: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_build_settings(overrides=[override])
    assert str(caught.value).startswith(f"unknown setting {unknown} ")
    assert f"Did you mean {nearest}?" in str(caught.value)


def test_unknown_key_with_no_neighbour_is_answered_with_all_keys() -> None:
    with pytest.raises(SettingsError, match="Valid here: enabled, assistant, user, min"):
        load_build_settings(overrides=["quality.zzzzzz=1"])


@pytest.mark.parametrize(
    ("change", "nearest"),
    [
        ("base: {kind: built}\nlearning_rte: 0.1", "learning_rate"),
        ("base: {kind: built, hiden_size: 64}", "base.hidden_size"),
    ],
)
def test_unknown_key_in_a_model_preset(tmp_path: Path, change: str, nearest: str) -> None:
    text = f"description: a model of my own\ntarget_modules: [q_proj]\n{change}\n"
    path = written(tmp_path, "mine.yaml", text)
    with pytest.raises(SettingsError, match=rf"Did you mean {nearest}\?") as caught:
        load_lora_preset(str(path))
    assert "mine.yaml" in str(caught.value)


def test_a_model_preset_of_ones_own_loads_by_path(tmp_path: Path) -> None:
    text = "description: mine\ntarget_modules: [q_proj]\nbase: {kind: built, heads: 2}\nrank: 3\n"
    preset = load_lora_preset(str(written(tmp_path, "mine.yaml", text)))
    assert (preset.rank, preset.base.heads, preset.target_modules) == (3, 2, ("q_proj",))


def test_unknown_key_in_a_rule_file(tmp_path: Path) -> None:
    path = written(tmp_path, "rules.yaml", "- {name: ahoy, patern: ahoy}\n")
    rules = BuildSettings().slop.model_copy(update={"files": (str(path),)})
    with pytest.raises(SettingsError, match=r"unknown setting patern .*rules\.yaml.*Did you mean pattern\?"):
        resolve_rules("slop", rules)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("ahoy: there\n", "a rule file is a list"),
        ("- [unclosed\n", "not valid YAML"),
        (None, "no such rule file"),
    ],
)
def test_rule_files_that_cannot_be_used(tmp_path: Path, text: str | None, complaint: str) -> None:
    path = tmp_path / "rules.yaml" if text is None else written(tmp_path, "rules.yaml", text)
    rules = BuildSettings().slop.model_copy(update={"files": (str(path),)})
    with pytest.raises(SettingsError, match=complaint) as caught:
        resolve_rules("slop", rules)
    assert "rules.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("languages: [en\nquality: {}\n", r"settings file is not valid YAML: expected .*line 2"),
        ("- en\n- ro\n", "must be a mapping"),
        (None, "no such settings file"),
    ],
)
def test_settings_files_that_cannot_be_used(tmp_path: Path, text: str | None, complaint: str) -> None:
    path = tmp_path / "mine.yaml" if text is None else written(tmp_path, "mine.yaml", text)
    with pytest.raises(SettingsError, match=complaint):
        load_build_settings(file=path)


def test_a_path_that_no_file_can_have_is_refused() -> None:
    for setting in ("blacklist.files", "slop.files", "dedup.evaluations"):
        with pytest.raises(SettingsError, match="cannot read"):
            seal(load_build_settings(overrides=[f'{setting}=["a\\0.txt"]']))
    with pytest.raises(SettingsError, match="cannot read the mixture file"):
        load_build_settings(overrides=['mix.preset="a\\0.yaml"'])


def test_later_wins_preset_then_file_then_override(tmp_path: Path) -> None:
    text = "description: mine\nquality: {min_chars: 4}\ntoxicity: {threshold: 0.6}\n"
    path = written(tmp_path, "mine.yaml", text)
    settings = load_build_settings("guide", path, ["toxicity.threshold=0.7", "languages=[ro]"])
    assert settings.blacklist.assistant == "drop_turn"
    assert settings.quality.min_chars == 4
    assert settings.toxicity.threshold == 0.7
    assert settings.languages == ("ro",)


def test_rule_files_are_named_from_the_settings_files_folder(tmp_path: Path) -> None:
    written(tmp_path, "own.yaml", "- ahoy\n")
    path = written(tmp_path, "mine.yaml", "slop: {builtin: false, files: [own.yaml]}\n")
    settings = load_build_settings(file=path)
    assert resolve_rules("slop", settings.slop) == (Rule(name="ahoy", pattern="ahoy"),)


def test_overrides_are_yaml_and_leave_their_argument_alone() -> None:
    given = {"mix": {"seed": 1, "shares": {"claude": 1}}}
    changed = apply_overrides(given, ["mix.total=null", "mix.shares={chatgpt: 2}", "slop.patterns=[a, b]"])
    assert changed == {
        "mix": {"seed": 1, "total": None, "shares": {"chatgpt": 2}},
        "slop": {"patterns": ["a", "b"]},
    }
    assert given == {"mix": {"seed": 1, "shares": {"claude": 1}}}


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("seed", "'seed' is not key=value"),
        ("=1", "'=1' is not key=value"),
        ("mix.seed=[1", "the value of mix.seed is not valid YAML"),
        ("toxicity.threshold=1.1", r"setting toxicity\.threshold: .*less than or equal to 1 \(got 1\.1\)"),
        ("toxicity.threshold=-0.1", r"setting toxicity\.threshold"),
        ("toxicity.threshold=.nan", r"setting toxicity\.threshold: .*finite"),
        ("mix.shares={claude: .nan}", r"setting mix\.shares\.claude"),
        ("mix.shares={claude: .inf}", r"setting mix\.shares\.claude"),
        ("mix.shares={claude: 0}", r"the share of 'claude' must be above 0"),
        ("mix.total=0", r"setting mix\.total"),
        ("mix.validation=0.5", r"setting mix\.validation"),
        ("mix.seed=-1", r"setting mix\.seed"),
        ("quality.min_chars=-1", r"setting quality\.min_chars"),
        ("quality.min_chars=ten", r"setting quality\.min_chars: .*got 'ten'"),
        ("parse.part_bytes=1", r"setting parse\.part_bytes"),
        ("languages=[]", "setting languages"),
        ("languages=[en, klingon]", "unknown language 'klingon'; known: af am"),
        ("slop.assistant=delete", r"setting slop\.assistant: .*'drop_conversation'"),
        ("toxicity.scorer=detoxify:xl", r"setting toxicity\.scorer"),
        ("parse=3", "setting parse"),
        ("mix.seed=yes", r"setting mix\.seed: a number is asked for, not true or false .*got True"),
        ("mix.ranges={technical: [on, 3]}", r"setting mix\.ranges: a number is asked for"),
        ("dedup={threshold: true, bands: 3}", r"setting dedup\.threshold: a number is asked for"),
    ],
)
def test_impossible_values_are_refused(override: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        load_build_settings(overrides=[override])


@pytest.mark.parametrize("change", ["learning_rate: .nan", "rank: 0", "base: {kind: built, heads: 3}"])
def test_impossible_model_presets_are_refused(tmp_path: Path, change: str) -> None:
    base = "" if change.startswith("base:") else "base: {kind: built}\n"
    text = f"description: mine\ntarget_modules: [q_proj]\n{base}{change}\n"
    with pytest.raises(SettingsError, match=f"setting {change.partition(':')[0]}"):
        load_lora_preset(str(written(tmp_path, "mine.yaml", text)))


def test_a_form_takes_no_flag_for_a_number_either() -> None:
    changes = changes_of("dedup")
    assert changes is not None
    with pytest.raises(ValidationError, match="A number is asked for"):
        changes.model_validate({"dedup": {"threshold": True}})


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        BuildSettings().quality.min_chars = 3


def test_languages_are_those_that_py3langid_tells_apart() -> None:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    assert set(LANGUAGES) == {code for code in map(str, identifier.nb_classes) if len(code) == 2}
    assert len(set(LANGUAGES)) == len(LANGUAGES)


def test_seal_puts_contents_in_place_of_paths(tmp_path: Path) -> None:
    path = written(tmp_path, "own.yaml", "- ahoy\n- {name: land, pattern: 'land ho+'}\n")
    settings = load_build_settings(overrides=[f"slop.files=['{path}']", "slop.patterns=[avast]"])
    sealed = seal(settings)
    path.unlink()
    assert sealed.slop.files == ()
    assert [rule.pattern for rule in resolve_rules("slop", sealed.slop)][-3:] == ["ahoy", "land ho+", "avast"]
    assert str(tmp_path) not in sealed.model_dump_json()
    assert BuildSettings.model_validate(sealed.model_dump(mode="json")) == sealed
    assert seal(sealed) == sealed


def test_equal_patterns_count_once() -> None:
    settings = load_build_settings(overrides=["slop.patterns=['\\bin this space\\b', ahoy, ahoy]"])
    rules = resolve_rules("slop", settings.slop)
    assert [rule.name for rule in rules].count("in this space") == 1
    assert [rule.pattern for rule in rules].count("ahoy") == 1


def test_the_filter_does_not_know_where_patterns_come_from() -> None:
    plain = load_build_settings().for_filter()
    other = load_build_settings(overrides=["slop.patterns=[ahoy]", "toxicity.scorer=none"]).for_filter()
    assert plain == other
    assert load_build_settings(overrides=["slop.user=mask"]).for_filter() != plain


def test_settings_survive_pickling() -> None:
    settings = load_build_settings("guide", overrides=["slop.patterns=[ahoy]"])
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_shares_given_one_by_one_add_up() -> None:
    given = ["mix.shares.chatgpt=0.5", "mix.shares.claude=0.5"]
    assert load_build_settings(overrides=given).mix.shares == {"chatgpt": 0.5, "claude": 0.5}
    replaced = load_build_settings(overrides=[*given, "mix.shares={generic: 1}"])
    assert replaced.mix.shares == {"generic": 1.0}, "given as a whole, they are another choice"
