"""What code an environment is made of: which modules, whose they are, and their digests.

A module's own file is looked for without running it, so that names out of a file that somebody
sent can be looked up, too. Followed are imports as they stand in the source, at any depth and
also inside functions, and what loaded modules refer to. Not covered: the content of installed
distributions (their versions are recorded), modules whose names are put together while running
and which are in no loaded module's sight, data files that no source names in one piece, compiled
libraries below an extension, services, and the machine. Running scenarios again covers those.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import re
import sys
import sysconfig
import types
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from sport_ray.envs.making import creator_of, environment_spec
from sport_ray.errors import UserError

OURS = "sport_ray"
EXAMPLES = "sport_ray.experiments."
"""Environments of ours that are not part of the method: recorded like a user's own."""
ADAPTED = "sport_ray.adapters.safety_gymnasium"
"""Nor is what stands between other people's environments and the method."""
PARTS = (
    "compiled.py", "envs", "families", "policies", "properties", "random_streams.py", "rollouts",
    "samplers", "tensors",
)  # fmt: skip
"""Of sport_ray: what a base policy's scenarios run through."""

LARGEST = 2**30
"""Bytes of a file that is digested."""

_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_SITE = {"site-packages", "dist-packages"}


class Sources(NamedTuple):
    """What an environment is made of.

    code: sha256 by module, by ``module:file`` for data beside it, and of ``sport_ray``.
    distributions: version by name.
    """

    code: dict[str, str]
    distributions: dict[str, str]


def environment_sources(env_id: str, kwargs: Mapping[str, Any] | None = None) -> Sources:
    """What an environment is made of, as far as it can be seen from this process.

    Best called after it was stepped: what it imports meanwhile is then loaded.

    Raises:
        UserError: an environment that is not registered.
    """
    return _sources_of(_roots(env_id), kwargs or {})


def module_sources(module: str, arguments: Mapping[str, Any]) -> Sources:
    """The same of a module of the user's, and of what its arguments name."""
    return _sources_of([module], arguments)


def _sources_of(roots: list[str], arguments: Mapping[str, Any]) -> Sources:
    code: dict[str, str] = {}
    names: set[str] = set()
    texts = [text for text in _texts(arguments) if len(text) < 300]
    waiting = [*roots, *(text.partition(":")[0] for text in texts)]
    seen: set[str] = set()
    while waiting:
        module = waiting.pop()
        if module in seen or not _NAME.fullmatch(module):
            continue
        seen.add(module)
        waiting.append(module.rpartition(".")[0])
        file = module_file(module)
        if file is None:
            continue
        whose = owner(module, file)
        if whose == "python":
            continue
        own_example = module in roots and module.startswith(EXAMPLES)
        if whose == OURS and not own_example and not module.startswith(ADAPTED):
            continue
        if whose is not None and whose != OURS:
            names.add(whose)
        elif (found := file_digest(file)) is not None:
            code[module] = found
        if whose is not None and module not in roots:
            continue
        tree = _tree(file)
        waiting += _imported(module, file, tree)
        waiting += _referred(module)
        if whose in (None, OURS):
            for text in _constants(tree):
                # Imported by its name; whatever program runs this is no part of it.
                if text in sys.modules and text != "__main__":
                    waiting.append(text)
                if _looks_like_file(text) and (found := file_digest(file.parent / text)):
                    code[f"{module}:{text}"] = found
    for text in texts:
        if _looks_like_file(text) and (found := file_digest(Path(text).expanduser())):
            code[f":{text}"] = found
    code["sport_ray"] = own_digest()
    return Sources(dict(sorted(code.items())), installed_versions(_with_requirements(names)))


def entry_modules(env_id: str) -> list[str]:
    """The user's own modules that an id names; each has a digest in what is recorded.

    Raises:
        UserError: an environment that is not registered.
    """
    found = []
    for module in _roots(env_id):
        file = module_file(module)
        if file is not None and owner(module, file) is None:
            found.append(module)
    return found


def own_digest() -> str:
    """sha256 over those modules of sport_ray that scenarios run through."""
    root = Path(__file__).parent
    total = hashlib.sha256()
    for part in PARTS:
        place = root / part
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            total.update(f"{file.relative_to(root).as_posix()}\n".encode())
            total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def changed_sources(code: Mapping[str, str]) -> dict[str, str]:
    """Which of the recorded sources are not the same here, and where: ``{name: words}``.

    Runs nothing. ``sport_ray`` itself is not among them: see ``own_digest``.
    """
    changed = {}
    for name, digest in code.items():
        if name == "sport_ray":
            continue
        file = source_file(name)
        found = None if file is None else file_digest(file)
        if found is None:
            changed[name] = f"{name} is not here"
        elif found != digest:
            changed[name] = f"{name} ({file}) has changed"
    return changed


def is_named(module: str, code: Mapping[str, str]) -> bool:
    """Whether a module is among the recorded sources, or of a kind that is recorded otherwise."""
    file = module_file(module)
    whose = None if file is None else owner(module, file)
    return module in code or (whose is not None and whose != "python")


def source_file(name: str) -> Path | None:
    """The file that a name in a certificate's ``code`` means here, if there is one."""
    module, colon, beside = name.partition(":")
    if not module:
        return Path(beside).expanduser() if colon else None
    file = module_file(module)
    return file.parent / beside if colon and file is not None else file


