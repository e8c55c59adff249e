"""References to a Dag's param: what a parameter of a ``@dag`` function is while the function's body builds the Dag.

As an argument of a task, a reference is replaced by the param's value when the task runs. Must not know how arguments are
searched for references.
"""

from __future__ import annotations

from outboard.sdk.context import get_current_context
from outboard.sdk.params import NOTSET, Param
from outboard.sdk.xcom_arg import Reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from outboard.sdk.context import Context
    from outboard.sdk.dag import DAG
    from outboard.sdk.signature import Signature
    from outboard.sdk.xcom_arg import Pull

__all__ = ("DagParam", "parameters_as_params")


class DagParam(Reference):
    """The value of a param of a Dag in some run.

    Attributes:
        current_dag: the Dag, which has the param from now on if a default is given.
    """

    __slots__ = ("_default", "_name", "current_dag")

    def __init__(self, current_dag: DAG, name: str, default: Any = NOTSET) -> None:
        if default is not NOTSET:
            current_dag.params[name] = default
        self._name = name
        self._default = default
        self.current_dag = current_dag

    def __repr__(self) -> str:
        return f"<DagParam {self._name} of {self.current_dag.dag_id}>"

    def __str__(self) -> str:
        raise TypeError(
            f"the value of the param {self._name!r} is not known while the Dag {self.current_dag.dag_id!r} is built, so it "
            "cannot be put into a string; pass it to a task and build the string there"
        )

    def __format__(self, spec: str) -> str:
        return str(self)

    def iter_references(self) -> tuple[()]:
        """The tasks that it takes the result of: none."""
        return ()

    def pull(self, pull: Pull) -> Any:
        """The value in the run whose task this process executes."""
        return self.resolve(get_current_context())

    def resolve(self, context: Context) -> Any:
        """The value in a run: from its conf, else the default given here, else the Dag's.

        Raises:
            RuntimeError: there is none.
        """
        conf = getattr(context.get("dag_run"), "conf", None) or {}
        if self._name in conf:
            return conf[self._name]
        if self._default is not NOTSET and not isinstance(self._default, Param):
            return self._default
        params = context.get("params") or {}
        if self._name in params:
            return params[self._name]
        raise RuntimeError(f"the param {self._name!r} of Dag {self.current_dag.dag_id!r} has no value in this run")


def parameters_as_params(
    dag: DAG, signature: Signature, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, DagParam]:
    """Make params of a Dag of the parameters of its ``@dag`` function, with the values that it is called with.

    Returns:
        What the function is to be called with in their place, by name.

    Raises:
        TypeError: a value is missing, unknown or given twice.
    """
    label = f"Dag {dag.dag_id!r}"
    if signature.variadic or signature.keywords or signature.positional_only:
        raise TypeError(
            f"{label}: its function may have named parameters only: no *args, no **kwargs, nothing before a /"
        )
    if len(args) > len(signature.positional):
        raise TypeError(f"{label} takes {len(signature.positional)} positional arguments, not {len(args)}")
    given = dict(zip(signature.positional, args, strict=False))
    for name, value in kwargs.items():
        if name in given or name not in signature.names:
            raise TypeError(
                f"{label} is given {name!r} twice" if name in given else f"{label} has no parameter {name!r}"
            )
        given[name] = value
    values = {**signature.defaults, **given}
    missing = [name for name in signature.names if name not in values]
    if missing:
        raise TypeError(f"{label} is called without {', '.join(map(repr, missing))}")
    return {name: DagParam(dag, name, values[name]) for name in signature.names}
