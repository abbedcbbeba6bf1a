"""The filter tried with other settings, in memory: what would move, with nothing written and no model asked.

Thresholds and actions are compared with the signals that stand. New patterns belong to the score stage; they are
found in the texts here by its own functions, part by part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from schemas.comparison import SettingChange, Trial
from schemas.errors import UsageError
from schemas.expectations import EXPECTATIONS, Expectation
from schemas.settings import BuildSettings, FilterSettings, Rule
from schemas.settings.loading import resolve_rules, seal
from schemas.tables import SIGNALS, TOXICITY_LABELS
from tasks.accounts import BuildTables
from tasks.assembly import place_part
from tasks.comparing import changed_settings, compare_states, message_states
from tasks.rules import judge_part
from tasks.running import Run
from tasks.signals import check_rules, renew_hits, rules_to_find

_FAMILIES = ("blacklist", "slop")
_NEEDED = {"parse": "messages", "reconcile": "standing", "score": "signals"}
#: What is asked of messages: which they are, and by whom, for neighbours of one voice are joined.
_TOLD, _VOICE = ("message_id", "role", "position"), ("author", "intensity")
_BETWEEN = "ExpectColumnValuesToBeBetween"
_REPARSE = "it changes what is read, and a dry run reads no export"
_RESCORE = "every message would have to be scored again, which a dry run does not do"
_LATER = "it belongs to a later stage and moves no verdict"


@dataclass(frozen=True)
class Change:
    """What the trial needs: both sets of filter settings and rules, and whether scores are set aside."""

    before: FilterSettings
    after: FilterSettings
    rules_before: Mapping[str, Sequence[Rule]]
    rules_after: Mapping[str, Sequence[Rule]]
    without_scores: bool

    @property
    def needs_texts(self) -> bool:
        """Whether a pattern is new, so that it must be looked for."""
        return bool(rules_to_find(self.rules_before, self.rules_after))

    @property
    def moves_hits(self) -> bool:
        """Whether the stored hits are those of other rules."""
        return dict(self.rules_before) != dict(self.rules_after)


def try_filter(run: Run, wanted: BuildSettings, ids: int) -> Trial:
    """What the filter with `wanted` settings would do to the build of `run`. Nothing is written.

    Raises UsageError when a change is none of the filter's (or needs a model), or when the build's signals do not
    stand; SettingsError for a pattern that cannot be used.
    """
    wanted = seal(wanted)
    changes = changed_settings(run.settings.model_dump(mode="json"), wanted.model_dump(mode="json"))
    refuse_foreign(changes)
    tables = BuildTables(run)
    change = _change(run, tables, wanted)
    sides: list[list[dict[str, pa.Table]]] = [[], []]
    tally: Counter[str] = Counter()
    for before, after, counts in _judged(tables, change):
        sides[0].append(before)
        sides[1].append(after)
        tally.update(counts)
    placed = [message_states(side) for side in sides]
    decided = [message_states(without_placements(side)) for side in sides]
    return Trial(
        build=run.record.build,
        settings=changes,
        outcomes=_outcomes(*(frame["state"].to_list() for frame in decided)),
        messages=compare_states(decided[0], decided[1], ids).moves,
        assembled=compare_states(placed[0], placed[1], ids).moves,
        refused=refusals(tally, tables.rows("messages")),
    )


def refuse_foreign(changes: Sequence[SettingChange]) -> None:
    """Refuse settings that are none of the filter's, or that need a model. Raises UsageError, saying why."""
    for change in changes:
        section, _, name = change.key.partition(".")
        if section in (*_FAMILIES, "quality") or (section == "toxicity" and name != "scorer"):
            continue
        if change.key == "toxicity.scorer":
            if change.after == "none":
                continue
            why = "the model would have to score every message, which a dry run does not do"
        else:
            why = _REPARSE if section == "parse" else _RESCORE if section == "languages" else _LATER
        raise UsageError(
            f"a dry run cannot say what {change.key} would change: {why}",
            where="--dry-run",
            fix="Leave it out, or run the command without --dry-run.",
        )


def refusals(tally: Mapping[str, int], rows: int) -> list[str]:
    """Expectations on the filter's summary that would not hold, in words.

    They are bounds on single figures, which takes no Great Expectations (seconds to import) to compare; a rule of
    another kind, should one be added, is an error here rather than a rule left out.
    """
    from tasks.checks.views import summary_view

    figures = summary_view("filter", {**tally, "rows:verdicts": rows}, rows).iloc[0].to_dict()
    rules = [rule for rule in EXPECTATIONS["filter"] if rule.table == "summary"]
    return [
        f"'{rule.name}' would not hold ({rule.column} = {figures[rule.column]})"
        for rule in rules
        if not _holds(rule, figures)
    ]


