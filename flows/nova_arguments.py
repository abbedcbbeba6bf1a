"""The arguments of `vatra nova`: using a NOVA that was trained."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from flows.nova_compare_arguments import add_compare

Commands: TypeAlias = "argparse._SubParsersAction[Any]"


def add_nova_commands(commands: Commands) -> Iterator[argparse.ArgumentParser]:
    """The commands under `vatra nova`, one after the other, for what all commands share to be added."""
    nova = commands.add_parser("nova", help="use a NOVA: let it write, or see what it sees in a text")
    group = nova.add_subparsers(dest="what", metavar="WHAT", required=True)
    yield _add_generate(group)
    yield _add_explain(group)
    yield add_compare(group)


def _add_generate(commands: Commands) -> argparse.ArgumentParser:
    generate: argparse.ArgumentParser = commands.add_parser(
        "generate",
        help="a NOVA's reply to a text, and who spoke in it",
        description="The text goes to standard output, what is said about it to standard error.",
    )
    generate.set_defaults(runs="flows.commands.nova:generate")
    generate.add_argument("text", metavar="TEXT", help="what is said to it")
    _add_model(generate)
    generate.add_argument(
        "--raw", action="store_true", help="go on with TEXT itself, instead of replying to it"
    )
    generate.add_argument(
        "--member",
        metavar="NAME[=WEIGHT]",
        help="give this member the weight (default: 0.9) throughout, in place of what the detector gives it",
    )
    generate.add_argument(
        "--greedy", action="store_true", help="the likeliest token each time; nothing is drawn"
    )
    generate.add_argument(
        "--temperature", type=float, metavar="T", help="above 0; lower is surer (default: 0.8)"
    )
    generate.add_argument("--top-k", type=int, metavar="K", help="draw from the K likeliest (default: 50)")
    generate.add_argument(
        "--top-p", type=float, metavar="P", help="and of these from the share P of probability (default: 1)"
    )
    generate.add_argument(
        "--max-new-tokens", type=int, default=128, metavar="N", help="at most so many (default: 128)"
    )
    generate.add_argument(
        "--seed", type=int, metavar="N", help="the same seed draws the same text (default: a new one, told)"
    )
    generate.add_argument("--stream", action="store_true", help="show each piece as soon as it is written")
    generate.add_argument(
        "--int8", action="store_true", help="weights in 8 bits: faster on a CPU, a little less exact"
    )
    return generate


def _add_explain(commands: Commands) -> argparse.ArgumentParser:
    explain: argparse.ArgumentParser = commands.add_parser(
        "explain",
        help="a page of what a NOVA sees in a text: members, attention, attribution",
        description="One HTML page that opens offline: the members' weights over the tokens, why they are as they "
        "are, attention by layer and head, and the likeliest next tokens.",
    )
    explain.set_defaults(runs="flows.commands.nova:explain")
    explain.add_argument("text", metavar="TEXT", help="the text")
    _add_model(explain)
    explain.add_argument(
        "--role",
        choices=("assistant", "user", "none"),
        default="assistant",
        help="who says it: a reply, of which members were learned (default), a user whom the reply follows, or "
        "nobody (no marks at all)",
    )
    explain.add_argument(
        "--member",
        metavar="NAME",
        help="whose weight is traced to tokens (default: the strongest beside the core)",
    )
    explain.add_argument(
        "--layer", type=int, metavar="N", help="the attention map that is shown large: its layer, from 1"
    )
    explain.add_argument("--head", type=int, metavar="N", help="and its head, from 1")
    explain.add_argument("--out", type=Path, metavar="FILE", help="the page (default: in the home's reports)")
    explain.add_argument("--overwrite", action="store_true", help="replace FILE if it stands already")
    return explain


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        metavar="NAME",
        help="a NOVA's name, 6 characters of its fingerprint, or the path of a folder (default: the newest)",
    )
