"""The ten categories that examples are sorted into, by one name everywhere: sources, labels, mixture, report."""

from __future__ import annotations

#: name: what belongs there, in one line.
DESCRIPTIONS: dict[str, str] = {
    "technical": "Writing, reading and repairing code; computers, systems and how they are run.",
    "instructional": "Carrying out a task as told: explaining, summarising, rewriting, drafting, step by step.",
    "analytical": "Reasoning to an answer: mathematics, logic, puzzles, weighing of evidence.",
    "conversational": "Talk for its own sake or about everyday matters, turn by turn.",
    "empathetic": "Feelings, worries and relationships, met with care.",
    "creative": "Stories, poems, plays and other invention.",
    "tool": "Calling functions or services, and working with what they return.",
    "factual": "Questions about the world that have a short, checkable answer.",
    "ethical": "Right and wrong, values, debate; requests that ought to be refused.",
    "specialised": "Knowledge of one field apart: medicine, law, finance, safety, esoteric lore.",
}

CATEGORIES: tuple[str, ...] = tuple(DESCRIPTIONS)

#: How an example came by its category; `unassigned` has none.
LABEL_METHODS = ("declared", "structure", "classifier", "unassigned")
