"""Keeps the libraries under `models/` off the terminal and off the network: both are vatra's own business."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_TALKATIVE = (
    "accelerate", "bitsandbytes", "datasets", "huggingface_hub", "peft", "tokenizers", "torch", "transformers", "trl"
)  # fmt: skip


def forbid_telemetry() -> None:
    """No download counts, no usage reports. `datasets` counts even local Parquet loads on another host by default."""
    os.environ.update(HF_UPDATE_DOWNLOAD_COUNTS="0", HF_HUB_DISABLE_TELEMETRY="1", DO_NOT_TRACK="1")
    loaded = sys.modules.get("datasets.config")
    if loaded is not None:
        vars(loaded)["HF_UPDATE_DOWNLOAD_COUNTS"] = False


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Silence warnings, log lines below ERROR, and progress bars of the model libraries inside the block.

    What a person must know is checked and raised as an error of the house, never left to a library's warning.
    """
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from transformers.utils import logging as transformers_logging

    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    levels = [logger.level for logger in loggers]
    hub_bars, model_bars = not are_progress_bars_disabled(), transformers_logging.is_progress_bar_enabled()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    disable_progress_bars()
    transformers_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if hub_bars:
            enable_progress_bars()
        if model_bars:
            transformers_logging.enable_progress_bar()


@contextmanager
def quiet_datasets() -> Iterator[None]:
    """No progress bars of `datasets` inside the block."""
    from datasets.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    bars = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if bars:
            enable_progress_bars()
