"""`vatra fetch`: the one command that downloads: a toxicity scorer, or the data sets of a file of sources."""

from __future__ import annotations

import argparse

from rich.console import Console

from flows.commands.session import print_json
from schemas.errors import UsageError
from schemas.files import expanded
from schemas.settings.sources_file import load_sources
from storage.home import open_home


def fetch(given: argparse.Namespace) -> int:
    """Download a model, or data sets, into the home's cache."""
    if (given.what is None) == (given.sources is None):
        raise UsageError(
            "say what to fetch: toxicity, or the data sets of --sources FILE",
            fix="Run `vatra fetch toxicity` or `vatra fetch --sources FILE`.",
        )
    return _fetch_sets(given) if given.what is None else _fetch_toxicity(given)


def _fetch_toxicity(given: argparse.Namespace) -> int:
    home = open_home(given.home)
    from models.toxicity import fetch_detoxify

    console = Console(stderr=given.json, highlight=False)
    folder = fetch_detoxify(given.variant, home.cache, console.print)
    console.print(f"Ready: --set toxicity.scorer=detoxify:{given.variant}")
    return print_json(given, {"fetched": f"detoxify:{given.variant}", "folder": str(folder)})


def _fetch_sets(given: argparse.Namespace) -> int:
    sources = load_sources(expanded(given.sources))
    wanted = {name: source for name, source in sources.items() if source.dataset is not None}
    if not wanted:
        raise UsageError(
            "no source of this file is a data set to fetch",
            where=str(given.sources),
            fix="A source of files needs no fetching: run `vatra build --sources FILE`.",
        )
    home = open_home(given.home)
    from models.hub import fetch_dataset

    console = Console(stderr=given.json, highlight=False, soft_wrap=True, markup=False)
    fetched = {name: fetch_dataset(source, home.cache, console.print) for name, source in wanted.items()}
    console.print(f"Ready: vatra build --sources {given.sources}")
    told = ("dataset", "revision", "rows", "license")
    return print_json(given, {"fetched": {n: {k: getattr(f, k) for k in told} for n, f in fetched.items()}})
