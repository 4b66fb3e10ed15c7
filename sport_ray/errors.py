"""The one exception that means 'the user can fix this'."""

from __future__ import annotations


class UserError(ValueError):
    """A mistake in what the user gave: one line naming the thing, its value and the remedy.

    The command line prints the message alone and exits with status 2; library callers may
    catch it as a plain ``ValueError``.
    """
