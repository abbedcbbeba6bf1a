"""Reconciliation of overlapping exports: of several copies of a conversation, which one counts."""

from tasks.reconciliation.standing import reconcile

__all__ = ["reconcile"]
