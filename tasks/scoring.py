"""Score: what is measured of a message once and kept: language, lengths, rule hits, toxicity."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.settings import ScoreSettings
from schemas.settings.loading import resolve_rules
from schemas.summary import StageSummary
from storage.stages import Stage
from tasks.remembering import ScoringMeans, open_remembering
from tasks.running import Run, Step, perform, rows_of
from tasks.signals import score_part


def score_settings(run: Run) -> ScoreSettings:
    """What the score stage may know: the contents of the rule lists, and which weights score."""
    settings = run.settings
    return ScoreSettings(
        languages=settings.languages,
        rules={family: resolve_rules(family, getattr(settings, family)) for family in ("blacklist", "slop")},
        scorer=settings.toxicity.scorer,
        scorer_digest=run.scorer_digest,
    )


SCORE = Step(
    stage=Stage(
        "score",
        version=2,
        kind="row",
        unit="messages",
        function=score_part,
        libraries=("polars", "py3langid"),
        resource=open_remembering,
    ),
    settings=score_settings,
    reads={"messages": "parse"},
    rows_in=rows_of("messages", "parse"),
    context=lambda run: ScoringMeans(run.home.cache, run.store.url),
)


@task(name="score", cache_policy=NO_CACHE, persist_result=False)
def score_messages(run: Run) -> StageSummary:
    """Measure every message; a message in a language that the scorer does not cover stays unscored."""
    return perform(SCORE, run)
