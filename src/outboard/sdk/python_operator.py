"""`PythonOperator`: a task whose work is a plain function. What ``@task`` makes of a function is one of these, too."""

from __future__ import annotations

from outboard.sdk.context import CONTEXT_KEYS, Context, spread
from outboard.sdk.operator import BaseOperator
from outboard.sdk.signature import Signature, is_coroutine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import Any


__all__ = ("PythonCallable", "PythonOperator")


class PythonCallable:
    """A function and the arguments that the Dag file gives it; part of every operator that calls one.

    Attributes:
        python_callable: the author's function.
        op_args, op_kwargs: its arguments; references to the results of other tasks may be in them.
        templates_dict: what the function gets under this name, if it asks for it.
    """

    python_callable: Callable[..., Any]
    op_args: Collection[Any]
    op_kwargs: Mapping[str, Any]
    templates_dict: dict[str, Any] | None = None
    label: str

    def take(
        self,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None,
        op_kwargs: Mapping[str, Any] | None,
        templates_dict: dict[str, Any] | None,
    ) -> None:
        """Keep the function and its arguments.

        Raises:
            TypeError: what should be the function cannot be called, or hides its parameters.
        """
        if not callable(python_callable):
            raise TypeError(f"python_callable is a function, not {python_callable!r}")
        self.python_callable = python_callable
        self.op_args = tuple(op_args or ())
        self.op_kwargs = dict(op_kwargs or ())
        if templates_dict is not None:
            self.templates_dict = templates_dict
        self._signature = Signature.of(python_callable)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """The names of the function's parameters, in order."""
        return self._signature.names

    @property
    def positional_only_names(self) -> tuple[str, ...]:
        """The names of those that can be given by position alone."""
        return self._signature.names[: self._signature.positional_only]

    def takes(self, name: str) -> bool:
        """Whether the function can be given an argument of that name."""
        return name in self._signature.names or self._signature.keywords

    def bind(self, context: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of this run.

        Parameters named like keys of the context get these, unless the Dag file gives them; ``**kwargs`` gets the whole
        context.

        Raises:
            TypeError: a parameter has no value in this run.
        """
        signature = self._signature
        args, kwargs = tuple(self.op_args), dict(self.op_kwargs)
        if self.templates_dict is not None:
            context = Context({**context, "templates_dict": self.templates_dict})  # type: ignore[typeddict-item]
        if signature.keywords:
            # What is asked for by name is itself there, and no stand-in.
            rest = {name: value for name, value in spread(context).items() if name not in signature.names[len(args) :]}
            kwargs = {**rest, **kwargs}
        for name in signature.names[len(args) :]:
            if name not in kwargs and name in context:
                kwargs[name] = context[name]
        self._check_complete(len(args), kwargs)
        return args, kwargs

    def _check_complete(self, given: int, kwargs: dict[str, Any]) -> None:
        signature = self._signature
        for name in signature.names[given:]:
            if name not in kwargs and name not in signature.defaults:
                why = "this run's context has no such key" if name in CONTEXT_KEYS else "nothing gives it a value"
                raise TypeError(f"{self.label}: the parameter {name!r} has no value and no default, and {why}")

    def call(self, context: Context) -> Any:
        """Call the function with the arguments of this run."""
        args, kwargs = self.bind(context)
        return _without_metadata(self.python_callable(*args, **kwargs), context)


_GENERATOR = type(_ for _ in ())


def _without_metadata(result: Any, context: Context) -> Any:
    """The result proper, after what was yielded or returned about the task's outlets has been taken."""
    if not isinstance(result, _GENERATOR) and type(result).__name__ != "Metadata":
        return result
    from outboard.sdk.yielded_metadata import result_of  # few functions do either

    return result_of(result, context["outlet_events"])


class PythonOperator(PythonCallable, BaseOperator):
    """Calls a function; a coroutine function is awaited.

    Args:
        python_callable: the function.
        op_args, op_kwargs: its arguments, with references to the results of other tasks in them.
        templates_dict: what it gets under this name, if it asks for it.
    """

    template_fields = ("templates_dict", "op_args", "op_kwargs")
    template_fields_renderers: Mapping[str, str] = {"templates_dict": "json", "op_args": "py", "op_kwargs": "py"}

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        templates_dict: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.take(python_callable, op_args, op_kwargs, templates_dict)
        super().__init__(**kwargs)

    @property
    def is_async(self) -> bool:  # type: ignore[override]  # what it is depends on the function
        """Whether the function must be awaited."""
        return is_coroutine(self.python_callable)

    def execute(self, context: Context) -> Any:
        """Call the function; of a coroutine function, return the coroutine."""
        return self.call(context)

    async def aexecute(self, context: Context) -> Any:
        """Call the coroutine function, and await it."""
        return _without_metadata(await self.call(context), context)
