"""`BaseNotifier`: what an author's own classes for messages to people are built on; usable wherever a callback is."""

from __future__ import annotations

from outboard.sdk.log import named_logger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from typing import Any

    from outboard.sdk.context import Context
    from outboard.sdk.log import Logger

__all__ = ("BaseNotifier",)

_OF_A_DEADLINE = ("dag", "task_list", "blocking_task_list", "blocking_tis")


class BaseNotifier:
    """For classes of the author's that send a message: override `notify`, or `async_notify` for coroutines.

    A notifier is called with the context, as any callback; a coroutine awaits one that was made with the context.

    Attributes:
        template_fields: names of attributes that the message's context has, too.
        context: what it was made with.
    """

    template_fields: Sequence[str] = ()
    template_ext: Sequence[str] = ()

    def __init__(self, context: Context | None = None) -> None:
        self.context: Any = context or {}

    @property
    def log(self) -> Logger:
        """A logger for what the notifier has to say."""
        return named_logger("", self)

    def notify(self, context: Context) -> None:
        """Send the message.

        Raises:
            NotImplementedError: a class does not override this.
        """
        raise NotImplementedError(f"{type(self).__name__} has no notify() of its own")

    async def async_notify(self, context: Context) -> None:
        """Send the message, in a coroutine.

        Raises:
            NotImplementedError: a class does not override this.
        """
        raise NotImplementedError(f"{type(self).__name__} has no async_notify() of its own")

    def __call__(self, *args: Any) -> None:
        """Send the message about the task whose context this is.

        Airflow calls a notifier about a missed deadline with four arguments; they become the keys of the context.
        """
        context = args[0] if len(args) == 1 else dict(zip(_OF_A_DEADLINE, args, strict=False))
        if len(args) not in (1, len(_OF_A_DEADLINE)):
            raise TypeError(
                f"{type(self).__name__} is called with the context of a task, or with four arguments, not with {len(args)}"
            )
        self.notify(self._with_fields(context))

    def __await__(self) -> Generator[Any, None, None]:
        return self.async_notify(self._with_fields(self.context)).__await__()

    def _with_fields(self, context: Any) -> Any:
        for name in self.template_fields:
            value = getattr(self, name)
            if isinstance(value, str) and ("{{" in value or "{%" in value):
                raise ValueError(
                    f"{type(self).__name__}: outboard does not render templates yet, so {name} would be sent as {value!r}; "
                    "take the value from the context in notify() instead"
                )
            context[name] = value
        return context
