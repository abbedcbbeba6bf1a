"""prefect.yaml against what Prefect really reads (it takes unknown keys silently), and the forms drawn from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.stage_names import STAGE_NAMES
from schemas.errors import UsageError
from schemas.settings import BuildSettings
from schemas.settings.changes import changes_of
from schemas.settings.presets import preset_names

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def written() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))["deployments"]
    return found


@pytest.fixture(scope="module")
def deployments() -> list[dict[str, Any]]:
    from flows.deploying import read_deployments

    return read_deployments()


def form(deployments: list[dict[str, Any]], name: str) -> dict[str, Any]:
    from flows.deploying import _form

    (one,) = (one for one in deployments if f"{one['flow'].name}/{one['name']}" == name)
    return _form(one["flow"])


def refused(schema: dict[str, Any], parameters: dict[str, Any]) -> list[str]:
    """What Prefect's server, which validates with this very function, would say."""
    from prefect.utilities.schema_tools.validation import validate

    return [error.message for error in validate(parameters, schema)]


def test_every_key_is_one_that_prefect_knows(written: list[dict[str, Any]]) -> None:
    from prefect.cli.deploy._models import (
        ConcurrencyLimitSpec,
        DeploymentConfig,
        PrefectYamlModel,
        RawScheduleConfig,
        WorkPoolConfig,
    )

    whole = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))
    assert set(whole) <= set(PrefectYamlModel.model_fields)
    PrefectYamlModel.model_validate(whole)
    for one in written:
        assert set(one) <= set(DeploymentConfig.model_fields), one["name"]
        assert set(one["work_pool"]) <= set(WorkPoolConfig.model_fields)
        assert set(one.get("concurrency_limit", {})) <= set(ConcurrencyLimitSpec.model_fields)
        for schedule in one.get("schedules", []):
            RawScheduleConfig.model_validate(schedule)


def test_names_and_stages(deployments: list[dict[str, Any]]) -> None:
    names = [f"{one['flow'].name}/{one['name']}" for one in deployments]
    assert sorted(names) == sorted(
        [
            "build-corpus/nightly",
            "build-corpus/adhoc",
            *(f"run-stage/{stage}" for stage in STAGE_NAMES),
            "train-lora/adhoc",
            "train-tribal/adhoc",
            "maintain/sweep",
        ]
    )
    for one in deployments:
        assert one["description"]
        assert one["tags"]
        assert one["enforce_parameter_schema"] is True


def test_given_parameters_and_schedules_are_possible(deployments: list[dict[str, Any]]) -> None:
    from flows.deploying import _form, _schedules

    for one in deployments:
        assert refused(_form(one["flow"]), {"corpus": "x", **one.get("parameters", {})})[1:] == []
        for schedule in _schedules(one, set()):
            assert schedule.schedule is not None
    (nightly,) = (one for one in deployments if one["name"] == "nightly")
    assert refused(_form(nightly["flow"]), nightly["parameters"]) == []
    (made,) = _schedules(nightly, set())
    assert (made.schedule.cron, made.schedule.timezone, made.active) == (
        "30 3 * * *",
        "Europe/Bucharest",
        True,
    )
    assert _schedules(nightly, {"nightly"})[0].active is False


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({"settings": {"toxicity": {"treshold": 0.5}}}, "'treshold' was unexpected"),
        ({"settings": {"toxicity": {"threshold": 1.5}}}, "1.5 is greater than the maximum of 1"),
        ({"settings": {"languages": ["tlh"]}}, "'tlh' is not one of"),
        ({"settings": {"mix": {"shares": {"claude": 0}}}}, "0 is less than or equal to the minimum of 0"),
        ({"settings": {"train": {"tribal": "nova"}}}, "'nova' is not valid under any of the given schemas"),
        ({"settings": {"train": {"tribal_changes": {"rank": 1}}}}, "'rank' is not one of"),
        ({"settings": {"train": {"lora": "dmo"}}}, "'dmo' is not valid under any of the given schemas"),
        ({"settings": {"train": {"lora_changes": {"epoch": 1}}}}, "'epoch' is not one of"),
        ({"preset": "gude"}, "'gude' is not one of"),
        ({"paths": "one"}, "'one' is not of type 'array'"),
        ({"settings": {"sources": ["a"]}}, "['a'] is not of type 'object'"),
        ({"pathz": []}, "'pathz' was unexpected"),
    ],
)
def test_impossible_parameters_are_refused(
    deployments: list[dict[str, Any]], parameters: dict[str, Any], complaint: str
) -> None:
    assert any(complaint in said for said in refused(form(deployments, "build-corpus/adhoc"), parameters))


