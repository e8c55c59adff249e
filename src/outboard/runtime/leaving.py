"""How a process ends that has done its work: what the author is owed first, then at once.

The interpreter's own way out costs milliseconds, and under Airflow it also loses a race (see `_hold_stderr`). Must not know
why the process ends.
"""

from __future__ import annotations

import atexit
import posix
import sys
from select import POLLIN, poll

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ("leave",)

# How compiled modules are called on the systems that bundles run on.
COMPILED = ".so"

# Its compiled code prints nothing.
OUR_LIBRARY = "msgpack"


def leave(code: int, *, holds_stderr: bool = False) -> NoReturn:
    """Join threads, call exit functions, flush output, and end the process.

    Args:
        code: the exit code.
        holds_stderr: whether a copy of the process keeps stderr open until it is gone; see `_hold_stderr`.
    """
    for step in (_join_threads, atexit._run_exitfuncs, _flush_streams, _flush_c_streams):
        try:  # noqa: SIM105  # contextlib is not the child's to load
            step()
        except BaseException:  # nothing may keep a finished process
            pass
    if holds_stderr:
        _hold_stderr()
    posix._exit(code)


def _join_threads() -> None:
    threading = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()


def _flush_streams() -> None:
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        if stream is not None and not stream.closed:
            stream.flush()


def _flush_c_streams() -> None:
    """Flush what C code has printed and the C library still holds: no one else will, since its exit is not called.

    It costs a few milliseconds to load `ctypes`, so only where such code can be.
    """
    if "ctypes" not in sys.modules and not any(map(_is_foreign_code, tuple(sys.modules))):
        return
    import ctypes

    ctypes.CDLL(None).fflush(None)


def _is_foreign_code(name: str) -> bool:
    """Whether a module is compiled, and neither Python's own nor ours."""
    package = name.partition(".")[0]
    if package in sys.stdlib_module_names or package == OUR_LIBRARY:
        return False
    # Past the module's own __getattr__, which may load something.
    file = getattr(sys.modules.get(name), "__dict__", {}).get("__file__")
    return isinstance(file, str) and file.endswith(COMPILED)


def _hold_stderr() -> None:
    """Keep one descriptor open until this process can be reaped.

    Airflow's supervisor looks for the exit of the process only when a descriptor has something to tell. When the last of
    them closes a moment before the process can be reaped, it sleeps through a whole heartbeat interval, five seconds. So a
    copy of this process outlives it by a blink, with nothing but stderr open: its end is the event that the supervisor
    needs. Without it, one task in five and more ends late.
    """
    try:
        end, moment = _end_of_this_process()
        if posix.fork():
            return
        posix.dup2(end, 0)
        posix.close(1)
        posix.closerange(3, 1 << 16)
        waiting = poll()
        waiting.register(0, POLLIN)
        waiting.poll()
        if moment:
            from time import sleep

            sleep(moment)
    except OSError:
        return
    posix._exit(0)


def _end_of_this_process() -> tuple[int, float]:
    """A descriptor that has something to tell when this process ends, and how long to wait then, in seconds."""
    try:
        # Tells exactly when the process can be reaped, however busy the machine is.
        return posix.pidfd_open(posix.getpid()), 0.0
    except OSError:
        # Linux before 5.3, or a sandbox that does not know the call. Descriptors are closed shortly before a process can be
        # reaped; on a machine with more to do than processors, one in some hundred times not shortly enough.
        reading, _held = posix.pipe()
        return reading, 0.002
