"""Ends in memory: they behave as pipes and sockets do, but for their clock, which is the test's."""

from __future__ import annotations

import os

import anyio
import pytest

from outboard.comms.in_memory import DEFAULT_CAPACITY, descriptor_pair, stream_pair

pytestmark = pytest.mark.anyio


# ── anyio streams ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_sent_arrives_at_the_other_end() -> None:
    near, far = stream_pair()
    with anyio.fail_after(5):
        await near.send(b"there")
        await far.send(b"back")
        assert (await far.receive(), await near.receive()) == (b"there", b"back")


async def test_a_receive_takes_no_more_than_it_asks_for() -> None:
    near, far = stream_pair()
    with anyio.fail_after(5):
        await near.send(b"abc")
        assert [await far.receive(2), await far.receive(2)] == [b"ab", b"c"]


async def test_chunks_cut_what_was_sent_together() -> None:
    near, far = stream_pair(chunk_size=2)
    with anyio.fail_after(5):
        await near.send(b"abcde")
        assert [await far.receive() for _ in range(3)] == [b"ab", b"cd", b"e"]


async def test_a_receive_waits_for_something() -> None:
    near, far = stream_pair()
    got: list[bytes] = []

    async def receive() -> None:
        got.append(await far.receive())

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(receive)
            await anyio.wait_all_tasks_blocked()
            assert got == []
            await near.send(b"x")
    assert got == [b"x"]


async def test_what_is_held_does_not_arrive_until_it_is_released() -> None:
    near, far = stream_pair()
    far.hold()
    await near.send(b"x")
    await near.send_eof()
    assert far.arrived == 0
    with anyio.move_on_after(0) as waiting:
        await far.receive()
    assert waiting.cancelled_caught
    far.release()
    assert far.arrived == 1
    with anyio.fail_after(5):
        assert await far.receive() == b"x"
        with pytest.raises(anyio.EndOfStream):
            await far.receive()


async def test_a_sender_waits_while_a_full_buffer_is_unread() -> None:
    near, far = stream_pair(capacity=4)
    done = anyio.Event()

    async def send() -> None:
        await near.send(b"123456")
        done.set()

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            await anyio.wait_all_tasks_blocked()
            assert far.arrived == 4
            assert not done.is_set()
            assert await far.receive() == b"1234"
            await done.wait()
            assert await far.receive() == b"56"


async def test_a_closed_end_gives_its_peer_the_rest_and_then_the_end() -> None:
    near, far = stream_pair()
    with anyio.fail_after(5):
        await near.send(b"x")
        await near.aclose()
        assert await far.receive() == b"x"
        with pytest.raises(anyio.EndOfStream):
            await far.receive()
        with pytest.raises(anyio.BrokenResourceError):
            await far.send(b"nobody reads this")


async def test_a_closed_end_is_of_no_more_use() -> None:
    near, _ = stream_pair()
    await near.aclose()
    await near.aclose()
    with pytest.raises(anyio.ClosedResourceError):
        await near.receive()
    with pytest.raises(anyio.ClosedResourceError):
        await near.send(b"x")


async def test_after_its_end_of_stream_an_end_still_receives() -> None:
    near, far = stream_pair()
    with anyio.fail_after(5):
        await near.send_eof()
        await far.send(b"x")
        assert await near.receive() == b"x"
    with pytest.raises(anyio.ClosedResourceError):
        await near.send(b"x")


async def test_a_severed_connection_is_broken_for_both_and_what_was_under_way_is_lost() -> None:
    near, far = stream_pair()
    await near.send(b"x")
    near.sever()
    for end in (near, far):
        with pytest.raises(anyio.BrokenResourceError):
            await end.receive()
        with pytest.raises(anyio.BrokenResourceError):
            await end.send(b"x")


async def test_closing_ends_wake_those_who_wait() -> None:
    near, far = stream_pair(capacity=1)
    seen: list[str] = []

    async def receive() -> None:
        with pytest.raises(anyio.EndOfStream):
            await near.receive()
        seen.append("receiver")

    async def send() -> None:
        with pytest.raises(anyio.BrokenResourceError):
            await near.send(b"too much")
        seen.append("sender")

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(receive)
            tasks.start_soon(send)
            await anyio.wait_all_tasks_blocked()
            await far.aclose()
    assert sorted(seen) == ["receiver", "sender"]


# ── descriptors ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_descriptors_are_joined_in_both_directions() -> None:
    near, far = descriptor_pair()
    near.send(b"there")
    far.send(b"back")
    assert (far.receive(), near.receive()) == (b"there", b"back")
    near.close()
    assert far.receive() == b""
    far.close()


def test_chunks_arrive_one_at_a_time_however_much_is_asked_for() -> None:
    near, far = descriptor_pair(chunk_size=2)
    near.send(b"abcde")
    assert [os.read(far.read_fd, DEFAULT_CAPACITY) for _ in range(3)] == [b"ab", b"cd", b"e"]
    near.close()
    assert far.receive() == b""
    far.close()


def test_detached_descriptors_are_left_open() -> None:
    near, far = descriptor_pair()
    reading, writing = near.detach()
    near.close()
    far.send(b"x")
    assert os.read(reading, 9) == b"x"
    for descriptor in (reading, writing):
        os.close(descriptor)
    far.close()
