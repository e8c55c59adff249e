"""Every error that outboard itself raises.

What a *task author* raises or catches (``AirflowException`` and its kin) is in `outboard.sdk.exceptions`.
This module knows no other module of the package, and the child imports it: nothing here may cost an import.

::

    OutboardError
    ├── UsageError                  the caller asked for something that cannot be; the message says what to do
    ├── ProtocolError
    │   ├── LocalProtocolError      we were about to break the protocol; nothing was sent
    │   │   └── InvalidMessageError     one field of one message is wrong: message, field, rule
    │   └── RemoteProtocolError     the peer broke it
    │       ├── FrameTooLargeError      a length prefix, or a frame of ours, above the limit
    │       └── UndecodableMessageError the frame is sound, its body is no message that we know
    ├── ChannelError                a request got no reply, through no fault of the request
    │   ├── PeerLostError               the other side is gone
    │   ├── RequestTimeoutError         no reply within the deadline (also a `TimeoutError`)
    │   ├── ForkedProcessError          the channel was used in a forked copy of its process
    │   ├── InterruptedCallError        a signal handler used it in the middle of a call that it interrupts
    │   └── ChannelClosedError          used after the terminal message, or after close
    ├── ServerError                 the supervisor answered with an ErrorResponse: error, detail
    ├── SerializationError          a value that the wire or an XCom cannot carry: path, reason
    ├── LoadError                   an author's file cannot be loaded: file, and the cause
    ├── BundleError                 a bundle that cannot be packed, read, deployed …
    │   └── DamagedBundleError          … or is not what was packed: file, region, problem, advice
    ├── EnvironmentBuildError       an interpreter or a set of requirements that cannot be had
    └── MissingLibraryError         something takes a library that the environment lacks: library, extra (also an `ImportError`)
"""

from __future__ import annotations

__all__ = (
    "BundleError",
    "ChannelClosedError",
    "ChannelError",
    "DamagedBundleError",
    "EnvironmentBuildError",
    "ForkedProcessError",
    "FrameTooLargeError",
    "InterruptedCallError",
    "InvalidMessageError",
    "LoadError",
    "LocalProtocolError",
    "MissingLibraryError",
    "OutboardError",
    "PeerLostError",
    "ProtocolError",
    "RemoteProtocolError",
    "RequestTimeoutError",
    "SerializationError",
    "ServerError",
    "UndecodableMessageError",
    "UsageError",
)


class OutboardError(Exception):
    """The root. Its text is one sentence for a person: what was wrong, where, and what to do."""


class UsageError(OutboardError):
    """Wrong arguments, options or combinations of them."""


class ProtocolError(OutboardError):
    """One of the two sides broke the protocol."""


class LocalProtocolError(ProtocolError):
    """Sending this would have broken the protocol, so it was not sent."""


class InvalidMessageError(LocalProtocolError):
    """A message of ours has a field that its schema refuses.

    Attributes:
        message: the message's type, such as ``"SetXCom"``.
        field: the path of the field, such as ``"value.rows[3]"``.
        rule: what the schema wants there, and what it got.
    """

    def __init__(self, message: str, field: str, rule: str) -> None:
        super().__init__(f"{message}.{field}: {rule}" if field else f"{message}: {rule}")
        self.message = message
        self.field = field
        self.rule = rule


class RemoteProtocolError(ProtocolError):
    """The peer sent what the protocol does not allow."""


class FrameTooLargeError(RemoteProtocolError):
    """A frame above the limit. Attributes: size and limit, in bytes."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"a frame of {size} bytes is above the limit of {limit}; send less, or raise the limit")
        self.size = size
        self.limit = limit


class UndecodableMessageError(RemoteProtocolError):
    """A sound frame whose body is not a message of the catalogue.

    Attributes:
        message: the type that the body named, or ``"?"``.
        field: the path of the offending field, or ``""``.
        rule: what the schema wants there, and what it got.
    """

    def __init__(self, message: str, field: str, rule: str) -> None:
        super().__init__(f"{message}.{field}: {rule}" if field else f"{message}: {rule}")
        self.message = message
        self.field = field
        self.rule = rule


class ChannelError(OutboardError):
    """A request did not get its reply."""


class PeerLostError(ChannelError):
    """The supervisor (or, for a supervisor, the task's process) is gone."""


class RequestTimeoutError(ChannelError, TimeoutError):
    """No reply within the deadline. Attributes: message (the request's type) and seconds."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(f"{message}: the supervisor did not answer within {seconds:g} seconds")
        self.message = message
        self.seconds = seconds


class ForkedProcessError(ChannelError):
    """A forked copy of the task's process used its channel: replies would go to the wrong process."""


class InterruptedCallError(ChannelError):
    """A signal handler or a finalizer asked in the middle of another call of its own thread.

    Attributes:
        message: the request's type.
    """

    def __init__(self, message: str) -> None:
        super().__init__(
            f"{message}: a signal handler or finalizer cannot ask in the middle of a call that it has interrupted; "
            "set a flag in it, and ask in the task's body"
        )
        self.message = message


class ChannelClosedError(ChannelError):
    """The channel is closed, or has carried the terminal message."""


class ServerError(OutboardError):
    """The supervisor answered a request with an error.

    Attributes:
        error: one of the schema's error types, such as ``"VARIABLE_NOT_FOUND"``.
        detail: what the supervisor adds, a mapping or None.
    """

    def __init__(self, error: str, detail: dict[str, object] | None = None) -> None:
        super().__init__(f"{error}: {detail}" if detail else error)
        self.error = error
        self.detail = detail


class SerializationError(OutboardError, ValueError):
    """A value that cannot be carried. Attributes: path (such as ``"rows[3].when"``) and reason."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path or 'the value'}: {reason}")
        self.path = path
        self.reason = reason


class LoadError(OutboardError):
    """An author's file cannot be loaded, or what it declares is wrong."""


class BundleError(OutboardError):
    """A bundle is damaged, or cannot be packed, read or deployed."""


class DamagedBundleError(BundleError):
    """A file that is not the bundle which was packed.

    Attributes:
        file: the file, as the caller named it.
        region: the part that is wrong, such as ``"trailer"`` or ``"zip directory"``.
        problem: what is wrong there.
        advice: what to do.
    """

    def __init__(self, file: str, region: str, problem: str, advice: str) -> None:
        super().__init__(f"{file} is damaged: {region}: {problem}; {advice}")
        self.file = file
        self.region = region
        self.problem = problem
        self.advice = advice


class EnvironmentBuildError(OutboardError):
    """No interpreter fits, or the requirements cannot be installed together."""


class MissingLibraryError(OutboardError, ImportError):
    """The author's code makes use of something that takes a library which is not in the environment.

    Attributes:
        library: the library's project name.
        extra: the extra of outboard's that brings it.
        purpose: what takes it.
    """

    def __init__(self, library: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} takes the library {library}, which this environment has not got; "
            f"add outboard[{extra}] to it, or {library} to the file's dependencies"
        )
        self.library = library
        self.extra = extra
        self.purpose = purpose

    def of(self, owner: str) -> MissingLibraryError:
        """The same error, which says whose purpose that is."""
        return MissingLibraryError(self.library, self.extra, f"{self.purpose} of {owner}")
