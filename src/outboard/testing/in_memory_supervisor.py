"""A supervisor for a runtime in the same process: it greets, answers and listens, and starts and ends nothing.

Requests are answered by the handlers of the real one. Must not know what is run.
"""

from __future__ import annotations

from outboard.comms.descriptors import DescriptorReader, DescriptorWriter
from outboard.comms.in_memory import DescriptorEnd
from outboard.comms.serving import ServingChannel
from outboard.protocol import messages as m
from outboard.protocol.events import Broken, InvalidRequest, LogRecord, Request
from outboard.protocol.log_records import from_fields
from outboard.supervisor import handlers
from outboard.supervisor.handlers import Answer
from outboard.supervisor.limits import Limits
from outboard.supervisor.ports import TaskKey
from outboard.testing.record_list import RecordList
from outboard.testing.world import World

__all__ = ("InMemorySupervisor",)


class InMemorySupervisor:
    """Serves one try of a task.

    Attributes:
        report: what the task has reported; None before it has.
        records: what it has said.
    """

    def __init__(self, task: TaskKey, world: World) -> None:
        self.report: m.Message | None = None
        self.records = RecordList()
        self._task = task
        self._world = world
        self._ports = world.ports(self.records)

    async def serve(self, end: DescriptorEnd, greeting: m.Message) -> None:
        """Greet, and serve until the other end is closed. The descriptors of this one are closed then, too."""
        await self._world.furnish()
        reading, writing = end.detach()
        async with (
            DescriptorReader(reading) as receive,
            DescriptorWriter(writing) as send,
            ServingChannel(receive, send) as channel,
        ):
            channel.greet(greeting)
            async for event in channel.events():
                if isinstance(event, LogRecord):
                    self.records.write(self._task, from_fields(event.record))
                elif isinstance(event, Request):
                    answer = await self._answer(event.message)
                    channel.reply(event.id, answer.message, error=answer.error)
                elif isinstance(event, InvalidRequest):
                    channel.reply(event.id, error=handlers.answer_invalid(event.error).error)
                elif isinstance(event, Broken):
                    raise event.error

    async def _answer(self, request: m.Message) -> Answer:
        if type(request).__name__ in m.TERMINAL:
            self.report = request
        return await handlers.answer(self._ports, self._task, request, patience=Limits().request)