def file_digest(file: Path) -> str | None:
    """sha256 of a regular file that can be read and is not too large, else None."""
    try:
        if not file.is_file() or file.stat().st_size > LARGEST:
            return None
        with file.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except (OSError, ValueError):
        return None


def module_file(name: str) -> Path | None:
    """The file of a module, loaded or not; nothing is run. None for one without, or not found."""
    if not _NAME.fullmatch(name):
        return None
    loaded = sys.modules.get(name)
    if loaded is not None:
        file = getattr(loaded, "__file__", None)
        return Path(file).resolve() if isinstance(file, str) else None
    path, spec, parts = None, None, name.split(".")
    for end in range(1, len(parts) + 1):
        if end > 1 and path is None:
            return None
        spec = _spec(".".join(parts[:end]), path)
        if spec is None:
            return None
        path = spec.submodule_search_locations
    if spec is None or not spec.has_location or spec.origin is None:
        return None
    return Path(spec.origin).resolve()


def _spec(name: str, path: Any) -> Any:
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        try:
            spec = None if find is None else find(name, path)
        except Exception:  # a finder of somebody's
            continue
        if spec is not None:
            return spec
    return None


def owner(module: str, file: Path) -> str | None:
    """Whose a module is: 'python', OURS, an installed distribution, or None: the user's own.

    Editable installs are the user's own: their files lie elsewhere.
    """
    top = module.partition(".")[0]
    if top == OURS:
        return top
    installed = bool(_SITE & set(file.parts))
    if not installed:
        return "python" if any(root in file.parents for root in _standard_library()) else None
    candidates = _distributions().get(top, [])
    if len(set(candidates)) > 1:  # a namespace that several share
        for name in candidates:
            one = metadata.distribution(name)
            if any(Path(str(one.locate_file(part))) == file for part in one.files or []):
                return _normal(name)
    return _normal(candidates[0]) if candidates else None


def installed_versions(names: Iterable[str]) -> dict[str, str]:
    """The version of each distribution that is installed here, 'not installed' for others."""
    found = {}
    for name in sorted(names):
        try:
            found[name] = metadata.version(name)
        except (metadata.PackageNotFoundError, ValueError):
            found[name] = "not installed"
    return found


def _roots(env_id: str) -> list[str]:
    """Modules that the id names: that registers it, of the entry point, its bases and wrappers."""
    try:
        spec = environment_spec(env_id)
        creator = creator_of(spec)
    except Exception as error:  # a module of the user's may raise anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"environment {env_id!r} is not known: {reason}") from error
    while isinstance(creator, functools.partial):
        creator = creator.func
    found = [env_id.rpartition(":")[0]] if ":" in env_id else []
    found += [getattr(creator, "__module__", None) or type(creator).__module__]
    found += [base.__module__ for base in getattr(creator, "__mro__", ())]
    found += [one.entry_point.partition(":")[0] for one in spec.additional_wrappers]
    found += [text.partition(":")[0] for text in _texts(spec.kwargs)]
    return list(dict.fromkeys(found))


def _texts(value: Any) -> Iterator[str]:
    """All texts in nested arguments."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _texts(one)


def _tree(file: Path) -> ast.AST:
    """The syntax of a source file; nothing where there is none (an extension, a damaged file)."""
    try:
        return ast.parse(file.read_bytes()) if file.suffix == ".py" else ast.Module([], [])
    except (SyntaxError, ValueError, RecursionError, OSError):
        return ast.Module([], [])


def _imported(module: str, file: Path, tree: ast.AST) -> Iterator[str]:
    """Names that the source imports."""
    package = module if file.stem == "__init__" else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _constants(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
            yield node.value


def _referred(module: str) -> Iterator[str]:
    """Modules that the loaded module's names refer to, however they came there."""
    loaded = sys.modules.get(module)
    for value in list(vars(loaded).values()) if isinstance(loaded, types.ModuleType) else ():
        if isinstance(value, types.ModuleType):
            yield value.__name__
        elif isinstance(value, (type, types.FunctionType)):
            yield str(value.__module__)
        else:
            yield type(value).__module__


def _looks_like_file(text: str) -> bool:
    return len(text) < 300 and "\n" not in text and bool(Path(text).suffix)


def _with_requirements(names: Iterable[str]) -> set[str]:
    """The distributions and all that they require; of their own extras those that are installed.

    What this process happens to have loaded decides nothing: a certificate, and with it every
    cell's id, must not depend on where or after what it was made.
    """
    from packaging.requirements import Requirement  # where code is compared it need not be there

    installed = {_normal(name) for owners in _distributions().values() for name in owners}
    direct = set(names)
    found: set[str] = set()
    waiting = list(direct)
    while waiting:
        name = waiting.pop()
        if name in found or name not in installed:
            continue
        found.add(name)
        about = metadata.distribution(name)
        extras = about.metadata.get_all("Provides-Extra") or [] if name in direct else []
        for line in about.requires or []:
            needed = Requirement(line)
            if needed.marker is None or any(
                needed.marker.evaluate({"extra": extra}) for extra in ("", *extras)
            ):
                waiting.append(_normal(needed.name))
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@functools.cache
def _distributions() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


@functools.cache
def _standard_library() -> tuple[Path, ...]:
    paths = sysconfig.get_paths()
    return tuple(Path(paths[name]).resolve() for name in ("stdlib", "platstdlib"))
