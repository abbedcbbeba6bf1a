"""`vatra nova compare`: does alpha earn its place? NOVA against its neighbours, as a page and as JSON."""

from __future__ import annotations

import argparse

from rich.console import Console

from flows.commands.session import at_work, print_json
from flows.commands.training import corpus_of, preset_changes
from schemas.errors import UsageError
from schemas.settings.loading import load_tribal_preset
from storage.home import open_home

_MOST_SEEDS = 100


def compare(given: argparse.Namespace) -> int:
    """Train what is missing, compare, and write the page."""
    if not 1 <= given.seeds <= _MOST_SEEDS:
        raise UsageError(
            f"{given.seeds} trainings of each arm", where="--seeds", fix=f"Give 1 to {_MOST_SEEDS}."
        )
    preset = load_tribal_preset(given.preset, preset_changes(given))
    home = open_home(given.home)
    _, corpus = corpus_of(home, given)
    from models.tribal.arms import check_arms, default_arms
    from tasks.nova_comparing import as_object, comparison_lines, default_page, write_page

    named = [name.strip() for name in (given.arms or "").split(",") if name.strip()]
    arms = check_arms(named, preset) if named else default_arms(preset)
    page = given.out or default_page(home, given.preset, corpus)
    if page.suffix != ".html" or page.is_dir():
        raise UsageError("the page is an HTML file", where=str(page), fix="Name it FILE.html.")
    if given.out and page.exists() and not given.overwrite:
        raise UsageError(
            "the file stands already", where=str(page), fix="Name another one, or give --overwrite."
        )
    with at_work(given, home):
        from tasks.nova_comparing import compare_nova

        comparison = compare_nova(home, corpus, preset, given.preset, arms, given.seeds)
    figures = write_page(comparison, page)
    console = Console(stderr=given.json, highlight=False, soft_wrap=True, markup=False)
    for line in comparison_lines(comparison):
        console.print(line)
    console.print(f"Page     {page}\nFigures  {figures}")
    return print_json(given, {"page": str(page), "figures": str(figures), **as_object(comparison)})
