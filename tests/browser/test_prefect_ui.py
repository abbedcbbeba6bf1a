"""Prefect's UI over a real home: a build from its form, its run, its artifact, its report; one stage again.

One home, one server and one worker for all; the tests build on one another, as a person's afternoon does.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed (dev extra)")
from tests.browser.conftest import environment
from tests.browser.prefect_pages import PrefectPages
from tests.browser.watching import WatchedPage, watch
from tests.flows.services import free_port

ROOT = Path(__file__).resolve().parents[2]


def vatra(*arguments: object) -> dict[str, Any]:
    """A command of vatra, and the object that --json gives."""
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", *map(str, arguments), "--json"],
        cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@dataclass(frozen=True)
class Served:
    """A home with its services up, and exports to build from."""

    home: Path
    address: str
    exports: Path

    def runs(self, flow: str, deployment: str) -> int:
        """Runs of a deployment that the server knows of, in whichever state."""
        asked = (
            "select count(*) from flow_run join deployment on deployment.id = flow_run.deployment_id "
            "join flow on flow.id = flow_run.flow_id where flow.name = ? and deployment.name = ?"
        )
        with closing(sqlite3.connect(self.home / "prefect/prefect.db", timeout=30)) as database:
            (count,) = database.execute(asked, (flow, deployment)).fetchone()
        return int(count)

    def builds(self) -> list[dict[str, Any]]:
        """The records of all builds, oldest first."""
        found = [json.loads(path.read_text("utf-8")) for path in (self.home / "builds").glob("*.json")]
        return sorted(found, key=lambda record: record["created"])

    def parts(self, record: dict[str, Any], table: str) -> list[dict[str, Any]]:
        """The parts of a table that a build parsed, as the manifest tells them."""
        path = self.home / "datasets/parse" / record["stages"]["parse"] / "manifest.json"
        return [part["tables"][table] for part in json.loads(path.read_text("utf-8"))["parts"]]

    def chat_texts(self, record: dict[str, Any]) -> list[str]:
        """Everything that was said in the conversations of a build, but for what is too short to be told apart."""
        files = [self.home / part["path"] for part in self.parts(record, "messages")]
        said = [text for file in files for text in parquet.read_table(file)["content"].to_pylist()]
        return [text for text in said if len(text) > 20]


@pytest.fixture(scope="module")
def served(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    base = tmp_path_factory.mktemp("afternoon")
    shutil.copytree(ROOT / "examples", base / "exports")
    home = base / "home"
    try:
        up = vatra("up", "--home", home, "--port", free_port())
        yield Served(home, up["ui"], base / "exports")
    finally:
        vatra("down", "--home", home)


@pytest.fixture(scope="module")
def seen(browser: Any, served: Served) -> WatchedPage:
    """The one page in which all of it happens."""
    return watch(browser)


@pytest.fixture
def pages(seen: WatchedPage, served: Served) -> Iterator[PrefectPages]:
    """The UI; whatever was done, no other host was asked, nothing was planted, nothing asked back."""
    yield PrefectPages(seen.page, served.address)
    assert seen.outside == []
    assert seen.dialogs == []
    assert not seen.marked
    assert {re.sub(r"^(http://[^/]+).*", r"\1", asked) for asked in seen.requests} <= {
        served.address,
        *(asked for asked in seen.requests if asked.startswith(("data:", "blob:"))),
    }


@pytest.fixture
def silent(seen: WatchedPage) -> Iterator[None]:
    """No error may stand in the browser's console."""
    before = len(seen.errors)
    yield
    assert seen.errors[before:] == []


@pytest.mark.usefixtures("silent")
def test_the_form_explains_itself(pages: PrefectPages) -> None:
    form = pages.open_form("build-corpus", "adhoc")
    assert "full paths on this machine" in form.told("paths")
    assert form.told("Toxicity").startswith("Toxicity, scored by a model.")
    assert "(0 to 1)" in form.told("Threshold", "Toxicity")
    assert "drop_turn: left out" in form.told("Assistant", "Blacklist")
    threshold = form.number("Threshold", "Toxicity")
    assert threshold.input_value() == "0.8"
    assert (threshold.get_attribute("min"), threshold.get_attribute("max")) == ("0", "1")
    assert form.number("Seed", "Mix").input_value() == "42"
    assert form.field("Builtin", "Slop").get_by_role("switch").get_attribute("aria-checked") == "true"
    assert form.choices("Assistant", "Quality") == ["flag", "mask", "drop_turn", "drop_conversation"]
    assert {"none", "profanity", "detoxify:original"} < set(form.choices("Scorer", "Toxicity"))
    labels = form.page.locator("form label")
    described = form.page.locator("form label + p")
    own = {"Run Name", "Enforce Parameter Schema"}  # Prefect's
    assert described.count() >= len(set(labels.all_inner_texts()) - own) > 25


