"""Log records in the one form that every supervisor takes, their lines, and the levels that let them pass.

A record is a dict: ``event`` (str), ``level`` (one of `LEVELS`), ``logger`` (str), ``timestamp`` (an aware `datetime`
in UTC; left out when the caller has none) and extras. Over a log socket it is a line of JSON, over stdio the map of a
frame.

A stock Airflow supervisor passes the fields of a line on as keyword arguments of its own logger. One badly named or
badly shaped extra therefore raises inside the supervisor and fails the task; an unknown level makes the line vanish; an
``exception`` of another shape than its own breaks the log page. `make_record` is where all of that is prevented, and
nothing else may build records. What it changes:

- an extra with a reserved name gets one or more underscores behind it: ``msg`` travels as ``msg_``;
- what JSON has no form for becomes the text of its `repr`; dates and times become ISO 8601 text, sets and tuples lists;
- nesting is cut at `MAX_NESTING`, text at `MAX_TEXT`, all extras together at `MAX_EXTRAS`;
- NaN, infinities and integers beyond 64 bits become text, lone surrogates become escapes;
- an unknown level becomes ``info`` and is kept as the extra ``level_``, an unreadable timestamp as ``timestamp_``.

This module reads no clock and no environment. The child runs it for every record, so nothing here imports `json`.
"""

from __future__ import annotations

from _json import encode_basestring_ascii, make_encoder
from datetime import date, datetime, time, timezone

from outboard.protocol.timestamps import parse_timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from typing import Any

__all__ = (
    "LEVELS",
    "MAX_EXTRAS",
    "MAX_FRAMES",
    "MAX_NAME",
    "MAX_NESTING",
    "MAX_TEXT",
    "RESERVED_NAMES",
    "STRAY_LOGGER",
    "decode_line",
    "encode_line",
    "from_fields",
    "level_of",
    "make_record",
    "parse_namespace_levels",
    "passes",
)

# From chatty to grave.
LEVELS = ("debug", "info", "warning", "error", "critical")

# A stock supervisor reads 4 KiB at a time and searches its whole buffer for the newline after each read, so the cost of
# a line grows with the square of its length: 64 Ki characters cost it milliseconds, 10 MB cost it seconds.
MAX_TEXT = 65_536

# What the extras of one record may hold together: characters of text, plus eight for any other value.
MAX_EXTRAS = 65_536
_COST_OF_A_VALUE = 8

# Containers within containers. A stock supervisor masks secrets in the text of the fourth, and not below; so anything
# deeper is flattened into text there, where the mask still reaches it.
MAX_NESTING = 4

# Of one exception in a chain; the middle ones are left out. A RecursionError has a thousand.
MAX_FRAMES = 100

# Of a logger's name, or of an extra's.
MAX_NAME = 256

# Of one chain of causes.
_MAX_CHAIN = 16

_SMALLEST_INT = -(2**63)
_LARGEST_INT = 2**64 - 1

# Fields of the record itself, parameter names of the functions that a stock supervisor calls with the fields as
# keywords (self, target, msg, level, event, method_name), and names to which its processors give a meaning of their
# own: they format the event with positional_args, swallow exc_info and logger_name, put the supervisor's own stack in
# the place of stack_info, want text in stack, and the log page wants a list of tracebacks in error_detail.
RESERVED_NAMES = frozenset(
    {
        "error_detail",
        "event",
        "exc_info",
        "exception",
        "level",
        "logger",
        "logger_name",
        "method_name",
        "msg",
        "positional_args",
        "self",
        "stack",
        "stack_info",
        "target",
        "timestamp",
        "type",
    }
)

# A console format such as ``%(lineno)d`` takes these from the extras, and raises on text.
_NUMERIC_NAMES = frozenset({"lineno", "process", "thread"})

_LEVEL_OF_NAME = {
    "debug": "debug",
    "info": "info",
    "warning": "warning",
    "warn": "warning",
    "error": "error",
    "exception": "error",
    "critical": "critical",
    "fatal": "critical",
    # As a threshold it lets everything pass, and nothing is below debug; as a record's level it would make it vanish.
    "notset": "debug",
}

_RANKS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}

# The logger of what arrives without one.
STRAY_LOGGER = "task.log"

# Room for the sentence that says how much was cut.
_MARK_SIZE = 40


# ── building ──────────────────────────────────────────────────────────────────────────────────────────────────────


