"""The message catalogue: one class for each definition of the supervisor schema, built when it is first asked for.

A task touches about ten of the hundred definitions, so classes are made lazily from a generated table; type checkers read
the generated stub beside this file. The few messages that are outboard's own (`OWN`) are in a table apart. Each class has
one slot a field, takes keyword arguments only, fills what is left out with the schema's default, and compares by value.
Nothing is validated here: `outboard.protocol.codec` does that once, at the border.

    >>> from outboard.protocol import messages as m
    >>> m.GetVariable(key="region")
    GetVariable(key='region')
"""

from __future__ import annotations

from outboard.protocol.messages._generated import ADDED, DEFINITIONS, ENUMS, SCHEMA_DATES

__all__ = (  # the message classes are public too; __getattr__ builds them
    "ADDED",
    "DEFINED",
    "MESSAGES",
    "OWN",
    "PARSE_GREETING",
    "PARSE_RESULT",
    "SCHEMA_DATES",
    "TASK_GREETING",
    "TERMINAL",
    "TRIGGER_GREETING",
    "TRIGGER_REPORTS",
    "Message",
    "definition",
    "enum_values",
)

# What begins an exchange, and what ends it.
TASK_GREETING = "StartupDetails"
PARSE_GREETING = "DagFileParseRequest"
PARSE_RESULT = "DagFileParsingResult"
TERMINAL = frozenset({"AwaitInputTask", "DeferTask", "RescheduleTask", "RetryTask", "SucceedTask", "TaskState"})
TRIGGER_GREETING = "RunTrigger"
TRIGGER_REPORTS = frozenset({"TriggerFailed", "TriggerFired"})

# What Airflow's schema defines, and what outboard adds to it.
DEFINED = frozenset(DEFINITIONS)
MESSAGES = frozenset(name for name in DEFINITIONS if DEFINITIONS[name][0])
OWN = frozenset({TRIGGER_GREETING, *TRIGGER_REPORTS})


class Message:
    """What all definitions share. The class's name is the definition's; a message carries it as ``type`` too.

    Attributes:
        is_message: whether it can be the body of a frame (others are parts of messages).
        closed: whether its schema forbids unknown fields.
        spec: the fields, each as (name, type expression, required, default).
    """

    __slots__ = ()

    is_message = False
    closed = False
    spec: tuple[tuple[str, object, bool, object], ...] = ()

    def __init__(self, **values: object) -> None:
        taken = 0
        for field, _, required, default in self.spec:
            if field in values:
                taken += 1
                setattr(self, field, values[field])
            elif required:
                raise TypeError(f"{type(self).__name__}() needs the keyword argument {field!r}")
            else:
                # A default that is a container must not be shared between messages.
                setattr(self, field, default.copy() if isinstance(default, (list, dict)) else default)
        if taken < len(values):
            unknown = sorted(set(values) - {field for field, *_ in self.spec})
            raise TypeError(f"{type(self).__name__}() has no field {', '.join(map(repr, unknown))}")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, field) == getattr(other, field) for field, *_ in self.spec)

    __hash__ = None  # type: ignore[assignment]  # messages are mutable

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{field}={getattr(self, field)!r}' for field, *_ in self.spec)})"


_classes: dict[str, type[Message]] = {}


def definition(name: str) -> type[Message]:
    """The class of one definition, such as ``"GetVariable"`` or ``"TaskInstance"``.

    Raises:
        KeyError: neither the schema nor outboard defines the name.
    """
    found = _classes.get(name)
    if found is None:
        is_message, closed, spec = _own_definition(name) if name in OWN else DEFINITIONS[name]
        namespace: dict[str, object] = {
            "__slots__": tuple(field for field, *_ in spec),
            "__module__": __name__,
            "is_message": is_message,
            "closed": closed,
            "spec": spec,
        }
        if is_message:
            namespace["type"] = name
        found = _classes[name] = type(name, (Message,), namespace)
        globals()[name] = found  # the next look-up need not come through __getattr__
    return found


def _own_definition(name: str) -> tuple[bool, bool, tuple[tuple[str, object, bool, object], ...]]:
    from outboard.protocol.messages._own import DEFINITIONS as OWN_DEFINITIONS  # no task needs them

    return OWN_DEFINITIONS[name]


def enum_values(name: str) -> tuple[str, ...] | None:
    """The values of one of the schema's enumerations, or None when the name is no enumeration."""
    return ENUMS.get(name)


def __getattr__(name: str) -> type[Message]:
    try:
        return definition(name)
    except KeyError:
        raise AttributeError(f"the supervisor schema {SCHEMA_DATES[-1]} defines no {name!r}") from None
