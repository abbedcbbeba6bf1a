"""docs/mixture.md names every setting of a mixture with its default, and its examples are settings that load."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from schemas.settings import BuildSettings, MixSettings, Phase
from schemas.settings.loading import preset_values
from schemas.settings.model import INTERNAL
from tasks.mixing.selection import REASONS
from tasks.mixing.solving import largest, make_up

PAGE = (Path(__file__).resolve().parents[2] / "docs/mixture.md").read_text("utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_every_setting_and_every_reason_is_on_the_page() -> None:
    rows = [line.split("|")[1:3] for line in PAGE.splitlines() if line.startswith("| `")]
    told = {name: default.strip() for names, default in rows for name in re.findall(r"`(\w+)`", names)}
    for model in (MixSettings, Phase):
        for name, field in model.model_fields.items():
            if field.json_schema_extra == INTERNAL:
                continue
            assert name in told, name
            if isinstance(field.default, (int, float, str)):
                default = f"{field.default:g}" if isinstance(field.default, float) else str(field.default)
                assert told[name].strip("`") == default, name
    assert all(f"`{reason}`" in PAGE for reason in REASONS if reason)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_loads(example: str) -> None:
    assert BuildSettings.model_validate(yaml.safe_load(example)).mix != MixSettings()


def test_the_preset_is_quoted_as_it_is() -> None:
    (quoted,) = (yaml.safe_load(one)["mix"] for one in EXAMPLES if "the preset `personal`" in one)
    assert {"description": preset_values("mixture", "personal")["description"], **quoted} == preset_values(
        "mixture", "personal"
    )


def test_the_numbers_are_those_that_come_out() -> None:
    two = MixSettings(ranges={"technical": (50, 60), "creative": (40, 50)}).category_shares
    assert make_up(two, {"technical": 400, "creative": 50}, largest(two, {"technical": 400, "creative": 50}, 450)) == {
        "technical": 75, "creative": 50,
    }  # fmt: skip
    assert largest(two, {"technical": 400, "creative": 100}, 500) == 250
    asked = MixSettings(ranges={"technical": (3, 5), "creative": (1, 3)}, ranges_in="weights").category_shares
    assert [round(float(bound) * 100, 1) for share in asked.values() for bound in share[:2]] == [
        50,
        83.3,
        16.7,
        50,
    ]
    shares = MixSettings(shares={"chatgpt": 2, "claude": 1}).source_shares
    there = {"chatgpt": 900, "claude": 200}
    assert make_up(shares, there, largest(shares, there, 1100)) == {"chatgpt": 400, "claude": 200}
