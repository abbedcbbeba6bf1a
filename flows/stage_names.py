"""The names of the stages in their order; importable without Prefect, for the command line's help."""

STAGE_NAMES = (
    "parse",
    "reconcile",
    "score",
    "filter",
    "assemble",
    "dedup",
    "label",
    "mix",
    "train-lora",
    "train-tribal",
)
