"""Settings of the mixture: presets laid under what is given, and contracts that cannot be kept refused with numbers."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from schemas.errors import SettingsError
from schemas.settings import BuildSettings, MixSettings, load_build_settings
from schemas.settings.loading import change_settings, layer_settings, settings_over


def mix(*overrides: str, preset: str | None = None, file: Path | None = None) -> MixSettings:
    return load_build_settings(preset, file, overrides).mix


@pytest.mark.parametrize("name", ["emergent", "ada", "personal"])
def test_a_mixture_is_chosen_by_a_build_preset_or_a_setting_or_a_file(name: str, tmp_path: Path) -> None:
    chosen = mix(preset=name)
    assert chosen != MixSettings()
    assert mix(f"mix.preset={name}") == mix(f"mix={{preset: {name}}}") == chosen
    own = tmp_path / "mine.yaml"
    own.write_text(f"mix: {{preset: {name}}}\n", "utf-8")
    assert mix(file=own) == chosen


def test_what_is_given_beside_a_preset_wins_in_any_order() -> None:
    for overrides in (["mix.total=50", "mix.preset=ada"], ["mix.preset=ada", "mix.total=50"]):
        found = mix(*overrides)
        assert (found.total, found.max_tokens, found.preset) == (50, 2048, "ada")
    one = mix("mix.ranges.tool=[1, 2]", preset="emergent")
    assert one.ranges["tool"] == (1, 2)
    assert len(one.ranges) == 10, "one range is changed, the others stay"
    assert list(mix("mix={ranges: {tool: [9, 100]}, phases: []}", preset="emergent").ranges) == ["tool"]


def test_another_preset_replaces_the_whole_contract_and_nothing_else() -> None:
    found = mix("mix.preset=ada", "mix.test=0.1", preset="emergent")
    assert found == mix("mix.test=0.1", preset="ada")
    assert mix("mix.preset=null", preset="emergent") == MixSettings()


def test_a_mixture_of_ones_own_from_any_file(tmp_path: Path) -> None:
    (tmp_path / "mixture.yaml").write_text(
        "description: mine\nshares: {a: 3, b: 1}\nfrozen: ids.csv\n", "utf-8"
    )
    (tmp_path / "settings.yaml").write_text("mix: {preset: mixture.yaml, total: 9}\n", "utf-8")
    found = mix(file=tmp_path / "settings.yaml")
    assert (found.shares, found.total, found.preset) == ({"a": 3, "b": 1}, 9, None)
    assert found.frozen == str(tmp_path / "ids.csv"), "files are named from the file that names them"
    assert mix(f"mix.preset={tmp_path / 'mixture.yaml'}").shares == found.shares


def test_forms_and_changes_lay_presets_too() -> None:
    form = BuildSettings.model_validate({"mix": {"preset": "ada", "total": 7}})
    found = layer_settings("default", form).mix
    assert (found.total, found.max_tokens) == (7, 2048)
    assert layer_settings("emergent", BuildSettings()).mix == mix(preset="emergent")
    before = load_build_settings("emergent", overrides=["mix.seed=5"])
    after = change_settings(before, {"mix": {"preset": "personal"}}).mix
    assert after == mix("mix.seed=5", preset="personal")
    assert change_settings(before, {"mix": {"total": 4}}).mix == mix(
        "mix.seed=5", "mix.total=4", preset="emergent"
    )


def test_what_a_stage_is_told_is_laid_over_the_settings_of_its_build(tmp_path: Path) -> None:
    before = load_build_settings("emergent", overrides=["mix.seed=5", "quality.min_chars=3"])
    after = settings_over(before, "ada", None, ["mix.total=9"])
    assert after.mix == mix("mix.seed=5", "mix.total=9", preset="ada")
    assert after.quality.min_chars == 3, "what is not said stays"
    file = tmp_path / "mine.yaml"
    file.write_text("mix: {preset: personal, frozen: ids.csv}\n", "utf-8")
    named = settings_over(before, None, file).mix
    assert (named.preset, named.ranges, named.frozen) == ("personal", {}, str(tmp_path / "ids.csv"))


def test_a_file_of_sources_takes_the_place_of_sources_and_of_shares_by_weight() -> None:
    weighed = {"sources": {"a": {"path": "x", "weight": 2}}, "mix": {"shares": {"a": 2}, "seed": 5}}
    before = BuildSettings.model_validate(weighed)
    after = settings_over(before, overrides=["sources_file=s.yaml"])
    assert (after.sources, after.sources_file, after.mix.shares, after.mix.seed) == ({}, "s.yaml", {}, 5)
    chosen = BuildSettings.model_validate({**weighed, "mix": {"shares": {"a": 3}}})
    assert settings_over(chosen, overrides=["sources_file=s.yaml"]).mix.shares == {"a": 3}
    assert settings_over(before).mix.shares == {"a": 2}


def test_settings_that_were_written_down_are_read_back_as_they_were() -> None:
    for name in ("emergent", "ada", "personal"):
        settings = load_build_settings(name, overrides=["mix.on_shortage=stop", "mix.phases=[]"])
        again = change_settings(settings, {})
        assert again == settings
        assert BuildSettings.model_validate(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("mix.ranges={technical: [60, 70], creative: [50, 60]}", "lower bounds add up to 110%"),
        ("mix.ranges={technical: [10, 20], creative: [50, 60]}", "upper bounds add up to 80%"),
        ("mix.ranges={technical: [30, 25]}", "the range of 'technical' goes from 30 to 25"),
        ("mix.ranges={technical: [-1, 25]}", "the range of 'technical' goes from -1 to 25"),
        ("mix.ranges={techncal: [1, 2]}", "no category is called 'techncal'; did you mean 'technical'?"),
        ("mix.ranges={tool: 5}", "mix.ranges.tool"),
        ("mix={shares: {a: 60, b: 70}, shares_in: percent}", "the shares add up to 130%, not to 100%"),
        ("mix.shares={a: 0.7, b: 0.7}", "add up to 1.4"),
        ("mix.shares={a: 0}", "the share of 'a' must be above 0"),
        ("mix.weights={a: -1}", "the share of 'a' must be above 0"),
        ("mix={ranges: {tool: [100, 100]}, shares: {a: 1}}", "two contracts"),
        ("mix.seed=many", "mix.seed: input should be a valid integer"),
        ("mix.seed=-1", "mix.seed"),
        ("mix.total=0", "mix.total"),
        ("mix.repeat=101", "mix.repeat"),
        ("mix.on_shortage=shrug", "mix.on_shortage"),
        ("mix.max_tokens=100", "max_tokens needs something that counts them"),
        ("mix.preset=emergnt", "no mixture preset is called 'emergnt'. There are: ada, emergent, personal"),
        ("mix.preset=nowhere.yaml", "no such mixture file"),
        ("mix.phases=[{name: a}, {name: a}]", "two phases are called 'a'"),
        ("mix.phases=[{name: a, categories: [poetry]}]", "no category is called 'poetry'"),
        ("mix.phases=[{name: a, categories: [tool], shares: {factual: 1}}]", "stands in one of them only"),
        (
            "mix={ranges: {tool: [100, 100]}, phases: [{name: a, categories: [ethical]}]}",
            "which no range lets into",
        ),
        ("mix.holdout_after=soon", "mix.holdout_after"),
        ("mix.shares={a: 1.0e308, b: 1.0e308}", "the share of 'a' is 1e+308: the most is 1e+12"),
        ("mix.weights={a: 1.0e308, b: 1.0e308}", "the share of 'a' is 1e+308"),
        (
            "mix.ranges={technical: [1.0e308, 1.0e308], tool: [1.0e308, 1.0e308]}",
            "the range of 'technical' ends",
        ),
        ("mix={ranges: {tool: [0, 1.0e308]}, ranges_in: weights}", "the range of 'tool' ends at 1e+308"),
        ("mix.phases=[{name: a, shares: {tool: 1.0e308}}]", "the share of 'tool' is 1e+308"),
        ("mix.total=10000000000000", "mix.total: input should be less than or equal to"),
        ("mix.shard_bytes=10000000000000", "mix.shard_bytes"),
        ("mix.seed=true", "setting mix.seed: a number is asked for, not true or false"),
        ("mix.total=yes", "setting mix.total: a number is asked for, not true or false"),
        ("mix.shares={a: true, b: 1}", "setting mix.shares: a number is asked for, not true or false"),
        ("mix.ranges={tool: [false, true]}", "setting mix.ranges: a number is asked for, not true or false"),
    ],
)
def test_what_cannot_be_is_refused_with_the_numbers(override: str, complaint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        mix(override)
    assert complaint in str(caught.value)


def test_misspelt_settings_of_a_mixture_are_answered_with_the_nearest() -> None:
    with pytest.raises(
        SettingsError, match=r"unknown setting mix\.on_shortag .*Did you mean mix\.on_shortage\?"
    ):
        mix("mix.on_shortag=relax")
    keys = (
        r"unknown setting mix\.phases\.0\.total .*Valid here: name, categories, shares, size, fraction, order"
    )
    with pytest.raises(SettingsError, match=keys):
        mix("mix.phases=[{name: a, total: 5}]")
    with pytest.raises(SettingsError, match=r"Did you mean mix\.phases\.1\.fraction\?"):
        mix("mix.phases=[{name: a}, {name: b, fracton: 0.5}]")


def test_shares_and_ranges_as_exact_parts() -> None:
    thirds = mix("mix.shares={a: 0.1, b: 0.2}").source_shares
    assert {name: share.middle for name, share in thirds.items()} == {
        "a": Fraction(1, 3),
        "b": Fraction(2, 3),
    }
    meant = mix("mix.ranges={tool: [40, 60], factual: [45.5, 60]}").category_shares
    assert meant["factual"] == (Fraction(455, 1000), Fraction(60, 100), Fraction(5275, 10_000))
