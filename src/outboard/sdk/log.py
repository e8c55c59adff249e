"""What an author's code can say about its log."""

from __future__ import annotations

from outboard.sdk.client import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from logging import Logger as Logger

__all__ = ("amask_secret", "logger_of", "mask_secret", "named_logger")


def mask_secret(secret: object, name: str | None = None) -> None:
    """Hide a value in the task's log from now on, wherever it turns up: as ``***``.

    Connections' passwords, and what stands under a telling name (``password``, ``token``, …) in a connection's extra fields or
    as a variable, are hidden without being named here. Texts of fewer than five characters are not hidden.

    Args:
        secret: a text, a list of texts, or a mapping, of which the values under telling names are hidden.
        name: what the secret is called, if that is to decide whether it is one.
    """
    current().mask_secret(secret, name)


async def amask_secret(secret: object, name: str | None = None) -> None:
    """`mask_secret` for coroutines."""
    client = current()
    await client.in_thread(client.mask_secret, secret, name)


def logger_of(operator: object) -> Logger:
    """The logger of an operator, called after its class as Airflow does. Imports `logging`, which many tasks never need."""
    return named_logger("airflow.task.operators", operator)


def named_logger(family: str, owner: object) -> Logger:
    """The logger of something that authors write classes of.

    Args:
        family: what its name begins with; may be empty.
        owner: the name's end, or an object after whose class it is called.
    """
    import logging

    kind = type(owner)
    name = owner if isinstance(owner, str) else f"{kind.__module__}.{kind.__qualname__}"
    return logging.getLogger(f"{family}.{name}" if family else name)
