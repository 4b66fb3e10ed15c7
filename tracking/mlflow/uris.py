"""Tracking URIs without their secrets: for messages, and for what is written to disk.

Secret is everything of a URI but the scheme, the host, the port and the path: user names may be
tokens, and queries and fragments may hold passwords. A URI that cannot be taken apart is all
secret but its scheme.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote, unquote_plus, urlsplit

HIDDEN = "***"
_USER = r"(?<=:\/\/)(?!\/).*@"  # up to the last '@': a password may hold any of '@/?#'
_NO_SLASHES = r"(?<![\w/.@-])[\w.+-]+:[^\s/'\"]+@(?=[\w.\[-])"  # 'user:password@host'
_BEHIND_SLASH = r"/[\w.+%-]+:[^\s/'\"]+@(?=[\w.\[-])"  # what a wrong number of slashes leaves
_SHORTEST = 4
"""Characters: a shorter piece of a secret is hidden where it stands as a word of its own."""


def mask_uri(uri: str) -> str:
    """A URI fit for a message: without user name, password, query, parameters and fragment.

    >>> mask_uri("http://me:secret@host:5000/a?token=1")
    'http://***@host:5000/a?***'
    """
    uri = re.sub(_USER, "***@", _two_slashes(uri), flags=re.DOTALL)
    if "://" not in uri and not _is_path(uri):
        uri = re.sub(r"^.*@", "***@", uri, flags=re.DOTALL)
    return re.sub(rf"({_first_of_rest(uri)}).*$", r"\1***", uri, flags=re.DOTALL)


def mask_text(text: str) -> str:
    """A message in which every URI's user name, password and query are masked.

    Rather too much than too little: a password may hold blanks and quotes, so that of a line with
    a URI everything up to its last '@' is hidden.

    >>> mask_text("tracking = 'http://me:secret@host:5000': not a mapping")
    "tracking = 'http://***@host:5000': not a mapping"
    """
    text = re.sub(_USER, "***@", text)
    text = re.sub(_NO_SLASHES, "***@", text)
    text = re.sub(_BEHIND_SLASH, "/***@", text)
    return re.sub(r"(://[^\s'\"?#;]*[?#;])[^\s'\"]+", r"\1***", text)


def without_credentials(uri: str) -> str:
    """A URI that still leads to the store, for whoever has the credentials.

    No user, query, parameters or fragment.

    >>> without_credentials("http://me:secret@host:5000/a?token=1")
    'http://host:5000/a'
    >>> without_credentials("sqlite:////home/a@b/mlflow.db")
    'sqlite:////home/a@b/mlflow.db'
    """
    uri = _two_slashes(uri)
    scheme, found, rest = uri.partition("://")
    if not found:
        scheme, rest = "", uri
        if _is_path(uri):
            return uri.partition("?")[0] if uri.startswith("file:") else uri
    if not rest.startswith("/"):
        rest = rest.rpartition("@")[2]
    elif not found and "@" in rest:  # '//user:password@host'
        rest = f"//{rest.rpartition('@')[2]}"
    rest = re.sub(f"{_first_of_rest(uri)}.*$", "", rest, flags=re.DOTALL)
    return f"{scheme}{found}{rest}"


def _two_slashes(uri: str) -> str:
    """A server's URI in which one or three slashes were written for two."""
    return re.sub(r"^(https?:)(?:/|/{3,})(?!/)", r"\1//", uri, flags=re.IGNORECASE)


def _first_of_rest(uri: str) -> str:
    """What a path ends at; in that of a file, '#' and ';' are letters."""
    return r"\?" if ("://" not in uri and _is_path(uri)) or ":///" in uri else "[?#;]"


def absolute_uri(uri: str, folder: Path) -> str:
    """The URI with a relative path in it, of a database or a folder, made absolute from `folder`.

    >>> absolute_uri("sqlite:///mlflow.db", Path("/studies"))
    'sqlite:////studies/mlflow.db'
    >>> absolute_uri("file:mlruns", Path("/studies"))
    'file:///studies/mlruns'
    """
    found = re.match(r"(sqlite(?:\+\w+)?:///)(?!/|:memory:|file:)([^?]+)(.*)", uri, re.DOTALL)
    if found:
        scheme, path, query = found.groups()
        anchored = _anchored(path, folder)
        if set(str(folder.absolute())) & set("%?#"):  # the path is in a URI, the folder is not
            scheme = "sqlite+pysqlite:///"
            anchored = quote(str(folder.absolute())) + "/" + os.path.normpath(path)
        return f"{scheme}{anchored}{query}"
    if uri.startswith("file:") and not uri.startswith("file://"):
        return Path(_anchored(unquote(uri.removeprefix("file:")), folder)).as_uri()
    if uri.startswith(("./", "../", "~")) or uri in (".", ".."):
        return Path(_anchored(uri, folder)).as_uri()
    return uri


def _anchored(path: str, folder: Path) -> str:
    return os.path.normpath(os.path.join(folder.absolute(), os.path.expanduser(path)))


def is_folder(uri: str) -> bool:
    """Whether MLflow would take it for a folder of its old file store."""
    return uri.startswith(("file:", "/", "./", "../"))


def _is_path(uri: str) -> bool:
    """A folder by name or as 'file:folder', in which an '@' is a letter like any other.

    Not '//user:password@host': a URI without its scheme.
    """
    return not uri.startswith("//") and uri.startswith(("file:", "/", "./", "../", "~"))


def secrets_of(uri: str) -> list[str]:
    """What of a URI must not be seen, longest first: as written, decoded, and encoded anew."""
    uri = _two_slashes(uri)
    rest = uri.partition("://")[2] or ("" if _is_path(uri) else uri)
    found = set() if rest.startswith("/") else {rest.rpartition("@")[0]}
    found |= {part[1:] for part in re.findall(f"{_first_of_rest(uri)}.*$", rest, re.DOTALL)}
    found |= {one.partition(":")[2] for one in list(found)}
    try:
        parts = urlsplit(uri)
        found |= {parts.netloc.rpartition("@")[0], parts.password or "", parts.query}
        found |= {value for _, _, value in (p.partition("=") for p in parts.query.split("&"))}
    except ValueError:
        found.add(rest)
    decoded = {way(secret) for secret in found for way in (unquote, unquote_plus)}
    found |= decoded | {way(one, safe="") for one in decoded for way in (quote, quote_plus)}
    return sorted(found - {""}, key=len, reverse=True)


def hidden(text: str, uri: str) -> str:
    """A text without the secrets of a URI, nor what a library made of them by its own rules.

    A password with an '@', '/' or '#' in it is cut there by some, and half of it shown as the
    host: so each piece of the secrets is hidden, too.
    """
    if not uri:
        return text
    text = text.replace(uri, mask_uri(uri))
    secrets = secrets_of(uri)
    pieces = {piece for secret in secrets for piece in re.split(r"[@/?#:;&=\s]+", secret)}
    for piece in sorted({*secrets, *pieces} - {""}, key=len, reverse=True):
        if len(piece) >= _SHORTEST:
            text = re.sub(re.escape(piece), HIDDEN, text, flags=re.IGNORECASE)
        else:
            text = re.sub(rf"(?<!\w){re.escape(piece)}(?!\w)", HIDDEN, text, flags=re.IGNORECASE)
    return text
