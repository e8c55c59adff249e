"""Variables: settings by key that outlive runs. What stores them is the supervisor's business."""

from __future__ import annotations

from outboard.sdk import client
from outboard.sdk.exceptions import AirflowRuntimeError, ErrorType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

__all__ = ("NOT_GIVEN", "Variable")

# None is a default that an author may ask for.
NOT_GIVEN: Any = object()


class Variable:
    """A variable.

    Attributes:
        key: its key.
        value: its value, a string unless it was read with ``deserialize_json``.
        description: what it is for, or None.
    """

    __slots__ = ("description", "key", "value")

    def __init__(self, key: str, value: Any = None, description: str | None = None) -> None:
        self.key = key
        self.value = value
        self.description = description

    def __repr__(self) -> str:
        return f"Variable({self.key!r})"

    @classmethod
    def get(cls, key: str, default: Any = NOT_GIVEN, deserialize_json: bool = False) -> Any:
        """The value stored under `key`.

        Args:
            key: the variable.
            default: what to return, as it is, when there is no such variable.
            deserialize_json: whether the value is JSON to be decoded.

        Raises:
            AirflowRuntimeError: there is no such variable and no default, or the supervisor refuses to give it.
            ValueError: the value is no JSON.
        """
        try:
            value = client.current().get_variable(key)
        except AirflowRuntimeError as error:
            if error.error.error == ErrorType.VARIABLE_NOT_FOUND and default is not NOT_GIVEN:
                return default
            raise
        if not deserialize_json or value is None:
            return value
        import json

        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError(f"the variable {key!r} holds no JSON: {error}") from None

    @classmethod
    def set(cls, key: str, value: Any, description: str | None = None, serialize_json: bool = False) -> None:
        """Create or replace a variable.

        Raises:
            TypeError: the value is no string and `serialize_json` is not set, or it cannot be written as JSON.
        """
        if serialize_json:
            import json

            value = json.dumps(value, indent=2)
        if not isinstance(value, str):
            raise TypeError(
                f"the variable {key!r} holds a string, not {value!r}; with serialize_json=True it can hold other values"
            )
        client.current().set_variable(key, value, description)

    @classmethod
    def delete(cls, key: str) -> None:
        """Delete a variable."""
        client.current().delete_variable(key)

    @classmethod
    def keys(cls, prefix: str | None = None) -> Sequence[str]:
        """The keys of all stored variables, or of those that begin with `prefix`."""
        return client.current().variable_keys(prefix)

    @classmethod
    async def aget(cls, key: str, default: Any = NOT_GIVEN, deserialize_json: bool = False) -> Any:
        """`get` for coroutines."""
        return await client.current().in_thread(cls.get, key, default, deserialize_json)

    @classmethod
    async def aset(cls, key: str, value: Any, description: str | None = None, serialize_json: bool = False) -> None:
        """`set` for coroutines."""
        await client.current().in_thread(cls.set, key, value, description, serialize_json)

    @classmethod
    async def adelete(cls, key: str) -> None:
        """`delete` for coroutines."""
        await client.current().in_thread(cls.delete, key)

    @classmethod
    async def akeys(cls, prefix: str | None = None) -> Sequence[str]:
        """`keys` for coroutines."""
        return await client.current().in_thread(cls.keys, prefix)
