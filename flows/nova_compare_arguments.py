"""The arguments of `vatra nova compare`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[Any]"


def add_compare(commands: Commands) -> argparse.ArgumentParser:
    """`vatra nova compare`, among the other commands of `vatra nova`."""
    compare: argparse.ArgumentParser = commands.add_parser(
        "compare",
        help="does alpha earn its place? NOVA against a GPT-2 of its size and against itself without it",
        description="Trains every arm with every seed on the same corpus and measures all on the same held-out text. "
        "Killed, the same command goes on where it was; run twice at once, two processes share the trainings.",
    )
    compare.set_defaults(runs="flows.commands.nova_compare:compare", epochs=None, batch_size=None)
    compare.add_argument(
        "--preset", default="nova-tiny", help="the NOVA that is trained (see `vatra presets`)"
    )
    compare.add_argument(
        "--build", default="latest", help="the build whose corpus is read (default: the latest)"
    )
    compare.add_argument("--corpus", metavar="FINGERPRINT", help="a corpus by its fingerprint instead")
    compare.add_argument(
        "--seeds", type=int, default=3, metavar="N", help="trainings of each arm (default: 3)"
    )
    compare.add_argument(
        "--arms",
        metavar="A,B",
        help="only these beside nova: gpt2, uniform, shuffled, unlabelled, concat (or residual); default: all",
    )
    compare.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="key=value",
        help="one setting of the preset, e.g. epochs=3",
    )
    compare.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="the page (default: in the home's reports); figures as JSON beside it",
    )
    compare.add_argument("--overwrite", action="store_true", help="replace the page if it stands already")
    return compare
