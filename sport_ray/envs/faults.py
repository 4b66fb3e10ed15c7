"""What environments did wrong, in one line each. Without gymnasium: tensors alone need none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sport_ray.errors import UserError


class EnvironmentFault(UserError):
    """Something that an environment did: one line with its id, the episode and the step."""


def is_ours_to_heed(error: BaseException) -> bool:
    """Whether an exception ends this process's work, instead of being an environment's fault.

    Ctrl-C and signals that are turned into a kind of SystemExit; not an environment's sys.exit(),
    nor what libraries raise beside Exception (a cancelled task, a panic in an extension).
    """
    if isinstance(error, SystemExit):
        return type(error) is not SystemExit
    return isinstance(error, KeyboardInterrupt)


def what_happened(error: BaseException) -> str:
    """An exception in one line: its type and text, or a user's mistake as it is told."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # whatever its class does when it is asked
        text = ""
    if len(text) > 300:
        text = text[:297] + "..."
    if isinstance(error, UserError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@contextmanager
def telling_what_failed(env_id: str) -> Iterator[None]:
    """Turn what the making of an environment raises into one line that names it."""
    try:
        yield
    except BaseException as error:
        if is_ours_to_heed(error):
            raise
        raise UserError(f"environment {env_id!r} cannot be made: {what_happened(error)}") from error
