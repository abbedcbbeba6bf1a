"""The page of a text that a NOVA took apart: members over its tokens, why, resonance, attention, the next token."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from schemas.visible import visible
from tasks.reports.heatmap import heatmap
from tasks.reports.templates import environment, source, stylesheet
from tasks.reports.token_charts import short_label, signed_chart, stacked_chart, told_share, told_weights

if TYPE_CHECKING:
    from models.tribal.explaining import Explanation, Head

SECTIONS = (
    ("members", "Who speaks"),
    ("why", "Why"),
    ("resonance", "Resonance & next token"),
    ("attention", "Attention"),
)
SAID_BY = {"assistant": "read as a reply", "user": "read as said by a user", "none": "read without marks"}
#: Members in order, the core first, in the house's colours; further ones go round the wheel.
_COLOURS = ("--ash", "--ember", "--night", "--honey", "--good", "--bad")
#: Degrees between two colours, so that neighbours differ however many there are.
_TURN = 137.5
#: The weight above an even share from which a member is said to speak.
_STANDS_OUT = 0.05


def render_explanation(explained: Explanation, name: str, role: str, layer: int, head: int) -> str:
    """The page as text; the map of this layer and head (from 1) is shown large. Equal values give equal bytes."""
    shown = len(explained.heads[0].weights)
    traced = explained.attribution
    members = explained.members
    return (
        environment()
        .get_template("nova_explained.html")
        .render(
            style=stylesheet() + Markup(source("nova_explained.css")) + _rules(explained),
            title=f"{name} · who speaks here?",
            sections=SECTIONS,
            explained=explained,
            name=name,
            told=told_share,
            likeliest=[(short_label(label, keep=True), chance) for label, chance in explained.next],
            said_by=SAID_BY[role],
            sentence=_sentence(explained),
            weights=stacked_chart(explained.labels, explained.alpha, members),
            spans=_spans(explained),
            attribution=traced,
            traced=traced
            and signed_chart(
                explained.labels,
                traced.integrated,
                members.index(traced.member),
                f"What each token adds to the weight of {traced.member}",
            ),
            ledger=traced and _ledger(traced),
            cut=shown < len(explained.labels),
            shown=shown,
            axis=[short_label(label) for label in explained.labels[:shown]],
            font=round(max(6.5, min(13.0, 520 / shown)), 1),
            layers=_layers(explained.heads, layer, head),
        )
    )


def _sentence(explained: Explanation) -> str:
    ranked = sorted(explained.mean, key=lambda name: -explained.mean[name])
    if len(ranked) > 1 and explained.mean[ranked[0]] < 1 / len(ranked) + _STANDS_OUT:
        shares = (f"{visible(name, 40)} has {told_share(explained.mean[name])}" for name in ranked[:2])
        return f"Nobody stands out: {', '.join(shares)} of the weight."
    first = f"Mostly {visible(ranked[0], 40)}, with {told_share(explained.mean[ranked[0]])} of the weight"
    if len(ranked) == 1:
        return f"{first}."
    return f"{first}; then {visible(ranked[1], 40)} with {told_share(explained.mean[ranked[1]])}."


def _spans(explained: Explanation) -> list[dict[str, Any]]:
    spans = []
    for label, text, mark, weights in zip(
        explained.labels, explained.text, explained.marks, explained.alpha.tolist(), strict=True
    ):
        strongest = max(range(len(weights)), key=lambda member: weights[member])
        spans.append(
            {
                "text": label if mark else text,
                "mark": mark,
                "strongest": strongest,
                "share": round(100 * weights[strongest], 1),
                "title": f"{visible(label, 80)} · {told_weights(explained.members, weights)}",
            }
        )
    return spans


def _ledger(traced: Any) -> str:
    total = sum(traced.integrated)
    return (
        f"Without any input its weight would be {traced.baseline:.3f}; the tokens add {total:+.3f}; over this text it "
        f"is {traced.reached:.3f}. What the sum leaves open: {abs(traced.missing):.4f}."
    )


def _layers(heads: Sequence[Head], layer: int, head: int) -> list[dict[str, Any]]:
    return [
        {
            "name": f"Layer {number}" if number else "Detector",
            "heads": [
                {
                    "anchor": _anchor(one),
                    "name": f"head {one.head}" if number else "who speaks?",
                    "title": f"{_map_name(one)}: {_habits(one)}",
                    "chosen": (one.layer, one.head) == (layer, head),
                }
                for one in group
            ],
        }
        for number, group in groupby(heads, key=lambda one: one.layer)
    ]


def _rules(explained: Explanation) -> Markup:
    """A colour for every member, and every map's picture once: for its small place, and for the large one."""
    rules = []
    for number in range(len(explained.members)):
        known = number < len(_COLOURS)
        colour = f"var({_COLOURS[number]})" if known else f"hsl({number * _TURN % 360:.0f} 46% 52%)"
        rules.append(f".s{number} {{ --c: {colour}; }}")
    for one in explained.heads:
        anchor, chosen = _anchor(one), f".maps:has(#{_anchor(one)}:checked)"
        rules.append(f".{anchor}, {chosen} .stage {{ background-image: url({heatmap(one.weights)}); }}")
        rules.append(f'{chosen} .which::before {{ content: "{_map_name(one)} · {_habits(one)}"; }}')
    return Markup("\n".join(rules))


def _anchor(one: Head) -> str:
    return f"map-{one.layer}-{one.head}"


def _map_name(one: Head) -> str:
    return f"Layer {one.layer}, head {one.head}" if one.layer else "Detector"


def _habits(one: Head) -> str:
    """Where the head looks on the whole: many look at the first token, the one before, or the token itself."""
    weights = one.weights
    before = weights.diagonal(-1).mean() if len(weights) > 1 else 0.0
    shares = {
        "the first token": weights[:, 0].mean(),
        "the one before": before,
        "itself": weights.diagonal().mean(),
    }
    return ", ".join(f"{what} {told_share(float(share))}" for what, share in shares.items())
