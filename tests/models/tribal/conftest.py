"""One trained NOVA for all the tests that use one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.models.tribal.trained import train


@pytest.fixture(scope="session")
def nova(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trained NOVA of three members."""
    return train(tmp_path_factory.mktemp("nova") / "model")


@pytest.fixture(scope="session")
def opened(nova: Path) -> tuple[Any, Any]:
    """Model and tokenizer."""
    from models.tribal.opening import open_nova

    return open_nova(nova)


@pytest.fixture(scope="session")
def eager(nova: Path) -> tuple[Any, Any]:
    """The same, with attention that tells its weights."""
    from models.tribal.opening import open_nova

    return open_nova(nova, attention="eager")
