"""The settings of msgpack: what comes back differs from what went in only where the protocol says so."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import msgpack
import pytest

from outboard.errors import LocalProtocolError, RemoteProtocolError
from outboard.protocol import packing
from outboard.protocol.packing import packb, unpackb


@pytest.fixture(params=["with the library", "without it"], autouse=True)
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether msgpack was loaded before: it must make no difference."""
    packing.load()
    monkeypatch.setattr(packing, "_handled", 0)
    if request.param == "without it":
        monkeypatch.setattr(packing, "_library", None)


def test_a_zone_is_lost_and_the_instant_kept() -> None:
    local = datetime(2026, 3, 29, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    back = unpackb(packb(local))
    assert back == local
    assert isinstance(back, datetime)
    assert back.tzinfo is UTC


def test_the_ends_of_time_pass_in_any_zone() -> None:
    first = datetime.min.replace(tzinfo=timezone(timedelta(hours=-23)))
    last = datetime.max.replace(tzinfo=timezone(timedelta(hours=23)))
    assert [unpackb(packb(moment)) for moment in (first, last)] == [first, last]


class Moment(datetime):
    """As pendulum's and freezegun's are."""


def test_a_kind_of_datetime_is_the_instant_that_it_is() -> None:
    zone = timezone(timedelta(hours=2))
    for moment in (Moment(2026, 3, 29, 1, 30, 0, 123456, zone), Moment(1969, 12, 31, 23, 59, 59, 999999, UTC)):
        assert unpackb(packb({"at": moment})) == {"at": moment}
    with pytest.raises(LocalProtocolError, match="Moment"):
        packb(Moment(2026, 3, 29))


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        packb(datetime(2026, 1, 1))  # noqa: DTZ001  # naive is the point


def test_tuples_come_back_as_lists() -> None:
    assert unpackb(packb((1, (2,)))) == [1, [2]]


def test_an_unknown_extension_comes_back_as_it_is() -> None:
    for code in (0, 7, 127, -2, -128):
        data = bytes([0xD4, code & 0xFF, 0x2A])
        assert unpackb(data) == tuple.__new__(msgpack.ExtType, (code, b"\x2a"))


def test_an_array_as_a_key_comes_back_as_a_tuple() -> None:
    assert unpackb(b"\x81\x92\x01\x91\x02\xc3") == {(1, (2,)): True}


@pytest.mark.parametrize("data", [b"", b"\x92\x01", b"\xc1", b"\x01\x02", b"\x81\x80\x01", b"\xa1\xff"])
def test_what_is_not_one_value_is_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="one msgpack value"):
        unpackb(data)


def test_the_packer_is_sound_after_it_failed() -> None:
    with pytest.raises(LocalProtocolError):
        packb([1, 2, object()])
    assert packb([1, 2]) == b"\x92\x01\x02"


# ── when the library is loaded ──────────────────────────────────────────────────────────────────────────────────────

BEGINNING = """
import sys
from outboard.protocol.packing import WORTH_LOADING, load, packb, unpackb
is_loaded = lambda: "msgpack" in sys.modules
"""


def said_by(script: str) -> str:
    """What a process of its own prints, in which nothing has been packed before."""
    done = subprocess.run(
        [sys.executable, "-c", BEGINNING + script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.mark.parametrize("once", ["packb('x' * 1000)", "unpackb(bytes([0xD9, 200]) + b'x' * 200)"])
def test_a_few_short_values_do_not_load_the_library_and_many_do(once: str) -> None:
    script = """
rounds = 0
while not is_loaded() and rounds < WORTH_LOADING:
    ONCE
    rounds += 1
print(10 < rounds <= WORTH_LOADING // 200 + 1)
"""
    assert said_by(script.replace("ONCE", once)) == "True"


@pytest.mark.parametrize(
    "call",
    [
        "packb('x' * 10_000)",
        "packb([bytearray(1)])",
        "unpackb(b'\\xd4\\x07\\x2a')",
        "unpackb(b'\\x81\\x92\\x01\\x91\\x02\\xc3')",
    ],
)
def test_a_long_or_uncommon_value_loads_it(call: str) -> None:
    assert said_by(f"{call}\nprint(is_loaded())") == "True"


def test_without_the_library_short_values_go_on_and_others_say_what_is_missing() -> None:
    script = """
sys.modules["msgpack"] = None
for _ in range(WORTH_LOADING // 1000 + 10):
    assert unpackb(packb("x" * 1000)) == "x" * 1000
for call in (packb, bytearray(1)), (unpackb, b"\\xc1"):
    try:
        call[0](call[1])
    except ImportError as error:
        print(error.name)
"""
    assert said_by(script) == "msgpack\nmsgpack"


def test_what_is_packed_while_this_thread_imports_the_library_does_without_it() -> None:
    """As a finalizer does that logs something, in the middle of that import."""
    script = """
class Interruption:
    def find_spec(self, name, path=None, target=None):
        if name == "msgpack.ext":
            print(all(unpackb(packb("x" * 1000)) == "x" * 1000 for _ in range(WORTH_LOADING // 1000 + 10)))
            try:
                load()
            except ImportError:
                print("not now")
sys.meta_path.insert(0, Interruption())
load()
print(packb(bytearray(1)))
"""
    assert said_by(script) == "True\nnot now\nb'\\xc4\\x01\\x00'"
