"""Addresses without what gives access: users, passwords, tokens. Pure."""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"([A-Za-z][\w+.-]*)://([^\s'\"<>]*)")
_QUERY = re.compile(r"\?[\w.\[\]%-]+=[^\s'\"<>#]*")
_USER = re.compile(r"://[^/\s]*@")


def masked(text: str) -> str:
    """``text`` with what gives access in its addresses replaced by ``***``.

    A password may hold ``@`` and ``/`` as they are, though an address has them encoded: where it is
    not plain how far it goes, more is replaced, and not less. The user alone is kept where it is no
    token, as in ``ssh://git@host``.
    """
    return _QUERY.sub("?***", _ADDRESS.sub(_masked, text))


def without_access(address: str) -> str:
    """``address`` with no user, password or query at all."""
    return _USER.sub("://", masked(address)).partition("?")[0]


def _masked(found: re.Match[str]) -> str:
    scheme, rest = found[1], found[2]
    user, host = _divided(rest)
    host = re.sub(r"\?[^#]*", "?***", host, count=1) if "?" in host else host
    if not user:
        return f"{scheme}://{host}"
    name, colon, _ = user.partition(":")
    if scheme.lower().removeprefix("git+") in ("http", "https"):
        return f"{scheme}://***@{host}"
    return f"{scheme}://{name}:***@{host}" if colon else f"{scheme}://{name}@{host}"


def _divided(rest: str) -> tuple[str, str]:
    """What stands before the host, and from there on."""
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    before, at, _ = authority.partition("@")
    if ":" not in before:  # a path may have an @, too
        reach = authority
    elif at:
        reach = re.split(r"[?#]", rest, maxsplit=1)[0]
    else:  # a port, and no @ behind it; or a password with a slash
        reach = rest
    user, _, _ = reach.rpartition("@")
    return user, rest[len(user) + 1 :] if user else rest
