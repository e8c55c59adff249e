"""anyio streams over the parent's ends of pipes."""

from __future__ import annotations

import os
from collections.abc import Iterator

import anyio
import pytest

from outboard.comms.descriptors import DescriptorReader, DescriptorWriter

pytestmark = pytest.mark.anyio


@pytest.fixture
def ends() -> Iterator[tuple[DescriptorReader, DescriptorWriter]]:
    read, write = os.pipe()
    reader, writer = DescriptorReader(read), DescriptorWriter(write)
    yield reader, writer
    reader.close()
    writer.close()


Ends = tuple[DescriptorReader, DescriptorWriter]


async def test_what_is_written_is_read(ends: Ends) -> None:
    reader, writer = ends
    await writer.send(b"hello")
    assert await reader.receive() == b"hello"


async def test_more_than_the_pipe_holds_is_written_as_it_is_read(ends: Ends) -> None:
    reader, writer = ends
    data = os.urandom(1_000_000)
    found = bytearray()
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(writer.send, data)
            while len(found) < len(data):
                found += await reader.receive()
    assert found == data


async def test_a_closed_other_side_is_the_end_for_a_reader_and_an_error_for_a_writer(ends: Ends) -> None:
    reader, writer = ends
    reader.close()
    with pytest.raises(anyio.BrokenResourceError):
        await writer.send(b"x")
    reader, writer = map_pipe()
    await writer.send(b"last")
    writer.close()
    assert await reader.receive() == b"last"
    with pytest.raises(anyio.EndOfStream):
        await reader.receive()
    reader.close()


def map_pipe() -> Ends:
    read, write = os.pipe()
    return DescriptorReader(read), DescriptorWriter(write)


async def test_a_closed_stream_says_so_and_may_be_closed_again(ends: Ends) -> None:
    reader, writer = ends
    for _ in range(2):
        await reader.aclose()
        await writer.aclose()
    with pytest.raises(anyio.ClosedResourceError):
        await reader.receive()
    with pytest.raises(anyio.ClosedResourceError):
        await writer.send(b"x")


async def test_nothing_follows_a_write_that_was_cut_short(ends: Ends) -> None:
    reader, writer = ends
    with anyio.move_on_after(0.01) as scope:
        await writer.send(bytes(1_000_000))
    assert scope.cancelled_caught
    with pytest.raises(anyio.BrokenResourceError):
        await writer.send(b"x")
    assert len(await reader.receive()) > 0


async def test_a_cancelled_read_loses_nothing(ends: Ends) -> None:
    reader, writer = ends
    with anyio.move_on_after(0.01):
        await reader.receive()
    await writer.send(b"kept")
    assert await reader.receive() == b"kept"


async def test_a_writer_knows_what_has_not_been_read_even_when_nobody_reads_any_more(ends: Ends) -> None:
    reader, writer = ends
    assert writer.unread == 0
    await writer.send(b"12345")
    assert writer.unread == 5
    await reader.receive(2)
    assert writer.unread == 3
    reader.close()
    assert writer.unread == 3
