"""The command line of a bundle, and nothing of what follows from it."""

from __future__ import annotations

from outboard.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ("EXPLAIN", "METADATA", "SOCKETS", "STDIO", "Invocation", "parse")

SOCKETS = "sockets"
STDIO = "stdio"
METADATA = "metadata"
EXPLAIN = "explain"


class Invocation:
    """What a bundle was asked to do.

    Attributes:
        mode: `SOCKETS`, `STDIO`, `METADATA` or `EXPLAIN`.
        comm: in socket mode, where to dial for the frames.
        logs: in socket mode, where to dial for the log records.
    """

    __slots__ = ("comm", "logs", "mode")

    def __init__(self, mode: str, comm: tuple[str, int] | None = None, logs: tuple[str, int] | None = None) -> None:
        self.mode = mode
        self.comm = comm
        self.logs = logs


def parse(arguments: Sequence[str]) -> Invocation:
    """Read the arguments behind the bundle's name.

    ``--comm=HOST:PORT --logs=HOST:PORT`` (Airflow), ``--stdio`` (outboard, and any other supervisor), ``--metadata``, or
    nothing. The value of an option may also be the next argument.

    Raises:
        UsageError: anything else.
    """
    values: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        option, has_value, value = argument.partition("=")
        if option not in ("--comm", "--logs", "--stdio", "--metadata") or option in values:
            raise UsageError(f"unexpected argument {argument!r}")
        if option in ("--comm", "--logs"):
            if not has_value:
                if not rest:
                    raise UsageError(f"{option} needs a value: HOST:PORT")
                value = rest.pop(0)
        elif has_value:
            raise UsageError(f"{option} takes no value")
        values[option] = value
    return _invocation(values)


def _invocation(values: dict[str, str]) -> Invocation:
    if not values:
        return Invocation(EXPLAIN)
    given = frozenset(values)
    if given == {"--stdio"}:
        return Invocation(STDIO)
    if given == {"--metadata"}:
        return Invocation(METADATA)
    if given == {"--comm", "--logs"}:
        return Invocation(SOCKETS, _address(values["--comm"]), _address(values["--logs"]))
    if len(given) == 1:
        missing = "--logs" if "--comm" in given else "--comm"
        raise UsageError(f"--comm and --logs belong together: {missing} is missing")
    raise UsageError(f"{' and '.join(sorted(given))} do not go together")


def _address(text: str) -> tuple[str, int]:
    """Read ``host:port``, where host is an IPv4 address, an IPv6 address in brackets, or a name.

    Raises:
        UsageError: the text has another form.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError(f"{text!r} is no address: HOST:PORT is wanted, such as 127.0.0.1:45678")
    return host.strip("[]"), int(port)
