"""One param: a value that an author declares, and the rules for what may take its place.

Must not know whose it is, nor where another value comes from. How a schema is judged is the business of
`outboard.sdk.param_schema`.
"""

from __future__ import annotations

from outboard.sdk.exceptions import ParamValidationError
from outboard.sdk.param_schema import SchemaError, problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, Literal, TypeAlias

    Source: TypeAlias = Literal["dag", "task"]

__all__ = ("NOTSET", "ArgNotSet", "Param", "check_version", "copied")


class ArgNotSet:
    """The type of `NOTSET`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NOTSET"

    def __copy__(self) -> ArgNotSet:
        return self

    def __deepcopy__(self, memo: object) -> ArgNotSet:
        return self


NOTSET = ArgNotSet()
"""Stands for a default that was not given; None is a value."""


class Param:
    """A value with a default, and rules for what may take its place.

    Attributes:
        value: the default, or what has taken its place; `NOTSET` if there is neither, so that a run must give one.
        description: a text for whoever fills in the form.
        schema: a JSON schema; all keyword arguments that are not named here, unless it is given as ``schema``.
        source: whether it was declared for a Dag or for a task; None until that is known.

    Raises:
        ParamValidationError: the default is nothing that JSON has a form for.
    """

    CLASS_IDENTIFIER: ClassVar[str] = "__class"

    __slots__ = ("__dict__", "description", "schema", "source", "value")

    def __init__(
        self,
        default: Any = NOTSET,
        description: str | None = None,
        source: Source | None = None,
        **schema: Any,
    ) -> None:
        _check_json(default)
        self.value = default
        self.description = description
        self.schema: Any = schema.pop("schema") if "schema" in schema else schema
        self.source = source

    def __copy__(self) -> Param:
        return Param(self.value, self.description, self.source, schema=self.schema)

    def __deepcopy__(self, memo: object) -> Param:
        copy = object.__new__(type(self))  # an author's subclass may be made in another way
        copy.__dict__.update(copied(self.__dict__))
        copy.value, copy.schema = copied(self.value), copied(self.schema)
        copy.description, copy.source = self.description, self.source
        return copy

    def __repr__(self) -> str:
        return f"<Param {self.value!r}>"

    @property
    def has_value(self) -> bool:
        """Whether there is a value, other than None."""
        return self.value is not NOTSET and self.value is not None

    def resolve(self, value: Any = NOTSET, suppress_exception: bool = False) -> Any:
        """The param's value, once it is known to fit; it is kept.

        Args:
            value: what is to take the default's place.
            suppress_exception: whether the answer is None, and nothing is kept, where no value fits.

        Raises:
            ParamValidationError: there is no value, or it does not fit, or the schema makes no sense (that also with
                `suppress_exception`, as in Airflow).
            MissingLibraryError: the schema takes a library that is not there.
        """
        _check_json(value)
        wanted = self.value if value is NOTSET else value
        wrong = self._problem(wanted)
        if wrong is not None:
            if suppress_exception:
                return None
            raise ParamValidationError(wrong)
        self.value = wanted
        return wanted

    def _problem(self, value: Any) -> str | None:
        if isinstance(value, ArgNotSet):
            return "it has no default, and no value was given"
        try:
            return problem(self.schema, value)
        except SchemaError as error:
            raise ParamValidationError(f"its JSON schema makes no sense: {error}") from error

    def dump(self) -> dict[str, Any]:
        """All that there is to it as plain data, with None for a value that is not set."""
        return {
            self.CLASS_IDENTIFIER: f"{type(self).__module__}.{type(self).__name__}",
            "value": None if self.value is NOTSET else self.value,
            "description": self.description,
            "schema": self.schema,
            "source": self.source,
        }

    def serialize(self) -> dict[str, Any]:
        """Its parts, for `deserialize`."""
        return {"value": self.value, "description": self.description, "schema": self.schema, "source": self.source}

    @staticmethod
    def deserialize(data: dict[str, Any], version: int = 1) -> Param:
        """The param that `serialize` took apart."""
        check_version(version)
        return Param(data["value"], data["description"], data.get("source"), schema=data["schema"])


def check_version(version: int) -> None:
    """Raise TypeError for a serialized form that is newer than this one."""
    if version > 1:
        raise TypeError(f"params in version {version} of their form are newer than this outboard, which reads 1")


def _check_json(value: Any) -> None:
    try:
        is_json = isinstance(value, ArgNotSet) or _is_json(value)
    except RecursionError:  # it holds itself
        is_json = False
    if not is_json:
        raise ParamValidationError(f"a param's value is one that JSON has a form for, which {value!r:.120} is not")


def _is_json(value: Any) -> bool:
    """Whether `json.dumps` takes it; that module costs more than the rest of this one."""
    if value is None or isinstance(value, (str, int, float)):
        return True
    if isinstance(value, (list, tuple)):
        return all(map(_is_json, value))
    if isinstance(value, dict):
        return all(key is None or isinstance(key, (str, int, float)) for key in value) and all(
            map(_is_json, value.values())
        )
    return False


def copied(value: Any) -> Any:
    """A copy of a value as deep as its lists and dicts go; tuples stay tuples."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([copied(item) for item in value])
    return value