def _holds(rule: Expectation, figures: Mapping[Hashable, Any]) -> bool:
    if rule.kind != _BETWEEN:
        raise AssertionError(f"a dry run cannot check {rule.kind}")
    low, high = rule.arguments["min_value"], rule.arguments["max_value"]
    value = figures[rule.column]
    return (low is None or value >= low) and (high is None or value <= high)


def _change(run: Run, tables: BuildTables, wanted: BuildSettings) -> Change:
    """Raises UsageError when what the filter reads does not stand."""
    for stage, table in _NEEDED.items():
        if not tables.has(table):
            raise UsageError(
                f"the build {run.record.build} has no {table}: {stage} is not done",
                fix=f"Run `vatra stage filter --build {run.record.build}` once without --dry-run.",
            )
    after = {family: resolve_rules(family, getattr(wanted, family)) for family in _FAMILIES}
    check_rules(after)
    scored = tables.dataset("score")
    assert scored is not None
    # The rules that the signals were really made with: lists may have changed since.
    before = {
        family: tuple(Rule.model_validate(rule) for rule in scored.manifest.settings["rules"].get(family, ()))
        for family in _FAMILIES
    }
    no_scores = wanted.toxicity.scorer == "none" and run.settings.toxicity.scorer != "none"
    return Change(run.settings.for_filter(), wanted.for_filter(), before, after, no_scores)


def _judged(
    tables: BuildTables, change: Change
) -> Iterator[tuple[dict[str, pa.Table], dict[str, pa.Table], Mapping[str, int]]]:
    """Per part the states' tables as they stand and as they would be, and the tally of the filter."""
    scans = {
        "messages": [*_TOLD, *_VOICE, *(["content"] if change.needs_texts else [])],
        "conversations": ["flags"],
        "standing": ["current", "superseded_by"],
        "signals": SIGNALS.names,
        **({"verdicts": ["action", "reason"]} if tables.has("verdicts") else {}),
        **({"placements": ["placement", "reason"]} if tables.has("placements") else {}),
    }
    for parts in zip(*(tables.scan(name, columns) for name, columns in scans.items()), strict=True):
        part = dict(zip(scans, parts, strict=True))
        (judged,) = judge_part({**part, "signals": _renewed(part, change)}, change.after)
        narrow = {
            "messages": part["messages"].select(list(_TOLD)),
            "standing": part["standing"].select(["current"]),
        }
        verdicts = judged.tables["verdicts"].select(["action", "reason"])
        before = {**narrow, **_as_it_stands(part, change)}
        after = {
            **narrow,
            "verdicts": verdicts,
            "placements": place_part(part["messages"], verdicts, _flags(part)),
        }
        yield before, after, judged.tally


def _as_it_stands(part: Mapping[str, pa.Table], change: Change) -> dict[str, pa.Table]:
    """Verdicts and placements of the build, made in memory where it has not come so far."""
    verdicts, placements = part.get("verdicts"), part.get("placements")
    if verdicts is None:
        (judged,) = judge_part(part, change.before)
        verdicts = judged.tables["verdicts"].select(["action", "reason"])
    if placements is None:
        placements = place_part(part["messages"], verdicts, _flags(part))
    return {"verdicts": verdicts, "placements": placements}


def _flags(part: Mapping[str, pa.Table]) -> list[list[str]]:
    flags: list[list[str]] = part["conversations"]["flags"].to_pylist()
    return flags


def _renewed(part: Mapping[str, pa.Table], change: Change) -> pa.Table:
    """The signals as the score stage would make them with the wanted rules (and without scores, if wanted)."""
    signals = part["signals"]
    if change.moves_hits:
        texts = part["messages"]["content"].to_pylist() if change.needs_texts else None
        hits = renew_hits(signals["rule_hits"].to_pylist(), texts, change.rules_before, change.rules_after)
        at = SIGNALS.names.index("rule_hits")
        signals = signals.set_column(at, SIGNALS.field(at), pa.array(hits, SIGNALS.field(at).type))
    if change.without_scores:
        for label in TOXICITY_LABELS:
            at = SIGNALS.names.index(label)
            nothing = pa.nulls(signals.num_rows, SIGNALS.field(at).type)
            signals = signals.set_column(at, SIGNALS.field(at), nothing)
    return signals


def without_placements(side: Sequence[Mapping[str, pa.Table]]) -> list[dict[str, pa.Table]]:
    """The parts as the filter alone leaves them."""
    return [{name: table for name, table in part.items() if name != "placements"} for part in side]


def _outcomes(before: Sequence[str], after: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Kept, masked and dropped messages on either side."""
    counts = [Counter(state.partition(":")[0] for state in states) for states in (before, after)]
    return {name: (counts[0][name], counts[1][name]) for name in ("kept", "masked", "dropped")}
