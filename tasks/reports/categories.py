"""Counts the categories of the examples, and how they came by them."""

from __future__ import annotations

from collections import Counter

from schemas.categories import CATEGORIES, LABEL_METHODS
from tasks.reports.counting import tally, whole
from tasks.reports.statistics import CategoryCount, LabelCounts
from tasks.reports.tables import Tables


def count_labels(tables: Tables) -> LabelCounts | None:
    """Examples by category and method; None before the label stage."""
    if not tables.has("labels"):
        return None
    found: Counter[tuple[str, str]] = Counter()
    for part in tables.scan("labels", ("category", "method")):
        columns = {name: whole(part, name) for name in ("category", "method")}
        for (category, method), count in tally(columns).items():
            found[category or "", method] += count
    methods: Counter[str] = Counter()
    for (_, method), count in found.items():
        methods[method] += count
    categories = []
    for name in CATEGORIES:
        by_method = {m: found[name, m] for m in LABEL_METHODS if found[name, m]}
        categories.append(CategoryCount(name, sum(by_method.values()), by_method))
    return LabelCounts(
        total=methods.total(),
        methods={method: methods[method] for method in LABEL_METHODS if methods[method]},
        categories=tuple(categories),
        unassigned=methods["unassigned"],
    )
