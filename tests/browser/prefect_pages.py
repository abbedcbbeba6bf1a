"""Prefect's UI as a person uses it: a deployment's form, the run that comes of it, the artifact of the run."""

from __future__ import annotations

import re
from dataclasses import dataclass

from playwright.sync_api import Locator, Page
from playwright.sync_api import TimeoutError as PlaywrightTimeout

#: Milliseconds for a page to be drawn, and for a run to end, on a machine that is busy with other things.
DRAWN = 30_000
ENDED = 120_000


@dataclass(frozen=True)
class Form:
    """The run form of a deployment."""

    page: Page

    def field(self, name: str, section: str | None = None) -> Locator:
        """The block of a field: its label, its description and what it is filled in with."""
        where = self.page if section is None else self.field(section).locator("fieldset").first
        label = where.locator("label", has_text=re.compile(rf"^{re.escape(name)}( \(Optional\))?$")).first
        return label.locator("xpath=../../..")

    def told(self, name: str, section: str | None = None) -> str:
        """The description under the label."""
        return self.field(name, section).locator("p").first.inner_text()

    def number(self, name: str, section: str | None = None) -> Locator:
        return self.field(name, section).locator("input[type=number]").first

    def add(self, name: str, value: str) -> None:
        """One more entry of a list of texts."""
        block = self.field(name)
        block.get_by_role("button", name="Add item").click()
        block.locator("textarea").last.fill(value)

    def choices(self, name: str, section: str) -> list[str]:
        """What a drop-down offers."""
        self.field(name, section).get_by_role("button", name=f"Select {name}").click()
        offered = self.page.get_by_role("option")
        offered.first.wait_for()
        found = offered.all_inner_texts()
        self.page.keyboard.press("Escape")
        offered.first.wait_for(state="hidden")
        return found

    def choose(self, name: str, section: str, value: str) -> None:
        self.field(name, section).get_by_role("button", name=f"Select {name}").click()
        self.page.get_by_role("option", name=value, exact=True).click()

    def type_json(self, name: str, section: str, value: str) -> None:
        self.field(name, section).locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+A")
        self.page.keyboard.insert_text(value)

    def submit(self) -> None:
        self.page.get_by_role("button", name="Submit").click()

    def submit_corrected(self) -> None:
        """After the server refused: Prefect's UI only looks again at the first press, and sends at the next."""
        for _ in range(5):
            self.submit()
            try:
                self.page.get_by_role("button", name="View run").wait_for(timeout=10_000)
            except PlaywrightTimeout:
                continue
            return
        raise AssertionError("the corrected form is not accepted")


@dataclass(frozen=True)
class PrefectPages:
    """The UI of a home's server, in one page of the browser."""

    page: Page
    address: str

    def open_form(self, flow: str, deployment: str) -> Form:
        """By clicks, from the front page to the form."""
        page = self.page
        page.set_default_timeout(DRAWN)
        page.goto(self.address)
        page.get_by_role("link", name="Deployments").click()
        row = page.get_by_role("row").filter(has_text=flow)
        row.get_by_role("link", name=deployment, exact=True).click()
        page.wait_for_url("**/deployments/deployment/**")
        page.get_by_role("button", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Custom run").click()
        page.get_by_role("button", name="Submit").wait_for()
        return Form(page)

    def open_started_run(self) -> str:
        """From the notice that a run was scheduled to its page, once it has ended; returns the word for its end."""
        page = self.page
        page.get_by_role("button", name="View run").click()
        page.wait_for_url("**/runs/flow-run/**")
        end = page.get_by_text(re.compile("^(Completed|Failed|Crashed|Cancelled)$")).first
        end.wait_for(timeout=ENDED)
        return end.inner_text()

    def open_artifact(self) -> str:
        """From the page of a run to its artifact; returns the text of the page."""
        page = self.page
        page.get_by_role("tab", name="Artifacts").click()
        page.get_by_role("link", name="build-counts").click()
        page.get_by_role("link", name=re.compile("^[0-9a-f]{8}$")).first.click()
        page.get_by_role("cell", name="Total messages").wait_for()
        return page.locator("main").inner_text()
