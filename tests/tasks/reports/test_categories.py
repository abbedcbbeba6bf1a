"""The report's table of categories."""

from __future__ import annotations

from typing import Any

from schemas.categories import CATEGORIES
from tasks.reports import ReportContext, collect_statistics, render_page


def test_the_page_shows_every_category_and_the_share_unassigned(tables: Any, context: ReportContext) -> None:
    statistics = collect_statistics(tables, context)
    page = render_page(statistics, context)
    table = page.partition('class="categories"')[2].partition("</table>")[0]
    assert all(f'<th scope="row">{name}</th>' in table for name in (*CATEGORIES, "unassigned"))
    assert "1 of 3 examples (33.3%) are unassigned" in page
    assert '<th scope="col" class="num">declared</th><th scope="col" class="num">classifier</th>' in table


def test_before_the_label_stage_there_is_no_such_table(tables: Any, context: ReportContext) -> None:
    without = tables.without("labels")
    assert 'class="categories"' not in render_page(collect_statistics(without, context), context)
