"""What a page shows of a task's arguments: the values behind the references, in plain form, without secrets, and not too long.

Loaded by tasks that have arguments. Nothing here may fail a task: what cannot be shown is not shown, and the log says so.
"""

from __future__ import annotations

from outboard.errors import InvalidMessageError, ServerError
from outboard.protocol import messages as m
from outboard.protocol.masking import MASK, is_sensitive
from outboard.runtime.configuration import read
from outboard.runtime.environment import variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from outboard.comms.channel import Channel
    from outboard.protocol.masking import Masker
    from outboard.runtime.logs import Logs
    from outboard.sdk.operator import BaseOperator

__all__ = ("DEFAULT_MAX_LENGTH", "MAX_DEPTH", "send", "shown")

# Airflow's own default, in characters.
DEFAULT_MAX_LENGTH = 4096

# Containers inside containers; further down there is nothing that a page could show, or the value contains itself.
MAX_DEPTH = 50


def send(operator: BaseOperator, channel: Channel, logs: Logs) -> None:
    """Tell the supervisor what is shown of the operator's fields."""
    try:
        channel.request(m.SetRenderedFields(rendered_fields=shown(operator, logs.masker)))
    except (InvalidMessageError, ServerError) as error:
        logs.emit("warning", f"the task's arguments are not shown on its page: {error}")


def shown(operator: BaseOperator, masker: Masker) -> dict[str, Any]:
    """What is shown of each of the operator's fields, as plain JSON values.

    Fields that a renderer names with a dot, such as ``op_kwargs.sql``, are shown on their own as well.
    """
    longest = read(variables(), "core", "max_templated_field_length", DEFAULT_MAX_LENGTH)
    values = {name: getattr(operator, name, None) for name in operator.template_fields}
    for path in operator.template_fields_renderers:
        head, dot, rest = path.partition(".")
        found = _found(values.get(head), rest) if dot else None
        if found is not None:
            values[path] = found
    return {name: _shown(value, name, masker, longest) for name, value in values.items()}


def _found(value: Any, path: str) -> Any:
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else getattr(value, key, None)
    return value


def _shown(value: Any, name: str, masker: Masker, longest: int) -> Any:
    plain = _plain(value, 0)
    masked = masker.value(_without_secrets(plain, name))
    # Masked before it is cut: half a secret would not be found.
    return masked if len(str(plain)) <= longest else _cut(str(masked), longest)


def _cut(text: str, longest: int) -> str:
    if longest <= 0:
        return ""
    note = f"… (cut off here: {len(text)} characters, of which [core] max_templated_field_length allows {longest})"
    return text[: max(0, longest - len(note))].rstrip() + note


# ── plain values ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _plain(value: Any, depth: int) -> Any:
    """The value as JSON knows it; the same one in each process, so without addresses, and in one order."""
    if value is None or value is True or value is False:
        return value
    if isinstance(value, (str, int, float)):
        return _scalar(value)
    if depth >= MAX_DEPTH:
        return "…"
    if isinstance(value, dict):
        pairs = [(_key(key, depth), _plain(item, depth + 1)) for key, item in value.items()]
        return dict(sorted(pairs, key=lambda pair: pair[0]))
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, (set, frozenset)):
        items = [_plain(item, depth + 1) for item in value]
        return sorted(items, key=lambda item: (type(item).__name__, str(item)))
    return _of_an_object(value, depth)


def _scalar(value: Any) -> Any:
    if isinstance(value, str):
        text = str.__str__(value)
        return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, int):
        whole = int.__int__(value)
        return whole if -(2**63) <= whole < 2**64 else str(whole)
    number = float.__float__(value)
    return number if number - number == 0 else str(number)  # JSON has no infinities, and nothing that is no number


def _key(key: Any, depth: int) -> str:
    return str(_plain(key, depth + 1))


def _of_an_object(value: Any, depth: int) -> Any:
    kind = value if isinstance(value, type) else type(value)
    if kind is not value and callable(getattr(kind, "serialize", None)):
        try:
            return _plain(value.serialize(), depth + 1)
        except Exception:
            return f"<{_qualified(kind)} object>"
    if callable(value):
        named = value if hasattr(value, "__qualname__") else kind
        return f"<callable {_qualified(named)}>"
    says_something: Any = (kind.__str__, kind.__repr__)
    if says_something != (object.__str__, object.__repr__):
        try:
            return _scalar(str(value))
        except Exception:
            pass  # whatever its author has made of it
    return f"<{_qualified(kind)} object>"


def _qualified(value: Any) -> str:
    module = getattr(value, "__module__", None)
    return f"{module}.{value.__qualname__}" if module else str(value.__qualname__)


# ── secrets ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _without_secrets(value: Any, name: str | None) -> Any:
    """The value with all texts hidden that stand under a telling name."""
    if is_sensitive(name):
        return _hidden(value)
    if isinstance(value, dict):
        return {key: _without_secrets(item, key) for key, item in value.items()}
    return [_without_secrets(item, None) for item in value] if isinstance(value, list) else value


def _hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _hidden(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_hidden(item) for item in value]
    return MASK if isinstance(value, str) else value