def test_possible_parameters_are_not_refused(deployments: list[dict[str, Any]]) -> None:
    build, filter_ = form(deployments, "build-corpus/adhoc"), form(deployments, "run-stage/filter")
    (filled,) = [build["properties"]["settings"]["default"]]
    assert refused(build, {"settings": filled}) == []
    assert BuildSettings.model_validate(filled) == BuildSettings(), "a form sends what it was filled with"
    assert refused(build, {"sources": "/data/s.yaml", "preset": "emergent"}) == []
    assert refused(build, {"settings": {"train": {"lora": "mine.yaml"}}, "preset": "guide"}) == []
    declared = {
        "path": "/data/a.csv",
        "mapping": {"turns": [{"user": "q"}, {"assistant": {"join": ["a", "b"]}}]},
    }
    assert refused(build, {"settings": {"sources": {"a": declared}, "sources_file": "/data/s.yaml"}}) == []
    assert refused(filter_, {"changes": {"toxicity": {"threshold": 0.4}, "slop": {"enabled": "off"}}}) == []
    assert refused(filter_, {}) == []


def test_forms_show_nothing_internal(deployments: list[dict[str, Any]]) -> None:
    shown = {
        f"{one['flow'].name}/{one['name']}": set(
            form(deployments, f"{one['flow'].name}/{one['name']}")["properties"]
        )
        for one in deployments
    }
    assert shown["build-corpus/adhoc"] == {"paths", "sources", "inbox", "preset", "settings"}
    assert shown["run-stage/filter"] == {"build", "changes", "downstream"}
    assert shown["run-stage/reconcile"] == {"build", "downstream"}
    for name in ("build-corpus/adhoc", "run-stage/dedup", "run-stage/mix"):
        for filled_in in ("semantic_digest", "'own'", "when a build is planned"):
            assert filled_in not in str(form(deployments, name)), name
    for training in ("train-lora/adhoc", "train-tribal/adhoc"):
        assert shown[training] == {"corpus", "preset", "changes", "name", "overwrite"}


def test_drop_downs_are_the_presets(deployments: list[dict[str, Any]]) -> None:
    offered = [*preset_names("build"), *preset_names("mixture")]
    assert form(deployments, "build-corpus/adhoc")["properties"]["preset"]["enum"] == offered
    for training, kind in (("train-lora/adhoc", "train"), ("train-tribal/adhoc", "tribal")):
        shipped, own = form(deployments, training)["properties"]["preset"]["anyOf"]
        assert shipped["enum"] == preset_names(kind)
        assert own["title"] == "a YAML file"


TRAINING = {"corpus": "4dcd4913fadd866cd5afa0b108229f4c"}


@pytest.mark.parametrize(
    ("what", "parameters", "complaint"),
    [
        ("lora", {"changes": {"epoch": 1}}, "'epoch' was unexpected"),
        ("lora", {"changes": {"rank": 0}}, "0 is less than the minimum of 1"),
        ("lora", {"changes": {"base": {"layer": 1}}}, "'layer' was unexpected"),
        ("lora", {"preset": "dmo"}, "'dmo' is not valid under any of the given schemas"),
        ("tribal", {"changes": {"epoch": 1}}, "'epoch' was unexpected"),
        ("tribal", {"changes": {"layers": 0}}, "0 is less than the minimum of 1"),
        ("tribal", {"changes": {"mixing": "sum"}}, "'sum' is not one of"),
        ("tribal", {"preset": "demo"}, "'demo' is not valid under any of the given schemas"),
    ],
)
def test_an_impossible_training_is_refused(
    deployments: list[dict[str, Any]], what: str, parameters: dict[str, Any], complaint: str
) -> None:
    schema = form(deployments, f"train-{what}/adhoc")
    assert any(complaint in said for said in refused(schema, {**TRAINING, **parameters}))


