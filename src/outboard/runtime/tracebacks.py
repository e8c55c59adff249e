"""Exceptions as data, and which frames of a traceback are the author's. Loaded when something has gone wrong."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

__all__ = ("MAX_MEMBERS", "exception_chain", "is_machinery", "message_of", "report_of")

# Of one group of exceptions: a hundred downloads that fail all fail alike, and a record holds few exceptions.
MAX_MEMBERS = 10

_LOADERS = ("importlib", "runpy", "zipimport")


def is_machinery(filename: str) -> bool:
    """Whether code of this file (as its code object names it) is the interpreter's import machinery, or ours."""
    if filename.startswith((_OURS, "<frozen ")):
        return True
    return any(name in _LOADERS for name in filename.split("/")[-2:])


# Everything of this package lies below one folder, on the disk as in a bundle.
_OURS = is_machinery.__code__.co_filename.rpartition("/runtime/")[0] + "/"


def exception_chain(error: BaseException) -> list[dict[str, object]]:
    """The exception and what it came from, the last one first, in the form that Airflow's log page shows.

    Each is ``{"exc_type", "exc_value", "frames": [{"filename", "lineno", "name"}, …], …}``, without frames of ours. What
    a group holds follows it, with a note that says so: Airflow's log page shows nothing of what is nested.
    """
    return _chain(error, set())


def message_of(error: BaseException) -> str:
    """What the exception says of itself; never raises, whatever its author has made of ``__str__``."""
    try:
        return str(error)
    except Exception as trouble:
        return f"<{type(error).__name__} whose str raised {type(trouble).__name__}>"


def _chain(error: BaseException, seen: set[int]) -> list[dict[str, object]]:
    chain: list[dict[str, object]] = []
    link: BaseException | None = error
    is_cause = False
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        members = _members(link)
        notes = getattr(link, "__notes__", ())
        chain.append(
            {
                "exc_type": type(link).__name__,
                "exc_value": message_of(link),
                "exc_notes": list(notes) if isinstance(notes, (list, tuple)) else [],
                "syntax_error": None,
                "is_cause": is_cause,
                "frames": _frames(link.__traceback__),
                "is_group": bool(members),
                "exceptions": [],
            }
        )
        chain += _of_members(members, seen)
        is_cause = link.__cause__ is not None
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return chain


def _of_members(members: tuple[BaseException, ...], seen: set[int]) -> list[dict[str, object]]:
    chains: list[dict[str, object]] = []
    for number, member in enumerate(members[:MAX_MEMBERS], 1):
        chain = _chain(member, seen)
        if chain:
            note = f"exception {number} of {len(members)} in the group above"
            chain[0]["exc_notes"] = [note, *chain[0]["exc_notes"]]  # type: ignore[misc]
        chains += chain
    return chains


def _members(error: BaseException) -> tuple[BaseException, ...]:
    """The exceptions of a group, also of the group that older Pythons get from a library; none of another exception."""
    members = getattr(error, "exceptions", ())
    is_group = isinstance(members, tuple) and all(isinstance(each, BaseException) for each in members)
    return members if is_group else ()


def _frames(traceback: TracebackType | None) -> list[dict[str, object]]:
    frames: list[dict[str, object]] = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not is_machinery(code.co_filename):
            frames.append({"filename": code.co_filename, "lineno": traceback.tb_lineno, "name": code.co_name})
        traceback = traceback.tb_next
    return frames


def report_of(error: BaseException) -> str:
    """The traceback as Python prints it, without the frames that are machinery, in the causes too."""
    import traceback

    trimmed = traceback.TracebackException(type(error), error, _authors_part(error.__traceback__), compact=True)
    _trim_chain(trimmed)
    return "".join(trimmed.format()).rstrip()


def _trim_chain(report: object) -> None:
    # The cause and the context of an exception have tracebacks of their own.
    for linked in (getattr(report, "__cause__", None), getattr(report, "__context__", None)):
        if linked is not None:
            linked.stack[:] = [frame for frame in linked.stack if not is_machinery(frame.filename)]
            _trim_chain(linked)


def _authors_part(trace: TracebackType | None) -> TracebackType | None:
    if trace is None:
        return None
    rest = _authors_part(trace.tb_next)
    if is_machinery(trace.tb_frame.f_code.co_filename):
        return rest
    from types import TracebackType

    return TracebackType(rest, trace.tb_frame, trace.tb_lasti, trace.tb_lineno)
