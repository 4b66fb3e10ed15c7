"""Whether what a process has imported of a user's is what their files say."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from sport_ray.errors import UserError

_first: dict[str, tuple[object, str | None]] = {}
"""By module: as which import of it, and its file's sha256 when that was first looked at."""


def require_as_imported(entry: str, code: Mapping[str, str]) -> None:
    """Refuse where a process goes on with code that its file does not have any more, or not yet.

    Python imports a module once. Where its file is edited after that, what a digest of the file
    covers is not what draws. An edit between import and the first call here is not seen.

    code: sha256 by module, as in ``SamplerSpec``.

    Raises:
        UserError: naming the module.
    """
    from sport_ray.sources import file_digest, source_file  # a deployed Gaussian does without

    for name, digest in code.items():
        module = sys.modules.get(name)
        # Data, or a module that nothing has imported yet; of us it is not the digest of one file.
        if module is None or name == "sport_ray":
            continue
        imported = getattr(module, "__spec__", None) or module  # another after a reload
        if name not in _first or _first[name][0] is not imported:
            file = source_file(name)
            _first[name] = imported, None if file is None else file_digest(file)
        if _first[name][1] != digest:
            raise UserError(
                f"base sampler {entry!r}: this process has imported another {name!r} than is on "
                "record, as its file was edited: restart Python (in a notebook its kernel) and Ray"
            )
