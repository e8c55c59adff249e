"""What the first and the last record of each task say: which code it was, and what it took."""

from __future__ import annotations

import posix
import sys
from time import process_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from outboard.comms.channel import Channel
    from outboard.runtime.bundle import Bundle

__all__ = ("beginning", "end")


def beginning(bundle: Bundle) -> dict[str, object]:
    """The bundle, its digest, what was packed into it, and the Python that runs it."""
    return {"bundle": bundle.name, "digest": bundle.digest, "python": sys.version.partition(" ")[0], **bundle.about}


def end(channel: Channel) -> dict[str, object]:
    """Seconds of CPU, the peak of resident memory in bytes (None where the system does not tell), and requests sent."""
    return {
        "cpu_seconds": round(process_time(), 3),
        "peak_memory": _peak_memory(),
        "requests": channel.requests_sent,
    }


def _peak_memory() -> int | None:
    # Not getrusage: what it tells of a child begins with the peak of the parent that forked it.
    try:
        status = posix.open("/proc/self/status", posix.O_RDONLY | posix.O_CLOEXEC)
    except OSError:
        return None
    try:
        _, _, rest = posix.read(status, 4096).partition(b"VmHWM:")
    finally:
        posix.close(status)
    number = rest.split(None, 1)[0] if rest else b""
    return int(number) * 1024 if number.isdigit() else None
