"""Every error that a person can meet, as one small tree.

    VatraError                    exit code
    ├── UsageError                2   the command line or the machine's set-up is off; nothing was started
    │   ├── SettingsError         2   a settings file, a preset or --set
    │   └── MissingModel          2   weights that only `vatra fetch` may download
    ├── InputError                1   what was given to read cannot be read, or holds no chat
    ├── StoreError                1   the home or the store: not writable, full, damaged
    └── StageFailed               1   a stage ran and its result was refused
        └── ExpectationFailed     1   an expectation between two stages did not hold

A message says what happened, to which file or row, and what to do next; it never holds chat text.
"""

from __future__ import annotations


class VatraError(Exception):
    """Base of the tree: `what` happened, `where`, and the `fix` a person can try next."""

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        self.what, self.where, self.fix = what, where, fix
        super().__init__(what, where, fix)

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        advice = f". {self.fix}" if self.fix else ""
        return f"{self.what}{place}{advice}"

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders: keyword arguments must survive pickling.
        return (_rebuild, (type(self), self.what, self.where, self.fix))


def _rebuild(kind: type[VatraError], what: str, where: str | None, fix: str | None) -> VatraError:
    return kind(what, where=where, fix=fix)


class UsageError(VatraError):
    """The command cannot be started as it was given."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting is unknown, of the wrong kind, or impossible."""


class MissingModel(UsageError):
    """A model that the settings ask for is not on this machine."""


class InputError(VatraError):
    """A file or folder that was given cannot be read, or holds no conversation."""


class StoreError(VatraError):
    """The home or the store cannot be used."""


class StageFailed(VatraError):
    """A stage could not finish."""


class ExpectationFailed(StageFailed):
    """A suite between two stages failed; nothing was published."""
