"""The runtime's end: every caller gets its own reply, whatever the others do."""

from __future__ import annotations

import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outboard.comms.channel import Channel
from outboard.errors import (
    ChannelClosedError,
    ForkedProcessError,
    InvalidMessageError,
    LocalProtocolError,
    PeerLostError,
    RemoteProtocolError,
    RequestTimeoutError,
    ServerError,
    UndecodableMessageError,
)
from outboard.protocol import messages as m
from outboard.protocol.frames import encode_frame
from tests.comms.peer import PARSE, Peer, connected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

# Far more than any of these takes; a test that needs it has failed.
SECONDS = 20

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
DONE = m.DagFileParsingResult(fileloc="f", serialized_dags=[])


@contextmanager
def connection(**options: Any) -> Iterator[tuple[Channel, Peer]]:
    channel, peer = connected(**options)
    try:
        yield channel, peer
    finally:
        # The peer first: a call that still waits then ends, instead of keeping its thread.
        peer.end.close()
        channel.close()


@contextmanager
def connection_and_threads(count: int, **options: Any) -> Iterator[tuple[Channel, Peer, ThreadPoolExecutor]]:
    with ThreadPoolExecutor(count) as pool, connection(**options) as (channel, peer):
        yield channel, peer, pool


def get(channel: Channel, key: str, **options: Any) -> object:
    reply = channel.request(m.GetVariable(key=key), **options)
    assert isinstance(reply, m.VariableResult)
    return reply.value


def answer(peer: Peer, request: Any) -> None:
    peer.reply(request.id, m.VariableResult(key=request.message.key, value=f"value of {request.message.key}"))


# ── one caller ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("chunk_size", [None, 1, 5])
def test_the_greeting_is_what_the_supervisor_said(chunk_size: int | None) -> None:
    with connection(chunk_size=chunk_size, greeted=False) as (channel, peer):
        peer.greet()
        assert channel.greeting() == PARSE


@pytest.mark.parametrize("chunk_size", [None, 1, 5])
def test_a_request_returns_its_reply(chunk_size: int | None) -> None:
    with connection_and_threads(1, chunk_size=chunk_size) as (channel, peer, pool):
        value = pool.submit(get, channel, "a")
        request = peer.next_request()
        assert request.message == m.GetVariable(key="a")
        answer(peer, request)
        assert value.result(SECONDS) == "value of a"
        assert channel.requests_sent == 1


def test_an_empty_reply_is_none() -> None:
    with connection_and_threads(1) as (channel, peer, pool):
        reply = pool.submit(channel.request, m.MaskSecret(value="x"))
        peer.reply(peer.next_request().id)
        assert reply.result(SECONDS) is None


def test_an_error_raises_in_the_caller_wherever_it_stands() -> None:
    error = m.ErrorResponse(error="VARIABLE_NOT_FOUND", detail={"key": "a"})
    with connection_and_threads(1) as (channel, peer, pool):
        for where in ("message", "error"):
            reply = pool.submit(get, channel, "a")
            peer.reply(peer.next_request().id, **{where: error})
            with pytest.raises(ServerError) as caught:
                reply.result(SECONDS)
            assert (caught.value.error, caught.value.detail) == ("VARIABLE_NOT_FOUND", {"key": "a"})


def test_an_invalid_message_raises_and_nothing_is_sent() -> None:
    with connection_and_threads(1) as (channel, peer, pool):
        with pytest.raises(InvalidMessageError):
            channel.request(m.GetVariable(key=5))  # type: ignore[arg-type]
        assert channel.requests_sent == 0
        value = pool.submit(get, channel, "a")
        answer(peer, peer.next_request())
        assert value.result(SECONDS) == "value of a"


def test_a_request_before_the_greeting_is_refused() -> None:
    with connection(greeted=False) as (channel, _), pytest.raises(LocalProtocolError):
        channel.request(m.GetVariable(key="a"))


def test_the_report_waits_until_the_supervisor_has_taken_it() -> None:
    with connection_and_threads(1) as (channel, peer, pool):
        report = pool.submit(channel.report, DONE)
        request = peer.next_request()
        assert request.message == DONE
        assert not report.done()
        peer.reply(request.id)
        report.result(SECONDS)