def make_record(
    event: object,
    level: str | int,
    logger: str,
    timestamp: datetime | str | None = None,
    extra: Mapping[str, object] | None = None,
    *,
    max_extras: int = MAX_EXTRAS,
) -> dict[str, object]:
    """Build a record from whatever a logging call has at hand.

    Args:
        event: the message; anything but text is converted by `str`.
        level: a level's name in any case, or a number as in `logging`.
        logger: the logger's name.
        timestamp: when it happened. Without a zone it is taken as UTC; text must be RFC 3339.
        extra: further fields. ``exception`` is a chain of tracebacks, the exception itself first and then its causes:
            ``[{"exc_type", "exc_value", "frames": [{"filename", "lineno", "name"}, …], …}, …]``.
        max_extras: what the extras may hold together.

    Returns:
        A new dict with ``event``, ``level``, ``logger``, ``timestamp`` (unless there is none) and the extras.
    """
    known_level = _LEVEL_OF_NAME.get(level) if type(level) is str else None
    record: dict[str, object] = {
        "event": event if type(event) is str and event.isascii() and len(event) <= MAX_TEXT else _plain_text(event),
        "level": known_level or level_of(level) or "info",
        "logger": logger
        if type(logger) is str and logger.isascii() and len(logger) <= MAX_NAME
        else _plain_name(logger),
    }
    if type(timestamp) is datetime and timestamp.tzinfo is timezone.utc:
        record["timestamp"] = timestamp
    elif (moment := _moment(timestamp)) is not None:
        record["timestamp"] = moment
    if extra:
        _add_extras(record, extra, max_extras)
    if known_level is None and level_of(level) is None:
        record[_free_name("level", record)] = _Flattener().flatten(level)
    if timestamp is not None and "timestamp" not in record:
        # Without one, the supervisor stamps the record when it arrives.
        record[_free_name("timestamp", record)] = _Flattener().flatten(timestamp)
    return record


def from_fields(fields: Mapping[str, object]) -> dict[str, object]:
    """Make a record of what a peer sent as one: a flat map of the four fields, any of them missing, and the extras."""
    extra = {name: value for name, value in fields.items() if name not in ("event", "level", "logger", "timestamp")}
    level: Any = fields.get("level", "info")
    logger: Any = fields.get("logger") or STRAY_LOGGER
    timestamp: Any = fields.get("timestamp")
    # Twice as generous as whoever sends, so that what was cut there arrives as it is.
    return make_record(fields.get("event", ""), level, logger, timestamp, extra, max_extras=2 * MAX_EXTRAS)


def _add_extras(record: dict[str, object], extra: Mapping[str, object], max_extras: int) -> None:
    flattener = _Flattener(max_extras)
    for name, value in extra.items():
        if value is None or type(value) is bool or (type(value) is str and len(value) < 1024 and value.isascii()):
            plain: object = value
        elif type(value) is int and _SMALLEST_INT <= value <= _LARGEST_INT:
            plain = value
        elif name == "exception" and (chain := flattener.flatten_chain(value)) is not None:
            record["exception"] = chain
            continue
        else:
            plain = flattener.flatten(value)
        if type(name) is not str or not name.isascii() or len(name) > MAX_NAME:
            name = _plain_name(name)
        if name in RESERVED_NAMES or (name in _NUMERIC_NAMES and type(plain) is not int):
            name = _free_name(name, record, extra)
        record[name] = plain


def _free_name(name: str, *taken: Mapping[str, object]) -> str:
    name += "_"
    while any(name in names for names in taken):
        name += "_"
    return name


def _plain_text(value: object, limit: int = MAX_TEXT) -> str:
    try:
        text = str(value)
    except Exception:
        text = _repr(value)
    return _Flattener(limit).text(text)


def _plain_name(value: object) -> str:
    return _plain_text(value, MAX_NAME)


