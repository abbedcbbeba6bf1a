from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = "torch transformers tokenizers peft trl datasets detoxify profanity_check sklearn"


@pytest.mark.parametrize(
    "module", ["models.toxicity", "models.labels", "models.lora", "models.tribal", "models.quiet"]
)
def test_importing_a_room_loads_no_model_library(module: str) -> None:
    code = f"import sys, {module}; print([name for name in '{HEAVY}'.split() if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_digest_needs_no_torch(tmp_path: object) -> None:
    code = (
        "import sys; from pathlib import Path; from models.toxicity import scorer_digest;"
        "scorer_digest('none', Path('.')); scorer_digest('profanity', Path('.'));"
        f"print([name for name in '{HEAVY}'.split() if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
