"""Where the address of a webhook is kept, and that nothing else holds it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from schemas.errors import SettingsError
from storage.home import Home, open_home
from storage.webhooks import find_webhook, keep_webhook

ADDRESS = "https://hooks.example.org/T0ken"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home")


def test_an_address_is_kept_for_its_owner_only_and_found_again(home: Home) -> None:
    reference = keep_webhook(home, ADDRESS)
    assert reference.startswith("kept:")
    assert "T0ken" not in reference
    assert keep_webhook(home, ADDRESS) == keep_webhook(home, reference) == reference
    assert find_webhook(home, reference) == ADDRESS
    (kept,) = (home.path / "secrets").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


def test_a_variable_is_looked_up_when_it_is_needed(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOOK", raising=False)
    assert keep_webhook(home, "env:HOOK") == "env:HOOK"
    assert not (home.path / "secrets").exists()
    with pytest.raises(SettingsError, match=r"environment variable HOOK, which is not set .*Set HOOK where"):
        find_webhook(home, "env:HOOK")
    monkeypatch.setenv("HOOK", ADDRESS)
    assert find_webhook(home, "env:HOOK") == ADDRESS


def test_a_variable_that_holds_no_address_is_not_quoted(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", "ftp://T0ken")
    with pytest.raises(SettingsError, match="what stands for the webhook is no http") as caught:
        find_webhook(home, "env:HOOK")
    assert "T0ken" not in str(caught.value)


def test_an_address_that_is_gone_is_said(home: Home) -> None:
    reference = keep_webhook(home, ADDRESS)
    (kept,) = (home.path / "secrets").iterdir()
    kept.unlink()
    with pytest.raises(SettingsError, match=r"not in this home any more .*Give it again"):
        find_webhook(home, reference)
