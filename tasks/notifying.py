"""Notify: a webhook is told when a build failed, or keeps another share of the messages than the last."""

from __future__ import annotations

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from schemas.errors import VatraError
from schemas.manifest import BuildRecord
from schemas.notice import Notice
from schemas.settings import NotifySettings
from storage.home import Home
from storage.webhooks import find_webhook, keep_webhook
from tasks.notices import notice_of_failure, notice_of_move
from tasks.posting import post_notice


def notify_of_build(
    home: Home, settings: NotifySettings, record: BuildRecord | None, error: str | None = None
) -> list[str]:
    """Tell the webhook of the settings what is to be told; returns what to say of it to the person.

    `error` None: the build is done. Never raises VatraError: a webhook that is down fails no build.
    """
    if settings.webhook is None:
        return []
    try:
        if error is None:
            notice = notice_of_move(home, record, settings) if record else None
        else:
            notice = notice_of_failure(home, error, record) if settings.on_failure else None
        # An address that was typed as it is must not be an argument that Prefect could show.
        return [] if notice is None else [send_notice(home, keep_webhook(home, settings.webhook), notice)]
    except VatraError as problem:
        return [f"The webhook was not told: {problem}"]


@task(name="notify", cache_policy=NO_CACHE, persist_result=False)
def send_notice(home: Home, webhook: str, notice: Notice) -> str:
    """Post the notice; returns one line that says what came of it. `webhook` is a reference, never an address."""
    try:
        problem = post_notice(find_webhook(home, webhook), notice)
    except VatraError as error:
        problem = str(error)
    told = {"build failed": "that the build failed", "kept share moved": _moved(notice)}[notice.what]
    if problem is None:
        line = f"The webhook ({webhook}) was told {told}."
        get_run_logger().info(line)
    else:
        line = f"The webhook ({webhook}) was not told {told}: {problem.rstrip('.')}."
        get_run_logger().warning(line)
    return line


def _moved(notice: Notice) -> str:
    move = notice.kept_share
    return (
        f"that the kept share moved from {move.before:.1%} to {move.now:.1%} since {move.since}"
        if move
        else ""
    )
