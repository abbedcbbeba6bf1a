"""A webhook is told, whatever starts the build; its address is nowhere to be read afterwards."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.planning import check_settings, plan_build, replan_build
from schemas.errors import SettingsError
from schemas.settings import load_build_settings
from storage.catalog import list_builds
from storage.home import open_home
from tests.webhooks import Hook, listening_hook

TOKEN = "T0kenT0ken"


@pytest.fixture
def hook() -> Iterator[Hook]:
    with listening_hook() as made:
        yield made


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Twelve conversations; half of the replies are short."""
    lines = []
    for number in range(12):
        reply = "It lay until April, and longer in the shade." if number % 2 else f"Snow {number}, brief."
        question = {"role": "user", "content": f"What do you remember of winter {number}?"}
        lines.append(json.dumps({"messages": [question, {"role": "assistant", "content": reply}]}))
    path = tmp_path / "chats.jsonl"
    path.write_text("\n".join(lines), "utf-8")
    return path


def files_holding(folder: Path, text: str) -> list[str]:
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and text.encode() in path.read_bytes()
    ]


def test_moves_and_failures_are_told_and_the_address_stays_secret(
    hook: Hook, export: Path, home: Path, run_vatra: Any
) -> None:
    common = ("--home", home, "--workers", 1, "--json")
    address = f"{hook.url}/{TOKEN}"
    first = run_vatra(
        "build", export, "--set", "toxicity.scorer=none", "--set", f"notify.webhook={address}", *common
    )
    assert first.code == 0, first.errors
    assert hook.told == [], "the first build has nothing to be compared with"

    again = run_vatra("stage", "filter", "--set", "quality.min_chars=20", *common)
    assert again.code == 0, again.errors
    assert hook.paths == [f"/{TOKEN}"]
    (told,) = hook.told
    before, now = (answer.object["messages"] for answer in (first, again))
    assert told["what"] == "kept share moved"
    assert told["build"] == again.object["build"]
    assert told["kept_share"]["since"] == first.object["build"]
    assert told["kept_share"]["now"] == round(now["kept"] / 24, 6) < before["kept"] / 24
    assert told["counts"]["dropped"] == now["dropped"]
    assert "winter" not in json.dumps(told), "a notice holds no chat text"
    assert "was told that the kept share moved" in again.errors
    assert "was told that the kept share moved" in Path(again.object["report"]).read_text("utf-8")

    failed = run_vatra("stage", "mix", "--set", "quality.min_chars=9999", *common)
    assert failed.code == 1
    assert [notice["what"] for notice in hook.told] == ["kept share moved", "build failed"]
    assert hook.told[-1]["error"] == failed.object["error"].splitlines()[0][:400]
    assert hook.told[-1]["counts"]["messages"] == 24
    assert "was told that the build failed" in failed.errors
    assert len([line for line in failed.errors.splitlines() if line.startswith("vatra: ")]) == 1

    outputs = "".join(answer.out + answer.errors for answer in (first, again, failed))
    assert TOKEN not in outputs
    (kept,) = files_holding(home, TOKEN)
    assert kept.startswith("secrets/webhook-")
    with sqlite3.connect(home / "prefect/prefect.db") as database:
        logs = " ".join(text for (text,) in database.execute("select message from log"))
        tasks = [name for (name,) in database.execute("select name from task_run where name like 'notify%'")]
    assert "was told that the kept share moved" in logs
    assert len(tasks) == 2


def test_a_webhook_that_is_down_fails_no_build_and_is_said(
    hook: Hook, export: Path, home: Path, run_vatra: Any
) -> None:
    hook.answers = [500]
    common = ("--home", home, "--workers", 1, "--json")
    settings = ("--set", "toxicity.scorer=none", "--set", "notify.webhook=env:HOOK")
    first = run_vatra("build", export, *settings, *common, HOOK=f"{hook.url}/{TOKEN}")
    assert first.code == 0, first.errors
    given = (*settings, "--set", "quality.min_chars=20", "--set", "notify.kept_share_moved=0.01")
    second = run_vatra("build", export, *given, *common, HOOK=f"{hook.url}/{TOKEN}")
    assert second.code == 0, second.errors
    assert len(hook.told) == 2, "one try and one more"
    said = "The webhook (env:HOOK) was not told that the kept share moved"
    assert said in second.errors
    assert "it answered 500, 2 times." in second.errors
    assert said in Path(second.object["report"]).read_text("utf-8")
    assert files_holding(home, TOKEN) == []
    unset = run_vatra("build", export, *settings, *common)
    assert (unset.code, unset.out.count("\n")) == (2, 1)
    assert "environment variable HOOK, which is not set" in unset.errors


def test_it_changes_no_fingerprint_and_is_sealed_in_the_plan(export: Path, tmp_path: Path) -> None:
    home = open_home(tmp_path / "home")
    plain, told = (
        plan_build(home, [export], load_build_settings(overrides=["toxicity.scorer=none", *more]), 1)
        for more in ([], [f"notify.webhook=https://hooks.example.org/{TOKEN}", "notify.on_failure=false"])
    )
    assert plain.record.stages == told.record.stages
    assert told.record.settings["notify"]["webhook"].startswith("kept:")
    again = replan_build(home, told.record, told.settings, 1)
    assert again.record.settings == told.record.settings
    assert TOKEN not in "".join(path.read_text() for path in (home.path / "builds").iterdir())


def test_an_address_that_is_gone_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home")
    settings = load_build_settings(overrides=["toxicity.scorer=none", f"notify.webhook=kept:{'ab' * 16}"])
    with pytest.raises(SettingsError, match="not in this home any more"):
        check_settings(home, settings)
    with pytest.raises(SettingsError, match="not in this home any more"):
        plan_build(home, [tmp_path / "never-looked-at"], settings, 1)
    assert list_builds(home.store) == []
