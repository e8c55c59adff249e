"""Hides secrets in whatever is about to be seen: one set of secrets for each task, on both sides of the wire.

A secret is known by where it came from (a connection's password, what stands in a field or a variable with a telling name) or
because somebody said so. It is then hidden wherever it turns up, in texts and inside lists and maps. What is not found: a
secret that was changed (upper-cased, encoded otherwise than in a connection's URI, cut in two) before it turned up.
"""

from __future__ import annotations

from outboard.protocol import messages as m

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from outboard.protocol.messages import Message

__all__ = ("MASK", "MIN_SECRET_LENGTH", "SENSITIVE_NAMES", "Masker", "is_sensitive")

MASK = "***"

# Airflow's default: a shorter one would blank out ordinary words and digits.
MIN_SECRET_LENGTH = 5

# Parts of the names of fields and variables whose values are secret, in lower case: those that Airflow goes by.
SENSITIVE_NAMES = (
    "access_key",
    "access_token",
    "api_key",
    "apikey",
    "auth_header",
    "authorization",
    "bearer",
    "connection_string",
    "dsn",
    "keyfile_dict",
    "passphrase",
    "passwd",
    "password",
    "private_key",
    "proxies",
    "proxy",
    "secret",
    "service_account",
    "service_key",
    "token",
    "webhook_url",
)

# What URIs have as it is.
_UNQUOTED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~")

# A default that is everywhere, and no secret.
_NOT_SECRET = frozenset({"airflow"})


def is_sensitive(name: object) -> bool:
    """Whether a field or a variable of this name holds a secret."""
    if not isinstance(name, str):
        return False
    lower = name.strip().lower()
    return any(part in lower for part in SENSITIVE_NAMES)


class Masker:
    """The secrets of one task, growing while it runs. May be used from several threads."""

    __slots__ = ("_secrets",)

    def __init__(self) -> None:
        # Replaced as a whole, so that a reader needs no lock. The longest first: a secret may contain another one.
        self._secrets: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self._secrets)

    def add(self, value: object, name: str | None = None) -> None:
        """Take secrets: a text, or texts anywhere inside lists and maps.

        Args:
            value: what is secret. In a map, what stands under a name that is not telling is left alone.
            name: what it is called; a text under a name that is not telling is left alone, too.
        """
        found = {text for text in _secret_texts(value, name) if len(text) >= MIN_SECRET_LENGTH} - _NOT_SECRET
        if not found <= set(self._secrets):
            self._secrets = tuple(sorted(found | set(self._secrets), key=len, reverse=True))

    def learn(self, message: Message) -> object:
        """Take what is secret in a reply that the task was given: of connections and variables.

        Returns:
            What Airflow's supervisor, which gave the reply, does not hide by itself: a connection's extra fields, where a name
            among them is telling. It has them as one text. None where there is nothing.
        """
        if isinstance(message, m.ConnectionResult):
            self.add(message.password)
            self.add(_in_uri(message.password))
            if message.extra and is_sensitive(message.extra):
                fields = _decoded(message.extra)
                self.add(fields)
                return fields
        elif isinstance(message, m.VariableResult):
            self.add(message.value, message.key)
        return None

    def text(self, text: str) -> str:
        """The text with every secret hidden."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def value(self, value: Any) -> Any:
        """A copy of a value with every secret hidden in its texts and keys; the value itself if there is none."""
        if not self._secrets:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.value(key): self.value(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)([self.value(item) for item in value]) if type(value) in (list, tuple) else value
        return value

    def record(self, record: dict[str, object]) -> dict[str, object]:
        """A log record with every secret hidden, but for what says where it belongs."""
        if not self._secrets:
            return record
        return {name: value if name in ("level", "timestamp") else self.value(value) for name, value in record.items()}


def _in_uri(password: str | None) -> str | None:
    """The password as the connection's URI has it, which ends up in more logs than the password itself."""
    if password is None or (password.isascii() and password.isalnum()):
        return password
    octets = password.encode("utf-8", "surrogatepass")
    return "".join([chr(octet) if chr(octet) in _UNQUOTED else f"%{octet:02X}" for octet in octets])


def _decoded(text: str) -> object:
    import json  # only where a connection holds a secret in its extra fields

    try:
        return json.loads(text)
    except ValueError:
        return None


def _secret_texts(value: object, name: str | None) -> set[str]:
    if isinstance(value, str):
        return {value} if name is None or is_sensitive(name) else set()
    if isinstance(value, dict):
        entries: Mapping[object, object] = value
        return set().union(*(_secret_texts(item, str(key)) for key, item in entries.items()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return set().union(*(_secret_texts(item, name) for item in value))
    return set()
