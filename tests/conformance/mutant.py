"""A sound bundle with one flaw: ``python mutant.py FLAW BUNDLE --stdio`` stands between the kit and the bundle.

Each flaw is one class, which spoils frames on their way, output, signals or the exit code.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import msgpack

from outboard.conformance.wire import frame

REPORTS = {"SucceedTask", "TaskState", "RetryTask", "DeferTask", "RescheduleTask", "AwaitInputTask"}

FLAWS: dict[str, type[Flaw]] = {}


class Choked(Exception):
    """The mutant does not take what it got."""


class Flaw:
    """No flaw at all: everything passes."""

    stderr: int | None = None

    def __init_subclass__(cls) -> None:
        FLAWS[cls.__name__] = cls

    def start(self) -> None:
        """Before anything else."""

    def read(self, chunk: bytes) -> None:
        """Look at what one read brought."""

    def down(self, raw: bytes, elements: list[Any]) -> bytes:
        """A frame to the bundle."""
        return raw

    def up(self, elements: list[Any]) -> Iterator[list[Any]]:
        """A frame of the bundle's."""
        body = elements[1] if len(elements) > 1 else None
        kind = body.get("type") if isinstance(body, dict) else None
        if kind == "LogRecord":
            yield from ([elements[0], record] for record in self.log(body))
        elif kind is not None:
            yield from ([elements[0], changed, *elements[2:]] for changed in self.request(kind, body))
        else:
            yield elements

    def request(self, kind: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield body

    def log(self, record: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield record

    def eof(self, pending: bytes) -> bytes:
        """The stream to the bundle has ended; what is said to the kit then."""
        return b""

    def signal(self, child: subprocess.Popen[bytes], number: int) -> None:
        child.send_signal(number)

    def end(self, code: int) -> int:
        return code


class Sound(Flaw):
    pass


class TellsFailed(Flaw):
    def request(self, kind: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield {"type": "TaskState", "state": "failed", "end_date": body["end_date"]} if kind == "SucceedTask" else body


class TellsSuccess(Flaw):
    def request(self, kind: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        success = {"type": "SucceedTask", "state": "success", "task_outlets": [], "outlet_events": []}
        yield {**success, "end_date": body["end_date"]} if kind in ("TaskState", "RetryTask") else body


class NeverRetries(Flaw):
    def request(self, kind: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield {"type": "TaskState", "state": "failed", "end_date": body["end_date"]} if kind == "RetryTask" else body


class NullOutlets(Flaw):
    def request(self, kind: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield {**body, "task_outlets": None} if kind == "SucceedTask" else body


class NaiveTimes(Flaw):
    def request(self, kind: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield {**body, "end_date": "2026-01-01T00:00:00"} if "end_date" in body else body


class ResumesElsewhere(Flaw):
    def request(self, kind: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        changed = dict(body)
        if "next_method" in body:
            changed["next_method"] = "elsewhere"
        if "reschedule_date" in body:
            changed["reschedule_date"] = body["end_date"]
        yield changed


class ReportsTwice(Flaw):
    def request(self, kind: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield body
        if kind in REPORTS:
            yield body


class InvalidMessages(Flaw):
    def request(self, kind: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        left_out = {"SetXCom": "run_id", "DagFileParsingResult": "fileloc"}.get(kind, "")
        yield {key: value for key, value in body.items() if key != left_out}


class PushesNothing(Flaw):
    def request(self, kind: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        where = {"dag_id": "conformance", "run_id": "r", "task_id": "t"}
        if kind == "SucceedTask":
            yield {"type": "SetXCom", "key": "return_value", "value": None, **where}
        yield body


class AsksElsewhere(Flaw):
    """Every request is of something else; what is returned is something else."""

    def request(self, kind: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        changes: dict[str, dict[str, Any]] = {
            "GetXCom": {"task_id": "elsewhere"},
            "SetXCom": {"key": body.get("key"), "value": "something else"},
            "DeleteVariable": {"key": "elsewhere"},
            "PutVariable": {"value": "something else"},
            "TriggerDagRun": {"conf": None},
        }
        yield {**body, **changes.get(kind, {})}


class TellsNoSecret(Flaw):
    def request(self, kind: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield {"type": "SetRenderedMapIndex", "rendered_map_index": "x"} if kind == "MaskSecret" else body

    def log(self, record: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield {**record, "event": str(record["event"]).replace("***", "correct horse")}


class OneId(Flaw):
    def up(self, elements: list[Any]) -> Iterator[list[Any]]:
        yield from ([1 if made[0] > 0 else made[0], *made[1:]] for made in super().up(elements))


class FirstComesFirst(Flaw):
    """Matches replies by their order."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def up(self, elements: list[Any]) -> Iterator[list[Any]]:
        if elements[0] > 0:
            self.asked.append(elements[0])
        yield elements

    def down(self, raw: bytes, elements: list[Any]) -> bytes:
        if self.asked:
            return frame(self.asked.pop(0), *elements[1:])
        return raw


# ── the exit ──────────────────────────────────────────────────────────────────────────────────────────────────────


class ExitsWith1(Flaw):
    def end(self, code: int) -> int:
        return 1


class ExitsWith0(Flaw):
    def end(self, code: int) -> int:
        return 0


class SaysNothing(ExitsWith0):
    stderr = subprocess.DEVNULL

    def log(self, record: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield from ()


class LeavesAChild(Flaw):
    def start(self) -> None:
        nothing = subprocess.DEVNULL
        subprocess.Popen(
            [sys.executable, "-S", "-c", "import time; time.sleep(300)"], stdin=nothing, stdout=nothing, stderr=nothing
        )


class Deaf(Flaw):
    def signal(self, child: subprocess.Popen[bytes], number: int) -> None:
        pass


# ── what it does not take ─────────────────────────────────────────────────────────────────────────────────────────


class NeedsWholeFrames(Flaw):
    def read(self, chunk: bytes) -> None:
        if len(chunk) < 4 or int.from_bytes(chunk[:4], "big") + 4 > len(chunk):
            raise Choked


class OneFrameARead(Flaw):
    def read(self, chunk: bytes) -> None:
        if len(chunk) > 4 and int.from_bytes(chunk[:4], "big") + 4 < len(chunk):
            raise Choked


class ThreeElements(Flaw):
    def down(self, raw: bytes, elements: list[Any]) -> bytes:
        if len(elements) != 3:
            raise Choked
        return raw


class NarrowHeaders(Flaw):
    def down(self, raw: bytes, elements: list[Any]) -> bytes:
        if raw[4] == 0xDD:
            raise Choked
        return raw


class FirstKeyCounts(Flaw):
    def down(self, raw: bytes, elements: list[Any]) -> bytes:
        return raw.replace(b"\xa7a value", b"\xa7another")


class SmallFrames(Flaw):
    def down(self, raw: bytes, elements: list[Any]) -> bytes:
        if len(raw) > 1 << 20:
            raise Choked
        return raw

    def request(self, kind: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield {**body, "value": "cut"} if len(str(body.get("value"))) > 1 << 19 else body


class SucceedsAtTheEnd(Flaw):
    def eof(self, pending: bytes) -> bytes:
        body = {"type": "SucceedTask", "state": "success", "end_date": "2026-01-01T00:00:00Z"}
        return frame(99, body)


class KnowsAllFields(Flaw):
    def down(self, raw: bytes, elements: list[Any]) -> bytes:
        if b"a_field_of_the_future" in raw:
            raise Choked
        return raw


class NeedsEverything(Flaw):
    """Optional fields have to be there, and must not be null."""

    def down(self, raw: bytes, elements: list[Any]) -> bytes:
        body = elements[1] if len(elements) > 1 else None
        if isinstance(body, dict) and body.get("type") == "StartupDetails":
            instance = body.get("ti", {})
            if "map_index" not in instance or ("hostname" in instance and instance["hostname"] is None):
                raise Choked
            if body["ti_context"]["dag_run"]["logical_date"] is None:
                raise Choked
        return raw


class OnlyTextTimes(Flaw):
    def down(self, raw: bytes, elements: list[Any]) -> bytes:
        if isinstance(logical_date(elements), msgpack.Timestamp):
            raise Choked
        return raw


class OnlyTimestamps(Flaw):
    def down(self, raw: bytes, elements: list[Any]) -> bytes:
        if isinstance(logical_date(elements), str):
            raise Choked
        return raw


def logical_date(elements: list[Any]) -> object:
    body = elements[1] if len(elements) > 1 else None
    is_greeting = isinstance(body, dict) and body.get("type") == "StartupDetails"
    return body["ti_context"]["dag_run"]["logical_date"] if is_greeting else None


class TakesAnyGreeting(Flaw):
    """Whatever comes first is a greeting, and the task a success."""

    def down(self, raw: bytes, elements: list[Any]) -> bytes:
        body = elements[1] if len(elements) > 1 else None
        if elements[0] == 0 and (not isinstance(body, dict) or body.get("type") != "StartupDetails"):
            os.write(1, frame(1, {"type": "SucceedTask", "state": "success"}))
            os._exit(0)
        return raw


# ── the log and the output ────────────────────────────────────────────────────────────────────────────────────────


class LoudLevels(Flaw):
    def log(self, record: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield {**record, "level": str(record["level"]).upper()}


class NoExtras(Flaw):
    def log(self, record: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield {key: record[key] for key in ("type", "event", "level", "logger", "timestamp")}


class SwapsRecords(Flaw):
    def __init__(self) -> None:
        self.held: dict[str, Any] | None = None

    def log(self, record: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if self.held is None and str(record["event"]).endswith(" record"):
            self.held = record
            return
        yield record
        if self.held is not None:
            yield self.held
            self.held = None


class NoFilter(Flaw):
    def log(self, record: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield record
        if record["event"] == "an error record":
            yield {**record, "event": "a debug record", "level": "debug"}


class CarelessExtras(Flaw):
    def log(self, record: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield {**record, "msg": "x"}


class LosesRecords(Flaw):
    count = 0

    def log(self, record: dict[str, Any]) -> Iterator[dict[str, Any]]:
        self.count += 1
        if self.count % 1_000:
            yield record


class SwallowsOutput(Flaw):
    stderr = subprocess.DEVNULL


class Chatters(Flaw):
    def start(self) -> None:
        os.write(2, b"hello\n")


class PrintsOnTheWire(Flaw):
    def start(self) -> None:
        os.write(1, b"hello, this is no frame")


# ── between the two ───────────────────────────────────────────────────────────────────────────────────────────────


def cut(buffer: bytearray) -> Iterator[tuple[bytes, list[Any] | None]]:
    """Take whole frames out of a buffer: their bytes, and their elements if they have any."""
    while len(buffer) >= 4 and len(buffer) >= 4 + int.from_bytes(buffer[:4], "big"):
        raw = bytes(buffer[: 4 + int.from_bytes(buffer[:4], "big")])
        del buffer[: len(raw)]
        elements = None
        with contextlib.suppress(Exception):
            elements = msgpack.unpackb(raw[4:], timestamp=0, strict_map_key=False)
        yield raw, elements if isinstance(elements, list) and elements else None


def write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def main() -> None:
    flaw = FLAWS[sys.argv[1]]()
    flaw.start()
    child = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=flaw.stderr)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: flaw.signal(child, number))
    try:
        pass_on(flaw, child)
        code = flaw.end(child.wait())
    except Choked:
        child.kill()
        code = 1
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def pass_on(flaw: Flaw, child: subprocess.Popen[bytes]) -> None:
    assert child.stdin is not None
    assert child.stdout is not None
    to_child, from_child = child.stdin.fileno(), child.stdout.fileno()
    downward, upward, listening = bytearray(), bytearray(), [0, from_child]
    while from_child in listening:
        for descriptor in select.select(listening, [], [])[0]:
            data = os.read(descriptor, 1 << 16)
            if not data:
                listening.remove(descriptor)
            if descriptor == from_child:
                upward += data
                for raw, elements in cut(upward):
                    made = [raw] if elements is None else [frame(*each) for each in flaw.up(elements)]
                    with contextlib.suppress(BrokenPipeError):
                        write(1, b"".join(made))
                continue
            with contextlib.suppress(BrokenPipeError):
                if not data:
                    write(1, flaw.eof(bytes(downward)))
                    write(to_child, downward)
                    child.stdin.close()
                    continue
                flaw.read(data)
                downward += data
                for raw, elements in cut(downward):
                    write(to_child, raw if elements is None else flaw.down(raw, elements))


if __name__ == "__main__":
    main()
