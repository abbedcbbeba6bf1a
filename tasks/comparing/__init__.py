"""Comparing: what moved between two builds, or between a build and what new settings would make of it."""

from tasks.comparing.inputs import changed_inputs
from tasks.comparing.moves import Difference, Pick, compare_states
from tasks.comparing.settings import changed_settings
from tasks.comparing.states import example_states, message_states

__all__ = [
    "Difference",
    "Pick",
    "changed_inputs",
    "changed_settings",
    "compare_states",
    "example_states",
    "message_states",
]