class _Flattener:
    """Turns any value into one that JSON and msgpack carry, within a budget of characters."""

    __slots__ = ("_left",)

    def __init__(self, budget: int = MAX_EXTRAS) -> None:
        self._left = budget

    def flatten(self, value: object, depth: int = 0) -> object:
        """Return `value` as text, a number, a boolean, None, or lists and string-keyed dicts of these."""
        try:
            return self._flatten(value, depth)
        except Exception:
            # A proxy that lies about its class, a container that fails while it is walked: its author's business.
            return self.text(_repr(value))

    def _flatten(self, value: object, depth: int) -> object:
        if isinstance(value, str):
            return self.text(value)
        if value is None or value is True or value is False:
            self._left -= _COST_OF_A_VALUE
            return value
        if isinstance(value, int):
            return self._integer(int.__int__(value))
        if isinstance(value, float):
            return self._float(float.__float__(value))
        if isinstance(value, (dict, list, tuple, set, frozenset)) and depth < MAX_NESTING:
            return self._container(value, depth + 1)
        if isinstance(value, (datetime, date, time)):
            return self.text(_iso(value))
        return self.text(_repr(value))

    def flatten_chain(self, value: object) -> list[dict[str, object]] | None:
        """Return a chain of tracebacks in the one shape that a log page can show; None if `value` is none."""
        if type(value) is not list or not value:
            return None
        if not all(type(link) is dict and _is_frames(link.get("frames")) for link in value):
            return None
        return [self._link(link) for link in value[:_MAX_CHAIN]]

    def text(self, value: str) -> str:
        """Return `value` as plain text that UTF-8 can carry, cut to what is left of the budget."""
        text = str.__str__(value)  # of a subclass too, whatever its own methods would answer
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                text = text.encode("utf-8", "backslashreplace").decode()
        size = len(text)
        if size > self._left:
            shown = max(self._left - _MARK_SIZE, 0)
            text = f"{text[:shown]}… ({size - shown} more characters)" if shown else "…"
        self._left -= len(text) + _COST_OF_A_VALUE
        return text

    def _integer(self, value: int) -> object:
        if _SMALLEST_INT <= value <= _LARGEST_INT:
            self._left -= _COST_OF_A_VALUE
            return value
        try:
            return self.text(str(value))
        except ValueError:  # Python limits how many digits it converts to decimal
            return self.text(hex(value))

    def _float(self, value: float) -> object:
        if value - value != 0.0:  # NaN and the infinities
            return self.text(repr(value))
        self._left -= _COST_OF_A_VALUE
        return value

    def _container(self, value: Collection[object], depth: int) -> object:
        self._left -= _COST_OF_A_VALUE
        # Copied first, since another thread may be filling it at this moment.
        if isinstance(value, dict):
            pairs: dict[str, object] = {}
            for key, item in list(dict.items(value)):
                if self._left <= 0:
                    pairs["…"] = f"{len(value) - len(pairs)} more"
                    break
                pairs[self._shown(key)] = self.flatten(item, depth)
            return pairs
        items: list[object] = []
        for item in list(value):
            if self._left <= 0:
                items.append(f"… {len(value) - len(items)} more")
                break
            items.append(self.flatten(item, depth))
        return items

    def _link(self, link: dict[object, object]) -> dict[str, object]:
        given: list[dict[object, object]] = link["frames"]  # type: ignore[assignment]
        # Before the text: where it was raised is worth more than the end of a long message.
        frames = [self._frame(frame) for frame in _without_the_middle(given)]
        plain: dict[str, object] = {
            "exc_type": self._shown(link.get("exc_type", "Exception")),
            "exc_value": self._shown(link.get("exc_value", "")),
            "frames": frames,
        }
        for key, value in link.items():
            name = self._shown(key)
            if name not in plain:
                plain[name] = self.flatten(value, 2)
        return plain

    def _frame(self, frame: dict[object, object]) -> dict[str, object]:
        line = frame.get("lineno")
        return {
            "filename": self._shown(frame.get("filename", "?")),
            "lineno": line if type(line) is int and _SMALLEST_INT <= line <= _LARGEST_INT else 0,
            "name": self._shown(frame.get("name", "?")),
        }

    def _shown(self, value: object) -> str:
        # By its type, not by isinstance, which believes a proxy.
        return self.text(value if issubclass(type(value), str) else _repr(value))  # type: ignore[arg-type]


def _is_frames(value: object) -> bool:
    return type(value) is list and all(type(frame) is dict for frame in value)


def _without_the_middle(frames: list[dict[object, object]]) -> Iterable[dict[object, object]]:
    if len(frames) <= MAX_FRAMES:
        return frames
    half = MAX_FRAMES // 2
    gap: dict[object, object] = {"filename": "…", "lineno": 0, "name": f"{len(frames) - 2 * half} frames left out"}
    return [*frames[:half], gap, *frames[-half:]]


def _repr(value: object) -> str:
    try:
        text = repr(value)
    except Exception as error:
        # Its author's business; a log record must not fail for it.
        text = f"<{type(value).__name__} whose repr raised {type(error).__name__}>"
    return text


# ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _iso(value: datetime | date | time) -> str:
    try:
        return value.isoformat()
    except Exception:  # a tzinfo class of the author's
        return _repr(value)


def _moment(value: object) -> datetime | None:
    """A timestamp as a plain datetime in UTC, or None if it is none or lies outside of the years 1 to 9999."""
    try:
        if isinstance(value, str):
            value = parse_timestamp(value)
        if not isinstance(value, datetime):
            return None
        offset = value.utcoffset()
        plain = datetime(
            value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond, timezone.utc
        )
        return plain - offset if offset else plain
    except Exception:  # out of range, or a tzinfo class of the author's
        return None


# ── lines ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def encode_line(record: Mapping[str, object]) -> bytes:
    """Encode a record of `make_record` as one line of JSON, newline included, in plain ASCII."""
    return ("".join(_encode(record, 0)) + "\n").encode("ascii")


def _rfc3339(value: object) -> str:
    if type(value) is not datetime:
        raise TypeError(f"no record holds a value of type {type(value).__name__}: build records with make_record")
    # A record's timestamp is in UTC, so that its last six characters are +00:00.
    return f"{value.isoformat()[:-6]}Z"


# The standard library's encoder without its module around it, which the child would pay for: no check for cycles, since
# records have none, and no NaN.
_encode = make_encoder(None, _rfc3339, encode_basestring_ascii, None, ":", ",", False, False, False)


def decode_line(line: bytes | bytearray) -> dict[str, object]:
    """Read one line of a log socket, whatever it holds.

    Never raises. A line that is no record becomes a record of level ``warning`` with the line's text as its event and
    what is wrong with it as ``problem``; an object without a level, or with an unknown one, stays what it is, at
    ``info``.
    """
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        return _stray(line.decode("utf-8", "backslashreplace"), f"not UTF-8 at byte {error.start}")
    import json  # the supervisor's side, which has it loaded

    try:
        fields = json.loads(text)
    except ValueError as error:
        return _stray(text, f"not JSON: {error}")
    except RecursionError:
        return _stray(text, "not readable: nested too deeply")
    if not isinstance(fields, dict):
        return _stray(text, f"not a JSON object but {_KINDS.get(type(fields), 'a number')}")
    return from_fields(fields)


_KINDS = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}


def _stray(text: str, problem: str) -> dict[str, object]:
    return make_record(text.rstrip("\r\n"), "warning", STRAY_LOGGER, None, {"problem": problem})


# ── levels ────────────────────────────────────────────────────────────────────────────────────────────────────────


def level_of(name: object) -> str | None:
    """The level that a name in any case, or a number as in `logging`, stands for; None if it stands for none.

    ``notset`` and any number below 20 are ``debug``, the lowest level that there is.
    """
    if isinstance(name, str):
        return _LEVEL_OF_NAME.get(name.strip().lower())
    if isinstance(name, int) and not isinstance(name, bool):
        return LEVELS[min(max(name // 10 - 1, 0), 4)]
    return None


def passes(level: str, logger: str, default_level: str, namespace_levels: Mapping[str, str]) -> bool:
    """Whether a record is grave enough to be sent.

    Args:
        level: the record's level, one of `LEVELS`.
        logger: its logger's name; the longest of its dotted prefixes in `namespace_levels` decides.
        default_level: the threshold where no prefix matches.
        namespace_levels: thresholds by logger name, as from `parse_namespace_levels`.
    """
    threshold = default_level
    if namespace_levels:
        prefix = logger
        while prefix:
            if prefix in namespace_levels:
                threshold = namespace_levels[prefix]
                break
            prefix = prefix.rpartition(".")[0]
    return _RANKS[level] >= _RANKS[threshold]


def parse_namespace_levels(text: str) -> tuple[dict[str, str], list[str]]:
    """Read thresholds by logger name: ``"sqlalchemy=INFO, botocore=warning"``, separated by spaces or commas.

    Returns:
        The levels by name (of two entries for one name the last counts), and a sentence for each entry that is wrong.
    """
    levels: dict[str, str] = {}
    problems: list[str] = []
    for entry in text.replace(",", " ").split():
        name, equals, level_name = entry.partition("=")
        level = level_of(level_name)
        if not equals or not name:
            problems.append(f"{entry!r} is not of the form logger=level")
        elif level is None:
            problems.append(f"{level_name!r}, for the logger {name!r}, is no level; use one of {', '.join(LEVELS)}")
        else:
            levels[name] = level
    return levels, problems