def test_a_report_that_the_supervisor_could_not_pass_on_raises() -> None:
    with connection_and_threads(1) as (channel, peer, pool):
        report = pool.submit(channel.report, DONE)
        peer.reply(peer.next_request().id, error=m.ErrorResponse(error="API_SERVER_ERROR"))
        with pytest.raises(ServerError):
            report.result(SECONDS)


def test_log_records_go_out_among_the_requests() -> None:
    with connection_and_threads(1) as (channel, peer, pool):
        channel.log({"event": "before"})
        value = pool.submit(get, channel, "a")
        answer(peer, peer.next_request())
        value.result(SECONDS)
        channel.log({"event": "after"})
        report = pool.submit(channel.report, DONE)
        peer.reply(peer.next_request().id)
        report.result(SECONDS)
        assert peer.logged == [{"event": "before"}, {"event": "after"}]


# ── replies that are late, wrong, or never come ───────────────────────────────────────────────────────────────────


def test_a_request_without_a_reply_raises_at_its_deadline_and_the_late_reply_is_dropped() -> None:
    with connection_and_threads(1) as (channel, peer, pool):
        with pytest.raises(RequestTimeoutError) as caught:
            channel.request(m.GetVariable(key="slow"), timeout=0)
        assert (caught.value.message, caught.value.seconds) == ("GetVariable", 0)
        late = peer.next_request()
        value = pool.submit(get, channel, "a")
        request = peer.next_request()
        answer(peer, late)
        answer(peer, request)
        assert value.result(SECONDS) == "value of a"


def test_a_deadline_of_the_channel_holds_where_the_call_has_none() -> None:
    with connection(request_timeout=0) as (channel, _), pytest.raises(RequestTimeoutError):
        channel.request(m.GetVariable(key="a"))


def test_a_reply_that_cannot_be_read_fails_only_its_own_call() -> None:
    with connection_and_threads(2) as (channel, peer, pool):
        first = pool.submit(get, channel, "a")
        first_request = peer.next_request()
        second = pool.submit(get, channel, "b")
        second_request = peer.next_request()
        peer.end.send(encode_frame(first_request.id, {"type": "Nonsense"}, None))
        answer(peer, second_request)
        with pytest.raises(UndecodableMessageError):
            first.result(SECONDS)
        assert second.result(SECONDS) == "value of b"


def test_a_broken_frame_fails_every_call_with_its_cause() -> None:
    with connection_and_threads(3) as (channel, peer, pool):
        calls = [pool.submit(get, channel, key) for key in "abc"]
        for _ in calls:
            peer.next_request()
        peer.end.send(bytes(4))
        for call in calls:
            with pytest.raises(RemoteProtocolError, match="empty frame"):
                call.result(SECONDS)
        with pytest.raises(RemoteProtocolError, match="empty frame"):
            get(channel, "later")


# ── the other side goes away ──────────────────────────────────────────────────────────────────────────────────────


def test_a_supervisor_that_leaves_before_the_greeting_is_lost() -> None:
    with connection(greeted=False) as (channel, peer):
        peer.end.close()
        with pytest.raises(PeerLostError, match="before it said what to do"):
            channel.greeting()


def test_a_greeting_that_is_none_is_the_peers_fault() -> None:
    with connection(greeted=False) as (channel, peer):
        peer.end.send(encode_frame(0, {"type": "OKResponse", "ok": True}, None))
        with pytest.raises(RemoteProtocolError, match="the first message is"):
            channel.greeting()


def test_when_the_supervisor_leaves_every_call_and_every_later_one_fails() -> None:
    with connection_and_threads(4) as (channel, peer, pool):
        calls = [pool.submit(get, channel, key) for key in "abcd"]
        for _ in calls:
            peer.next_request()
        peer.end.close()
        for call in calls:
            with pytest.raises(PeerLostError):
                call.result(SECONDS)
        for later in (lambda: get(channel, "e"), lambda: channel.log({"event": "x"}), lambda: channel.report(DONE)):
            with pytest.raises(PeerLostError):
                later()


def test_an_end_inside_a_frame_says_so() -> None:
    with connection_and_threads(1) as (channel, peer, pool):
        call = pool.submit(get, channel, "a")
        request = peer.next_request()
        peer.end.send(encode_frame(request.id, {"type": "OKResponse", "ok": True}, None)[:7])
        peer.end.close()
        with pytest.raises(PeerLostError, match="7 bytes of it came"):
            call.result(SECONDS)


