"""Whom to tell: what is accepted, and that an address typed as it is shows up nowhere."""

from __future__ import annotations

import pytest

from schemas.errors import SettingsError
from schemas.settings import BuildSettings, NotifySettings, load_build_settings

TOKEN = "T0kenT0ken"
ADDRESS = f"https://hooks.example.org/services/{TOKEN}"


def test_by_default_nobody_is_told() -> None:
    assert BuildSettings().notify == NotifySettings(webhook=None, kept_share_moved=0.05, on_failure=True)


@pytest.mark.parametrize("webhook", ["env:HOOK", f"kept:{'a1' * 16}"])
def test_references_survive_being_written_down(webhook: str) -> None:
    settings = load_build_settings(overrides=[f"notify.webhook={webhook}"])
    assert BuildSettings.model_validate(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize("address", [ADDRESS, f"http://127.0.0.1:8080/{TOKEN}", f"http://u:{TOKEN}@[::1]/x"])
def test_an_address_is_kept_in_memory_only(address: str) -> None:
    settings = load_build_settings(overrides=[f"notify.webhook={address}"])
    assert settings.notify.webhook == address
    shown = [repr(settings), str(settings), settings.model_dump_json(), repr(settings.model_dump())]
    assert not any(TOKEN in text for text in shown)
    with pytest.raises(SettingsError, match=r"the address was hidden .* give it again"):
        load_build_settings(overrides=[f"notify.webhook={settings.model_dump()['notify']['webhook']}"])


@pytest.mark.parametrize(
    "override",
    [
        f"notify.webhook=ftp://h/{TOKEN}",
        f"notify.webhook=file:///{TOKEN}",
        f"notify.webhook=javascript:{TOKEN}",
        f"notify.webhook=http:///{TOKEN}",
        f"notify.webhook=http://h:99999/{TOKEN}",
        f"notify.webhook=http://[::1/{TOKEN}",
        f'notify.webhook="http://h/{TOKEN}\\n"',
        f"notify.webhook=http://h/a {TOKEN}",
        f"notify.webhook=env:{TOKEN} 1",
        f"notify.webhook=kept:{TOKEN}",
        f"notify.webhook=[{TOKEN}]",
        f"notify={ADDRESS}",
        f"notify.on_failure={TOKEN}",
        f"notify.kept_share_moved={TOKEN}",
    ],
)
def test_what_cannot_be_a_webhook_is_refused_without_being_quoted(override: str) -> None:
    with pytest.raises(SettingsError, match="setting notify") as caught:
        load_build_settings(overrides=[override])
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("share", [-0.1, 1.1, ".nan"])
def test_a_share_is_a_share(share: object) -> None:
    with pytest.raises(SettingsError, match=r"setting notify\.kept_share_moved"):
        load_build_settings(overrides=[f"notify.kept_share_moved={share}"])
