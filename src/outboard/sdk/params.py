"""The params of a Dag or a task, and which value counts where several are declared or given.

What one param is stands in `outboard.sdk.param`; where a run's conf comes from is the runtime's business. A Dag without params
loads none of this.
"""

from __future__ import annotations

from collections.abc import ItemsView, Mapping, MutableMapping, ValuesView

from outboard.errors import MissingLibraryError
from outboard.sdk.exceptions import ParamValidationError
from outboard.sdk.param import NOTSET, Param, check_version, copied

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TypeAlias

    from outboard.sdk.param import Source

    _Values: TypeAlias = MutableMapping[str, Any]
else:
    _Values = MutableMapping

__all__ = ("NOTSET", "Param", "ParamsDict", "merge", "resolve")


class ParamsDict(_Values):
    """The params of a Dag or a task by name. Reading an item gives its value; what is put in becomes a `Param`.

    Attributes:
        suppress_exception: whether an item that has no fitting value reads as None.

    Raises:
        TypeError: no mapping, or a name that is no string.
    """

    __slots__ = ("_params", "suppress_exception")

    def __init__(self, dict_obj: Mapping[str, Any] | None = None, suppress_exception: bool = False) -> None:
        self.suppress_exception = suppress_exception
        self._params: dict[str, Param] = {}
        given = {} if dict_obj is None else dict_obj
        if not isinstance(given, Mapping):
            raise TypeError(f"params are a mapping of names to values, not {given!r}")
        for name, value in given._params.items() if isinstance(given, ParamsDict) else given.items():
            self._params[_checked_name(name)] = _boxed(name, value)

    def __getitem__(self, key: str) -> Any:
        return _named(key, self._params[key], suppress_exception=self.suppress_exception)

    def __setitem__(self, key: str, value: Any) -> None:
        if key in self._params and not isinstance(value, Param):
            _named(key, self._params[key], value, suppress_exception=self.suppress_exception)
        else:
            self._params[_checked_name(key)] = _boxed(key, value)

    def __delitem__(self, key: str) -> None:
        del self._params[key]

    def __contains__(self, key: object) -> bool:
        return key in self._params

    def __iter__(self) -> Iterator[str]:
        return iter(self._params)

    def __len__(self) -> int:
        return len(self._params)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ParamsDict):
            return self.dump() == other.dump()
        return self.dump() == other if isinstance(other, dict) else NotImplemented

    def __copy__(self) -> ParamsDict:
        return ParamsDict(self, self.suppress_exception)

    def __deepcopy__(self, memo: object) -> ParamsDict:
        copies = {name: param.__deepcopy__(memo) for name, param in self._params.items()}
        return ParamsDict(copies, self.suppress_exception)

    def __repr__(self) -> str:
        return repr(self.dump())

    def get_param(self, key: str) -> Param:
        """The param itself, not its value."""
        return self._params[key]

    def items(self) -> ItemsView[str, Any]:
        """The names with the params themselves, as in Airflow."""
        return self._params.items()

    def values(self) -> ValuesView[Any]:
        """The params themselves, as in Airflow."""
        return self._params.values()

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Take over params, or give values to those that there are."""
        if len(args) == 1 and isinstance(args[0], ParamsDict):
            args = (args[0]._params,)
        super().update(*args, **kwargs)

    def dump(self) -> dict[str, Any]:
        """The values by name, with None for those that do not fit."""
        return {name: param.resolve(suppress_exception=True) for name, param in self._params.items()}

    def validate(self) -> dict[str, Any]:
        """The values by name.

        Raises:
            ParamValidationError: the first that does not fit, by its name.
        """
        return {name: self[name] for name in self._params}

    def serialize(self) -> dict[str, Any]:
        """The values by name, as `dump` gives them."""
        return self.dump()

    @staticmethod
    def deserialize(data: dict[str, Any], version: int = 1) -> ParamsDict:
        """Params of these values."""
        check_version(version)
        return ParamsDict(data)

    @staticmethod
    def filter_params_by_source(params: ParamsDict, source: Source) -> ParamsDict:
        """Those that were declared for a Dag, or those that were declared for a task."""
        return ParamsDict({name: param for name, param in params._params.items() if param.source == source})


# ── which declaration counts ──────────────────────────────────────────────────────────────────────────────────────────


def merge(dag_params: Mapping[str, Any] | None, task_params: Mapping[str, Any] | None) -> ParamsDict:
    """What is declared for a task: its Dag's params, with the task's own in place of those of the same name.

    They are copies, each of which knows its source: what was declared stays as it was.
    """
    merged = ParamsDict()
    declared: tuple[tuple[Source, Mapping[str, Any] | None], ...] = (("dag", dag_params), ("task", task_params))
    for source, params in declared:
        for name, param in ParamsDict(params).items():
            copy = param.__deepcopy__(None)
            copy.source = copy.source or source
            merged[name] = copy
    return merged


def resolve(
    dag_params: Mapping[str, Any] | None,
    task_params: Mapping[str, Any] | None,
    conf: Mapping[str, Any] | None,
    *,
    label: str = "",
) -> dict[str, Any]:
    """The values of one task in one run: what the run's conf says, else the task's param, else the Dag's.

    Nothing that was declared is changed. What the conf names and nobody declares is among the values too.

    Args:
        dag_params: what is declared for the Dag, as params or as plain values.
        task_params: the same for the task.
        conf: the run's conf; None or empty where it overrides nothing.
        label: what they are the params of, for the error, such as ``"task 'load' of Dag 'sales'"``.

    Raises:
        ParamValidationError: a value does not fit, or there is none.
        MissingLibraryError: a schema takes a library that is not there.
    """
    merged = merge(dag_params, task_params)
    try:
        merged.update({name: copied(value) for name, value in (conf or {}).items()})
        return merged.validate()
    except ParamValidationError as error:
        raise ParamValidationError(f"{label}: {error}" if label else str(error)) from error.__cause__
    except MissingLibraryError as error:
        raise (error.of(label) if label else error) from error.__cause__


def _boxed(name: str, value: Any) -> Param:
    if isinstance(value, Param):
        return value
    try:
        return Param(value)
    except ParamValidationError as error:
        raise ParamValidationError(f"param {name!r}: {error}") from None


def _named(name: str, param: Param, value: Any = NOTSET, *, suppress_exception: bool) -> Any:
    try:
        return param.resolve(value, suppress_exception)
    except ParamValidationError as error:
        raise ParamValidationError(f"param {name!r}: {error}") from error.__cause__
    except MissingLibraryError as error:
        purpose = f"the JSON schema of the param {name!r}"
        raise MissingLibraryError(error.library, error.extra, purpose) from error.__cause__


def _checked_name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"the name of a param is a string, not {name!r}")
    return name
