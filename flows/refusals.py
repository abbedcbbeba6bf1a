"""What Prefect's server answers when it will not do something, as errors that a person can act on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import UsageError, VatraError


@contextmanager
def refusals(doing: str) -> Iterator[None]:
    """Turn refusals of Prefect's server into one line. `doing` is what was tried, for people."""
    from httpx import HTTPError, HTTPStatusError

    try:
        yield
    except HTTPStatusError as error:
        status = error.response.status_code
        if status == 401:
            raise login_needed() from None
        raise VatraError(f"{doing}: Prefect's server answered {status}", fix=_LOOK) from error
    except HTTPError as error:
        raise VatraError(
            f"{doing}: Prefect's server does not answer ({type(error).__name__})", fix=_LOOK
        ) from error


def login_needed() -> UsageError:
    """The server was started with a login, and this command was not told it."""
    return UsageError(
        "the server of this home asks for a login",
        fix="Set PREFECT_SERVER_API_AUTH_STRING to the user:password that it was started with.",
    )


_LOOK = "prefect/home-server.log in the home may say why; `vatra up` starts a server that has ended."