def test_a_build_from_the_form(pages: PrefectPages, seen: WatchedPage, served: Served) -> None:
    form = pages.open_form("build-corpus", "adhoc")
    form.add("paths", str(served.exports))
    form.choose("Scorer", "Toxicity", "profanity")
    threshold = form.number("Threshold", "Toxicity")

    threshold.fill("7")  # the browser knows the bounds
    form.submit()
    assert "less than or equal to 1" in threshold.evaluate("field => field.validationMessage")
    threshold.fill("0.8")
    assert seen.errors == []

    form.type_json("Shares", "Mix", '{"chatgpt": 0}')  # this one the server has to tell
    form.submit()
    refusal = form.page.get_by_text("settings.mix.shares.chatgpt").first
    refusal.wait_for()
    assert "less than or equal to the minimum of 0" in refusal.inner_text()
    assert [error for error in seen.errors if "409" not in error and "mix.shares" not in error] == []
    assert served.runs("build-corpus", "adhoc") == 0, "what is refused was not started"
    assert served.builds() == []

    seen.errors.clear()
    form.type_json("Shares", "Mix", "{}")
    form.submit_corrected()
    assert pages.open_started_run() == "Completed"
    assert served.runs("build-corpus", "adhoc") == 1
    pages.page.reload()
    pages.page.locator("canvas").first.wait_for()

    (record,) = served.builds()
    assert record["settings"]["toxicity"]["scorer"] == "profanity"
    text = pages.open_artifact()
    assert record["build"] in text
    row = pages.page.get_by_role("row").filter(has_text="Total messages").inner_text()
    parsed = sum(part["rows"] for part in served.parts(record, "messages"))
    assert re.findall(r"\d+", row)[0] == str(parsed)
    assert "Report:" in text
    said = served.chat_texts(record)
    assert len(said) > 100
    assert [one for one in said if one in text] == []
    assert seen.errors == []


@pytest.mark.parametrize("width", [1280, 390])
def test_the_report_of_that_build_opens_with_the_network_cut(
    browser: Any, served: Served, width: int
) -> None:
    (record,) = served.builds()
    report = served.home / f"reports/{record['build']}.html"
    watched = watch(browser, width, offline=True)
    page = watched.open(report.as_uri())
    assert page.locator("h1").inner_text() == record["build"]
    assert page.locator("#filtering tbody tr").count() > 5
    assert watched.overflow <= 0
    watched.assert_harmless()
    assert watched.requests == [report.as_uri()]


@pytest.mark.usefixtures("silent")
def test_one_stage_again_from_the_form(pages: PrefectPages, served: Served) -> None:
    form = pages.open_form("run-stage", "filter")
    assert "what is done about messages" in form.told("Blacklist")
    assert form.told("Threshold", "Toxicity").endswith("Empty: as in the build.")
    form.number("Threshold", "Toxicity").fill("0.2")
    form.number("Min chars", "Quality").fill("60")
    form.submit()
    assert pages.open_started_run() == "Completed"

    first, second = served.builds()
    assert second["parent"] == first["build"]
    assert second["settings"]["toxicity"] == {**first["settings"]["toxicity"], "threshold": 0.2}
    assert second["settings"]["quality"]["min_chars"] == 60
    same = {stage for stage, print_ in first["stages"].items() if second["stages"][stage] == print_}
    assert same == {"parse", "reconcile", "score"}
    text = pages.open_artifact()
    assert second["build"] in text
    moved = vatra("diff", first["build"], second["build"], "--home", served.home)
    changed = {(one["key"], one["before"], one["after"]) for one in moved["settings"]}
    assert changed == {("toxicity.threshold", 0.8, 0.2), ("quality.min_chars", 10, 60)}
    stages = {one["stage"]: one for one in moved["stages"]}
    assert {name for name, one in stages.items() if one["same"]} == {"parse", "reconcile", "score"}
    judged = stages["filter"]
    assert judged["after"]["set_aside"].get("too_short", 0) > judged["before"]["set_aside"].get(
        "too_short", 0
    )