def test_writing_to_a_supervisor_that_is_gone_is_a_lost_peer() -> None:
    with connection() as (channel, peer):
        peer.end.close()
        with pytest.raises(PeerLostError):
            channel.log({"event": "x"})


# ── closing, forking ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_closed_channel_refuses_calls_and_its_peer_sees_the_end() -> None:
    channel, peer = connected()
    channel.close()
    channel.close()
    with pytest.raises(ChannelClosedError):
        get(channel, "a")
    assert peer.end.receive() == b""
    peer.end.close()


def test_a_forked_copy_is_refused_and_the_parents_channel_goes_on() -> None:
    with connection() as (channel, peer):
        child = os.fork()
        if child == 0:
            # Nothing of pytest may run in the copy.
            try:
                channel.request(m.GetVariable(key="stolen"))
            except ForkedProcessError:
                os._exit(17)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 17
        with ThreadPoolExecutor(1) as pool:
            value = pool.submit(get, channel, "a")
            answer(peer, peer.next_request())
            assert value.result(SECONDS) == "value of a"


# ── many callers ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_replies_in_reverse_reach_their_callers() -> None:
    with connection_and_threads(8) as (channel, peer, pool):
        values = {key: pool.submit(get, channel, key) for key in "abcdefgh"}
        requests = [peer.next_request() for _ in values]
        for request in reversed(requests):
            answer(peer, request)
        assert {key: value.result(SECONDS) for key, value in values.items()} == {
            key: f"value of {key}" for key in values
        }


def test_a_reply_that_came_while_nobody_read_is_not_lost() -> None:
    with connection_and_threads(1) as (channel, peer, pool):
        with pytest.raises(RequestTimeoutError):
            channel.request(m.GetVariable(key="given up"), timeout=0)
        answer(peer, peer.next_request())
        value = pool.submit(get, channel, "a")
        answer(peer, peer.next_request())
        assert value.result(SECONDS) == "value of a"


def test_a_large_request_and_a_large_reply_do_not_block_each_other() -> None:
    """A stock supervisor does not read while it writes: somebody must take its reply while our request waits."""
    large = "x" * 4_000_000
    with connection_and_threads(2) as (channel, peer, pool):
        reader = pool.submit(get, channel, "a")
        request = peer.next_request()
        writer = pool.submit(channel.request, m.PutVariable(key="b", value=large, description=None))
        # Not a byte of the second request is read before the whole of this is written.
        peer.reply(request.id, m.VariableResult(key="a", value=large))
        assert reader.result(SECONDS) == large
        peer.reply(peer.next_request().id)
        assert writer.result(SECONDS) is None


class WatchedLock:
    """A lock on which a waiting call sleeps; says that it is about to, and may be kept from it."""

    asleep = threading.Semaphore(0)
    may_sleep: threading.Event

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.locked, self.release = self._lock.locked, self._lock.release

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        if timeout is None:
            return self._lock.acquire(blocking)
        self.asleep.release()
        if timeout == 0:
            assert self.may_sleep.wait(SECONDS)
        return self._lock.acquire(blocking, timeout)


class WatchedPoll:
    """What a reading call waits on; says when somebody does."""

    def __init__(self, readable: Any) -> None:
        self.waits = threading.Semaphore(0)
        self._readable = readable

    def poll(self, milliseconds: float | None) -> Any:
        self.waits.release()
        return self._readable.poll(milliseconds)


def test_a_caller_that_gives_up_when_it_is_its_turn_to_read_wakes_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """One call reads, one sleeps with no time left, one sleeps patiently; the reader is done and wakes the second."""
    with connection_and_threads(3) as (channel, peer, pool):
        monkeypatch.setattr("outboard.comms.channel.allocate_lock", WatchedLock)
        WatchedLock.may_sleep = threading.Event()
        readable = channel._readable = WatchedPoll(channel._readable)
        reader = pool.submit(get, channel, "reader")
        first = peer.next_request()
        assert readable.waits.acquire(timeout=SECONDS)
        impatient = pool.submit(get, channel, "impatient", timeout=0)
        peer.next_request()
        assert WatchedLock.asleep.acquire(timeout=SECONDS)
        patient = pool.submit(get, channel, "patient")
        second = peer.next_request()
        assert WatchedLock.asleep.acquire(timeout=SECONDS)
        answer(peer, first)
        assert reader.result(SECONDS) == "value of reader"
        WatchedLock.may_sleep.set()
        assert isinstance(impatient.exception(SECONDS), RequestTimeoutError)
        answer(peer, second)
        assert patient.result(SECONDS) == "value of patient"


