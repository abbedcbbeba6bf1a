"""The tree of errors: what a person reads, the exit codes, and the way through a process pool."""

from __future__ import annotations

import pickle

import pytest

from schemas import errors

KINDS = sorted(
    (
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.VatraError)
    ),
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize("kind", KINDS)
def test_errors_pickle_with_all_that_they_say(kind: type[errors.VatraError]) -> None:
    error = kind("it broke", where="row 7", fix="Mend it.")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert (copy.what, copy.where, copy.fix) == ("it broke", "row 7", "Mend it.")
    assert str(copy) == str(error) == "it broke (row 7). Mend it."


def test_a_message_leaves_out_what_it_does_not_know() -> None:
    assert str(errors.VatraError("it broke")) == "it broke"
    assert str(errors.VatraError("it broke", fix="Mend it.")) == "it broke. Mend it."


def test_exit_codes_are_those_that_the_tree_shows() -> None:
    codes = {kind.__name__: kind.exit_code for kind in KINDS}
    assert codes == {
        "VatraError": 1, "UsageError": 2, "SettingsError": 2, "MissingModel": 2, "InputError": 1,
        "StoreError": 1, "StageFailed": 1, "ExpectationFailed": 1,
    }  # fmt: skip
    assert all(name in (errors.__doc__ or "") for name in codes)