def test_a_training_of_ones_own_is_not_refused(deployments: list[dict[str, Any]]) -> None:
    """And what a preset's changes say arrives as it was said, parts of the base and a lifted limit included."""
    from flows.train_lora import GivenChanges

    changes = {
        "epochs": 2.0, "max_steps": None, "base": {"layers": 1}, "target_modules": ["q_proj"], "packing": "on",
        "phases": [{"name": "a", "learning_rate": 0.001}], "role_names": {"user": "A", "assistant": "B"},
    }  # fmt: skip
    schema = form(deployments, "train-lora/adhoc")
    assert refused(schema, {**TRAINING, "preset": "/home/ana/mine.yaml", "changes": changes}) == []
    assert refused(schema, {**TRAINING, "preset": "demo", "changes": {}}) == []
    assert schema["properties"]["changes"]["default"] == {}, "a form would send its nulls"
    assert GivenChanges.model_validate(changes).given() == {**changes, "packing": True}


def test_a_nova_of_ones_own_is_not_refused(deployments: list[dict[str, Any]]) -> None:
    """Members from the corpus and a lifted limit are nulls that are meant; what is left empty is not said."""
    from flows.train_tribal import GivenChanges

    changes = {
        "epochs": 2.0, "max_steps": None, "members": None, "mixing": "concat",
        "phases": [{"name": "a", "learning_rate": 0.001, "member": "sora", "replay": 0.3}],
    }  # fmt: skip
    schema = form(deployments, "train-tribal/adhoc")
    assert refused(schema, {**TRAINING, "preset": "/home/ana/mine.yaml", "changes": changes}) == []
    assert schema["properties"]["changes"]["default"] == {}, "a form would send its nulls"
    given = GivenChanges.model_validate(changes).given()
    assert {name: given[name] for name in changes if name != "phases"} == {
        name: value for name, value in changes.items() if name != "phases"
    }
    assert given["phases"][0]["member"] == "sora"


def leaves(model: Any, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for name, info in model.model_fields.items():
        nested = hasattr(info.annotation, "model_fields")
        found |= leaves(info.annotation, (*path, name)) if nested else {(*path, name)}
    return found


def test_every_setting_belongs_to_the_form_of_one_stage() -> None:
    per_stage = {stage: leaves(model) for stage in STAGE_NAMES if (model := changes_of(stage))}
    told = [leaf for found in per_stage.values() for leaf in found]
    assert len(told) == len(set(told)), "a setting in two forms"
    # Notices are no stage's: a rerun keeps those of its build.
    elsewhere = {leaf for leaf in leaves(BuildSettings) if leaf[0] == "notify"}
    # Other sources are other inputs: those of a rerun are its build's.
    elsewhere |= {("sources",), ("sources_file",)}
    assert set(told) == leaves(BuildSettings) - elsewhere


def test_changes_say_only_what_was_given() -> None:
    model = changes_of("filter")
    assert model is not None
    assert model().model_dump() == {}
    given = {"toxicity": {"threshold": 0.4}, "quality": {"single_word": "off"}}
    assert model.model_validate(given).model_dump() == {
        "toxicity": {"threshold": 0.4},
        "quality": {"single_word": False},
    }
    schema = str(model.model_json_schema())
    assert "'default': None" not in schema, "a form would send it"


def test_a_form_has_one_file_of_sources() -> None:
    from flows.build_corpus import _with_file

    settings = BuildSettings(sources_file="/data/s.yaml")
    assert _with_file(settings, "") == _with_file(BuildSettings(), "/data/s.yaml") == settings
    with pytest.raises(UsageError, match="two files of sources"):
        _with_file(settings, "/data/t.yaml")