def test_frames_of_many_threads_are_never_mixed() -> None:
    count, each = 6, 200
    with connection_and_threads(count) as (channel, peer, pool):
        start = threading.Barrier(count)

        def log(number: int) -> None:
            start.wait(SECONDS)
            for sequence in range(each):
                channel.log({"event": "x" * (sequence * 7 % 300), "thread": number, "sequence": sequence})

        done = [pool.submit(log, number) for number in range(count)]
        while len(peer.logged) < count * each:
            data = peer.end.receive()
            for event in peer.conversation.receive_data(data):
                peer.logged.append(event.record)  # type: ignore[attr-defined]
        for future in done:
            future.result(SECONDS)
    for number in range(count):
        assert [record["sequence"] for record in peer.logged if record["thread"] == number] == list(range(each))


class Crowd:
    """Threads and coroutines that each make some calls, one after the other, and check that each reply is theirs."""

    def __init__(self, channel: Channel, thread_calls: list[int], coroutine_calls: list[int]) -> None:
        self.channel = channel
        self.thread_calls = thread_calls
        self.coroutine_calls = coroutine_calls

    def start(self, pool: ThreadPoolExecutor) -> list[Future[None]]:
        futures = [pool.submit(self._call, f"thread {at}", calls) for at, calls in enumerate(self.thread_calls)]
        return [*futures, pool.submit(anyio.run, self._call_all)]

    def _call(self, name: str, calls: int) -> None:
        for number in range(calls):
            assert get(self.channel, f"{name}, {number}") == f"value of {name}, {number}"

    async def _call_all(self) -> None:
        async with anyio.create_task_group() as tasks:
            for at, calls in enumerate(self.coroutine_calls):
                tasks.start_soon(self._call_async, f"coroutine {at}", calls)

    async def _call_async(self, name: str, calls: int) -> None:
        for number in range(calls):
            reply = await self.channel.request_async(m.GetVariable(key=f"{name}, {number}"))
            assert isinstance(reply, m.VariableResult)
            assert reply.value == f"value of {name}, {number}"


@pytest.mark.property
@given(
    thread_calls=st.lists(st.integers(1, 4), max_size=4),
    coroutine_calls=st.lists(st.integers(1, 4), max_size=4),
    chunk_size=st.none() | st.integers(1, 200),
    seed=st.integers(0, 2**32),
)
def test_any_interleaving_of_threads_and_coroutines_gets_each_caller_its_own_reply(
    thread_calls: list[int], coroutine_calls: list[int], chunk_size: int | None, seed: int
) -> None:
    order = random.Random(seed)
    left = {f"thread {at}": calls for at, calls in enumerate(thread_calls)}
    left |= {f"coroutine {at}": calls for at, calls in enumerate(coroutine_calls)}
    with connection_and_threads(len(thread_calls) + 1, chunk_size=chunk_size) as (channel, peer, pool):
        done = Crowd(channel, thread_calls, coroutine_calls).start(pool)
        waiting: dict[str, Any] = {}
        while left:
            # Whoever has a call left and no reply yet has asked, or will; wait for all of them, then answer some.
            while len(waiting) < len(left):
                request = peer.next_request()
                waiting[request.message.key.partition(",")[0]] = request  # type: ignore[attr-defined]
            chosen = order.sample(sorted(waiting), order.randint(1, len(waiting)))
            for name in chosen:
                answer(peer, waiting.pop(name))
                left[name] -= 1
            left = {name: calls for name, calls in left.items() if calls}
        for future in done:
            future.result(SECONDS)


@pytest.mark.anyio
async def test_a_cancelled_call_leaves_the_event_loop_free_and_drops_its_late_reply() -> None:
    with connection() as (channel, peer):
        with anyio.fail_after(SECONDS):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(channel.request_async, m.GetVariable(key="abandoned"))
                abandoned = await anyio.to_thread.run_sync(peer.next_request)
                tasks.cancel_scope.cancel()
            # The thread that waited for the reply goes on until it has one.
            answer(peer, abandoned)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self_answering, peer)
                reply = await channel.request_async(m.GetVariable(key="a"))
        assert isinstance(reply, m.VariableResult)
        assert reply.value == "value of a"


async def self_answering(peer: Peer) -> None:
    answer(peer, await anyio.to_thread.run_sync(peer.next_request))
