"""The flow under Prefect's own test harness: one server per run of the tests."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.webhooks import listening_hook


@pytest.fixture(scope="module")
def harness() -> Iterator[None]:
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=180):
        yield


def export(path: Path, conversations: int) -> Path:
    lines = [
        json.dumps(
            {
                "messages": [
                    {"role": "user", "content": f"What do you remember of winter {number}?"},
                    {"role": "assistant", "content": f"The snow of year {number} lay until April."},
                ]
            }
        )
        for number in range(conversations)
    ]
    path.write_text("\n".join(lines), "utf-8")
    return path


def test_flow_from_export_to_corpus(harness: None, tmp_path: Path) -> None:
    from flows.build_corpus import build_here
    from flows.planning import plan_build
    from schemas.settings import load_build_settings
    from storage.home import open_home

    settings = load_build_settings(overrides=["toxicity.scorer=none", "mix.validation=0.2"])
    run = plan_build(open_home(tmp_path / "home"), [export(tmp_path / "chats.jsonl", 30)], settings)
    state = build_here(run.record.build, str(run.home.path), return_state=True)
    report = state.result()
    assert state.is_completed()
    corpus = report.summary.corpus
    assert corpus.train + corpus.validation + corpus.test == 30
    assert Path(report.summary.report or "").exists()


def test_failed_expectation_fails_the_flow(harness: None, tmp_path: Path) -> None:
    from flows.build_corpus import build_here
    from flows.building import BuildFailed
    from flows.planning import plan_build
    from schemas.settings import load_build_settings
    from storage.home import open_home

    settings = load_build_settings(overrides=["toxicity.scorer=none", "quality.min_chars=9999"])
    run = plan_build(open_home(tmp_path / "home"), [export(tmp_path / "chats.jsonl", 3)], settings)
    state = build_here(run.record.build, str(run.home.path), return_state=True)
    assert state.is_failed()
    with pytest.raises(BuildFailed, match="at least one assistant message is left"):
        state.result()


def test_a_build_that_cannot_be_planned_is_told_to_the_webhook(
    harness: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody sits at a terminal when a deployment starts a build over a folder that is gone."""
    from flows.build_corpus import build_corpus
    from schemas.settings import load_build_settings

    monkeypatch.setenv("VATRA_HOME", str(tmp_path / "home"))
    with listening_hook() as hook:
        settings = load_build_settings(overrides=["toxicity.scorer=none", f"notify.webhook={hook.url}/T0ken"])
        state = build_corpus([str(tmp_path / "gone")], settings=settings, return_state=True)
    assert state.is_failed()
    assert "no such file or folder" in str(state.message)
    assert [(notice["what"], notice["build"]) for notice in hook.told] == [("build failed", None)]
    assert hook.paths == ["/T0ken"]


def test_the_scheduled_build_takes_the_inbox(
    harness: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Night after night: what came is taken once and built upon, what cannot be read is named, nothing is an error."""
    from flows.build_corpus import build_corpus
    from schemas.settings import load_build_settings
    from storage.catalog import latest_build
    from storage.home import open_home

    monkeypatch.setenv("VATRA_HOME", str(tmp_path / "home"))
    home, settings = open_home(), load_build_settings(overrides=["toxicity.scorer=none"])

    def drop(path: Path) -> None:
        os.utime(path, (1_600_000_000, 1_600_000_000))

    def night() -> str:
        state = build_corpus(inbox=True, settings=settings, return_state=True)
        assert state.is_completed(), state.message
        return str(state.message)

    assert "nothing to build from" in night()
    drop(export(home.inbox / "one.jsonl", 20))
    (home.inbox / "notes.txt").write_text("milk, bread")
    drop(home.inbox / "notes.txt")
    assert "test examples" in night()
    first = latest_build(home.store, "mix")
    assert [file.label for file in first.inputs] == ["one.jsonl"]
    assert first.notes[0] == "Came since the last complete build: one.jsonl."
    assert "In quarantine: notes.txt (not a chat export" in first.notes[1]
    drop(export(home.inbox / "two.jsonl", 30))
    night()
    second = latest_build(home.store, "mix")
    assert [file.label for file in second.inputs] == ["one.jsonl", "two.jsonl"]
    assert second.notes[0] == "Came since the last complete build: two.jsonl."
    page = (home.reports / f"{second.build}.html").read_text("utf-8")
    assert "Came since the last complete build: two.jsonl." in page
    assert "In quarantine: notes.txt" in page
    night()
    assert latest_build(home.store, "mix").notes[0] == "Nothing new came."
