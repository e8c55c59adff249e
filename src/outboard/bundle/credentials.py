"""Credentials of package indexes: where they stand, and how a text reads without them.

Whoever asks an index for packages may have to name themselves: in the address of the index, in a requirement, in the lock, in
netrc. None of that may get into a bundle, into the cache or in front of whoever reads a log. Knows the forms. Must not know who
asks, nor what the texts are for.
"""

from __future__ import annotations

import netrc
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote

import attrs

__all__ = ("Credentials", "has_credential", "without_credentials", "without_user")

MASK = "****"

_USER = re.compile(r"(?P<scheme>\b[a-zA-Z][a-zA-Z0-9+.-]*://)(?P<user>[^\s/?#]*)@")
_QUERY = re.compile(r"(?P<address>\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s?#'\"`]+)\?[^\s#'\"`)]+")

# What stands for a value that is only known where uv runs.
_REFERENCE = re.compile(r"\$\{(\w+)\}")

# The usual name of everybody, in addresses of Git repositories.
_ANYBODY = frozenset({"", "git", MASK})

# How uv is told about an index whose address is given elsewhere. Without a password the user is a token.
_INDEX_USER = re.compile(r"(UV_INDEX_\w+)_USERNAME")
_INDEX_PASSWORD = re.compile(r"UV_INDEX_\w+_PASSWORD")

# Shorter than these, a password by itself is found where it is none. Hiding a word too many does no harm; refusing a file does.
_HIDDEN_LENGTH = 8
_REFUSED_LENGTH = 12


def without_user(text: str) -> str:
    """A text in whose addresses nobody is named: ``https://user:secret@host/`` is ``https://****@host/`` there."""
    return _USER.sub(lambda found: f"{found['scheme']}{MASK}@", text)


def without_credentials(text: str) -> str:
    """The same for texts that people read: a signed address has its secret behind the question mark."""
    return _QUERY.sub(lambda found: f"{found['address']}?{MASK}", without_user(text))


def has_credential(text: str) -> bool:
    """Whether an address in the text names a user with a secret, or a token. ``${NAME}`` is neither."""
    return any(_secrets_of(found["user"]) for found in _USER.finditer(text))


@attrs.frozen
class Credentials:
    """What is known to be secret.

    Attributes:
        pairs: what stands before the ``@`` of addresses.
        secrets: passwords and tokens by themselves.
    """

    pairs: frozenset[str] = attrs.field(default=frozenset(), repr=False)
    secrets: frozenset[str] = attrs.field(default=frozenset(), repr=False)

    @classmethod
    def collect(cls, environment: Mapping[str, str], texts: Iterable[str] = ()) -> Credentials:
        """Everything that uv may use: its own environment variables, netrc, and the addresses in some texts.

        Args:
            environment: the variables of the process.
            texts: requirements and locks.
        """
        given = list(texts)
        settings = [value for name, value in environment.items() if name.startswith("UV_")]
        users = {found["user"] for text in (*given, *settings) for found in _USER.finditer(text)}
        secrets = {secret for user in users for secret in _secrets_of(user)}
        named = {name for user in users for name in _REFERENCE.findall(_secret_part(user))}
        secrets.update(environment.get(name, "") for name in named | set(_index_variables(environment)))
        secrets.update(_netrc_passwords(environment))
        pairs = {user for user in users if _secrets_of(user) and not _REFERENCE.search(user)}
        return cls(frozenset(pairs), frozenset(secrets - _ANYBODY))

    def hidden(self, text: str) -> str:
        """A text for people, without anything that is known to be secret."""
        text = without_credentials(text)
        for secret in sorted(self.secrets, key=len, reverse=True):
            if len(secret) >= _HIDDEN_LENGTH:
                text = text.replace(secret, MASK)
        return text

    def is_named_in(self, data: bytes) -> bool:
        """Whether the user of an address stands in a file, as in the address."""
        return any(f"{pair}@".encode() in data for pair in self.pairs)

    def is_in(self, data: bytes) -> bool:
        """Whether anything secret stands in a file."""
        long = (secret for secret in self.secrets if len(secret) >= _REFUSED_LENGTH)
        return self.is_named_in(data) or any(secret.encode() in data for secret in long)


def _secret_part(user: str) -> str:
    """Of ``user:password`` the password, of ``token`` all."""
    name, mark, password = user.partition(":")
    return password if mark else name


def _secrets_of(user: str) -> frozenset[str]:
    """What of ``user:password`` is secret, as it stands there and as it is meant."""
    secret = _REFERENCE.sub("", _secret_part(user))
    return frozenset() if secret in _ANYBODY else frozenset({secret, unquote(secret)})


def _index_variables(environment: Mapping[str, str]) -> Iterator[str]:
    for name in environment:
        user = _INDEX_USER.fullmatch(name)
        if _INDEX_PASSWORD.fullmatch(name) or (user is not None and not environment.get(f"{user[1]}_PASSWORD")):
            yield name


def _netrc_passwords(environment: Mapping[str, str]) -> Iterator[str]:
    file = Path(environment.get("NETRC") or os.path.join(environment.get("HOME", ""), ".netrc"))
    try:
        hosts = netrc.netrc(str(file)).hosts.values()
    except (OSError, ValueError, netrc.NetrcParseError):
        return
    yield from (password for _, _, password in hosts if password)
