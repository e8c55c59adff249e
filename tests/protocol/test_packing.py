"""The settings of msgpack: what comes back differs from what went in only where the protocol says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import msgpack
import pytest

from outboard.errors import LocalProtocolError, RemoteProtocolError
from outboard.protocol.packing import packb, unpackb


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
