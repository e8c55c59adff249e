"""Keeps what interrupts a thread from cutting a frame in two, or from waiting for a lock that the thread itself holds.

A signal handler and a finalizer run in the middle of whatever their thread is doing: also between the two writes of one
frame, while the thread holds the channel's locks. The channels shield such stretches. Inside of one, a handler's work is
noted by `Interrupts.postpone` and done when the thread leaves its outermost shield; so is what a finalizer wants to log.

Each thread has shields of its own: one that reads holds back nothing of one that writes. A wait for somebody else is no
such stretch, and would keep a SIGTERM waiting; `Interrupts.lifted` opens the shield for as long as it lasts.
"""

from __future__ import annotations

from _thread import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    R = TypeVar("R")

__all__ = ("Interrupts",)


class Interrupts:
    """Used as a context manager around a stretch that must not be interrupted; nests.

    A handler may raise in any call and at the beginning of any function, and nowhere else. So between a call and the
    statement that relies on it, the state below is sound either way.
    """

    __slots__ = ("_at_end", "_depths", "_postponed", "_waits")

    def __init__(self) -> None:
        self._depths: dict[int, int] = {}  # by thread; without an entry outside of all shields
        self._postponed: dict[int, list[tuple[Callable[..., object], tuple[object, ...]]]] = {}
        self._at_end: dict[int, tuple[BaseException, Callable[[], object]]] = {}
        self._waits: dict[int, bool] = {}  # the threads that wait with their shield open

    def __enter__(self) -> None:
        me = get_ident()
        self._depths[me] = self._depths.get(me, 0) + 1

    def __exit__(self, *exc_info: object) -> None:
        me = get_ident()
        depth = self._depths[me] - 1
        if depth:
            self._depths[me] = depth
            return
        del self._depths[me]
        if self._at_end:
            found = self._at_end.pop(me, None)
            if found is not None:
                found[1]()
        if self._postponed:
            self._catch_up(me)

    @property
    def is_shielded(self) -> bool:
        """Whether this thread is inside of a shield; then whoever asks has interrupted it there."""
        return get_ident() in self._depths

    def postpone(self, call: Callable[..., object], *arguments: object) -> bool:
        """Inside of a shield, note a call for its end, and return True. Outside do nothing, and return False."""
        me = get_ident()
        if me not in self._depths:
            return False
        self._postponed.setdefault(me, []).append((call, arguments))
        return True

    def call_at_end(self, error: BaseException, call: Callable[[], object]) -> bool:
        """Inside of a shield, note a call for its very end, and return True. Outside do nothing, and return False.

        Unlike what is postponed, the call is not made before a wait: there and in the middle of one, `error` is raised. So
        the call may itself talk to whoever is waited for. One call at a time; for signal handlers.
        """
        me = get_ident()
        if me in self._waits:
            self._at_end[me] = (error, call)
            raise error
        if me not in self._depths:
            return False
        self._at_end[me] = (error, call)
        return True

    def throw(self, error: BaseException) -> None:
        """Raise ``error`` now, or as soon as this thread leaves its shield. For signal handlers."""
        if not self.postpone(_raise, error):
            raise error

    def lifted(self, wait: Callable[..., R], *arguments: Any) -> R:
        """Call what waits for somebody else with the shield open: what interrupts it does so at once.

        To be called inside of a shield.
        """
        me = get_ident()
        depth = self._depths[me]
        try:
            del self._depths[me]
            self._catch_up(me)
            self._waits[me] = True
            if me in self._at_end:
                raise self._at_end[me][0]
            return wait(*arguments)
        finally:
            self._depths[me] = depth
            if me in self._waits:
                del self._waits[me]

    def after_fork(self) -> None:
        """In a forked copy of the process there are no other threads, and their numbers may be given out again."""
        me = get_ident()
        for state in (self._depths, self._postponed, self._at_end, self._waits):
            for thread in [thread for thread in state if thread != me]:
                del state[thread]

    def _catch_up(self, me: int) -> None:
        calls = self._postponed.get(me)
        while calls:
            call, arguments = calls.pop(0)
            call(*arguments)  # what comes after one that raises is done at the next opportunity
        self._postponed.pop(me, None)


def _raise(error: BaseException) -> None:
    raise error
