"""The supervisor's end of an exchange, over streams in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from outboard.comms import serving
from outboard.comms.in_memory import MemoryStream, stream_pair
from outboard.comms.serving import ServingChannel
from outboard.errors import InvalidMessageError, LocalProtocolError
from outboard.protocol import messages as m
from outboard.protocol import states
from outboard.protocol.conversation import RUNTIME, Conversation
from outboard.protocol.events import Broken, Greeting, InvalidRequest, LogRecord, PeerClosed, Reply, Request

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]

GREETING = m.DagFileParseRequest(file="d.py", bundle_path="/b", bundle_name="b", callback_requests=[])


class Runtime:
    """The other end: sends and receives through a conversation of its own."""

    def __init__(self, stream: MemoryStream) -> None:
        self.stream = stream
        self.conversation = Conversation(RUNTIME)
        self._events: list[Any] = []

    async def event(self) -> Any:
        while not self._events:
            self._events += self.conversation.receive_data(await self.stream.receive())
        return self._events.pop(0)

    async def send(self, message: m.Message) -> int:
        request_id, data = self.conversation.send_request(message)
        await self.stream.send(data)
        return request_id


@asynccontextmanager
async def exchange(**options: Any) -> AsyncIterator[tuple[ServingChannel, Runtime]]:
    ours, theirs = stream_pair(**options)
    async with ServingChannel(ours, ours) as channel:
        yield channel, Runtime(theirs)


async def greeted(channel: ServingChannel, runtime: Runtime) -> None:
    channel.greet(GREETING)
    assert await runtime.event() == Greeting(GREETING)


@pytest.mark.parametrize("chunk_size", [None, 1, 7])
async def test_a_request_arrives_and_its_reply_goes_back(chunk_size: int | None) -> None:
    async with exchange(chunk_size=chunk_size) as (channel, runtime):
        await greeted(channel, runtime)
        request_id = await runtime.send(m.GetVariable(key="x"))
        events = channel.events()
        assert await anext(events) == Request(request_id, m.GetVariable(key="x"))
        channel.reply(request_id, m.VariableResult(key="x", value="1"))
        assert await runtime.event() == Reply(request_id, m.VariableResult(key="x", value="1"), None)


async def test_log_records_and_invalid_requests_are_events() -> None:
    async with exchange() as (channel, runtime):
        await greeted(channel, runtime)
        await runtime.stream.send(runtime.conversation.send_log({"event": "hi", "level": "info", "logger": "l"}))
        await runtime.stream.send(b"\x00\x00\x00\x03\x92\x07\xc0")
        events = channel.events()
        assert await anext(events) == LogRecord({"event": "hi", "level": "info", "logger": "l"})
        invalid = await anext(events)
        assert isinstance(invalid, InvalidRequest)
        assert invalid.id == 7


async def test_the_end_of_the_stream_is_the_last_event() -> None:
    async with exchange() as (channel, runtime):
        await greeted(channel, runtime)
        await runtime.stream.send(b"\x00\x00")
        await runtime.stream.aclose()
        assert [event async for event in channel.events()] == [PeerClosed(states.PARSING, 2)]
        assert channel.state == states.LOST


async def test_a_broken_frame_is_the_last_event() -> None:
    async with exchange() as (channel, runtime):
        await greeted(channel, runtime)
        await runtime.stream.send(b"\x00\x00\x00\x00 and more")
        (broken,) = [event async for event in channel.events()]
        assert isinstance(broken, Broken)


async def test_reading_goes_on_while_a_reply_cannot_be_written() -> None:
    async with exchange(capacity=100) as (channel, runtime):
        await greeted(channel, runtime)
        events = channel.events()
        for key in ("a", "b", "c"):
            with anyio.fail_after(5):
                request_id = await runtime.send(m.GetVariable(key=key))
                assert await anext(events) == Request(request_id, m.GetVariable(key=key))
            channel.reply(request_id, m.VariableResult(key=key, value="v" * 1_000))
        assert channel.unwritten == 3
        for request_id in (1, 2, 3):
            assert (await runtime.event()).id == request_id
        await channel.flush()
        assert channel.unwritten == 0


async def test_a_peer_that_never_reads_is_given_up_though_it_says_nothing_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving, "MAX_UNREAD_BYTES", 5_000)
    async with exchange(capacity=100) as (channel, runtime):
        await greeted(channel, runtime)
        events = channel.events()
        async with anyio.create_task_group() as tasks:
            seen: list[Any] = []

            async def read() -> None:
                seen.extend([event async for event in events])

            tasks.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            for _ in range(6):
                channel.reply(1, m.VariableResult(key="x", value="v" * 1_000))
        (broken,) = seen
        assert "does not read the replies" in str(broken.error)
        assert channel.unwritten == 0


async def test_a_single_reply_may_be_as_large_as_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "MAX_UNREAD_BYTES", 5_000)
    async with exchange() as (channel, runtime):
        await greeted(channel, runtime)
        request_id = await runtime.send(m.GetVariable(key="x"))
        assert isinstance(await anext(channel.events()), Request)
        channel.reply(request_id, m.VariableResult(key="x", value="v" * 50_000))
        assert len((await runtime.event()).message.value) == 50_000


async def test_a_peer_that_is_gone_makes_replies_pointless_and_not_an_error() -> None:
    async with exchange() as (channel, runtime):
        await greeted(channel, runtime)
        runtime.stream.sever()
        channel.reply(1)
        with anyio.fail_after(5):
            await channel.flush()
        channel.reply(2)
        assert channel.unwritten == 0


async def test_a_reply_that_its_schema_refuses_is_not_sent() -> None:
    async with exchange() as (channel, runtime):
        await greeted(channel, runtime)
        with pytest.raises(InvalidMessageError, match=r"VariableResult\.value"):
            channel.reply(1, m.VariableResult(key="x", value=1))  # type: ignore[arg-type]
        assert channel.unwritten == 0


async def test_a_second_greeting_is_not_sent() -> None:
    async with exchange() as (channel, runtime):
        await greeted(channel, runtime)
        with pytest.raises(LocalProtocolError):
            channel.greet(GREETING)


async def test_leaving_drops_what_nobody_reads() -> None:
    with anyio.fail_after(5):
        async with exchange(capacity=10) as (channel, _):
            channel.greet(GREETING)
