"""Why something failed, in one line: the first exception of a chain that says anything.

RLlib raises an empty ``RuntimeError`` where an environment or a learner raised, and Ray wraps what
a task raised; the reason stands behind them.
"""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Iterator

from sport_ray.text import plain
from sport_ray.tracking.mlflow.uris import hidden, mask_text

LONGEST_REASON = 1_000
"""Characters of a reason; all of it is in the traceback beside the record."""
TRACKING_URI = "MLFLOW_TRACKING_URI"
_COLOUR = re.compile(r"\x1b\[[\d;]*m")
_RAISED = re.compile(r"([A-Za-z_][\w.]*)(?:: (.*))?$")
# Ray leaves the heading out in places, and not what stands between two exceptions.
_BETWEEN = re.compile(
    r"Traceback \(most recent call last\):"
    r"|The above exception was the direct cause of the following exception:"
    r"|During handling of the above exception, another exception occurred:"
)


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what it came from, outermost first, each once.

    Followed: ``__cause__``, Ray's ``cause`` of a task's error, the members of a group, and
    ``__context__`` last: what was being handled may have nothing to do with it.
    """
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, getattr(one, "cause", None)]
        waiting += getattr(one, "exceptions", ())
        waiting.append(one.__context__)


def reason_of(error: BaseException) -> str:
    """'Type: message' of the first exception that has a message, in one line, without secrets.

    Where none has one (a bare ``assert``), the innermost, with the line that raised it. What Ray
    carried over from another process has lost its causes: they are read from the text of its
    traceback.
    """
    remote = ""
    for one in chain(error):
        if _is_carried_over(one):
            remote = remote or _message(one)
        elif text := plain(_message(one)).strip():
            return _line(f"{type(one).__name__}: {text}")
    if found := reason_in(remote):
        return found
    causes = [one for one in chain(error) if not _is_carried_over(one)] or [error]
    innermost = causes[-1]
    return _line(f"{type(innermost).__name__}{_place(innermost)}")


def reason_in(trace: str) -> str:
    """As `reason_of`, from the text of a traceback; '' where it holds no exception.

    The last exception of a chain is the outermost; causes stand before it.
    """
    found = ""
    for block in reversed(_BETWEEN.split(_COLOUR.sub("", trace))):
        raised = next(filter(None, map(_RAISED.match, block.splitlines())), None)
        if raised is not None:
            name, text = raised[1].rpartition(".")[2], plain(raised[2] or "").strip()
            if text:
                return _line(f"{name}: {text}")
            found = name
    return found


def traceback_text(error: BaseException) -> str:
    """The whole traceback with its causes, without secrets."""
    return _without_secrets("".join(traceback.format_exception(error)))


def _is_carried_over(error: BaseException) -> bool:
    """A RayTaskError, whose text is a whole traceback; by name, for Ray takes a second to load."""
    return any(kind.__name__ == "RayTaskError" for kind in type(error).__mro__)


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # an exception of a user's own, whose text raises in its turn
        return repr(error.args)


def _place(error: BaseException) -> str:
    """' at file:line, in function: code' of the line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    last = frames[-1]
    code = f": {last.line}" if last.line else ""
    return f" at {os.path.basename(last.filename)}:{last.lineno}, in {last.name}{code}"


def _line(text: str) -> str:
    line = " ".join(_without_secrets(plain(text)).split())
    return line if len(line) <= LONGEST_REASON else line[: LONGEST_REASON - 1] + "…"


def _without_secrets(text: str) -> str:
    """Without what opens a tracking server; workers inherit the driver's environment."""
    return mask_text(hidden(text, os.environ.get(TRACKING_URI, "")))
