"""Frames: what is cut out of a stream of bytes, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest

from outboard.errors import FrameTooLargeError, LocalProtocolError, RemoteProtocolError
from outboard.protocol.frames import HEADER_SIZE, LARGEST_FRAME_SIZE, Frame, FrameDecoder, encode_frame
from outboard.protocol.messages import SCHEMA_DATES
from tests.recorded import load, untag

RECORDED = {
    f"{date}: {entry['name']}": entry
    for date in SCHEMA_DATES
    for kind in ("values", "frames")
    for entry in load(f"wire/{date}/{kind}.json")
}
VERDICTS = {f"{date}: {entry['name']}": entry for date in SCHEMA_DATES for entry in load(f"wire/{date}/verdicts.json")}

# Where we take what Airflow's decoders refuse, and why. We refuse nothing that they take.
MORE_LIBERAL = {
    "1 element": "a reply may be an id alone, and the same decoder serves both directions",
    "third: string": "what stands third is judged by whoever reads a carrier or an error there",
    "third: integer key": "the same",
}


def frames_of(data: bytes, **options: Any) -> list[Frame]:
    return list(FrameDecoder(**options).feed(data))


def framed(payload: bytes) -> bytes:
    return len(payload).to_bytes(HEADER_SIZE, "big") + payload


def same(left: Any, right: Any) -> bool:
    """Equality that takes NaN for equal to itself."""
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and bool(left == right)


# ── recorded from Airflow ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_frame_is_read_as_airflow_reads_it(name: str) -> None:
    (frame,) = frames_of(bytes.fromhex(RECORDED[name]["frame"]))
    assert same([frame.id, frame.body, frame.third, *frame.extra], untag(RECORDED[name]["decoded"]))


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_frame_is_written_with_the_same_bytes(name: str) -> None:
    recorded = bytes.fromhex(RECORDED[name]["frame"])
    (frame,) = frames_of(recorded)
    assert encode_frame(frame.id, frame.body, frame.third, *frame.extra) == recorded


@pytest.mark.parametrize("name", VERDICTS)
def test_a_payload_is_accepted_or_refused_as_airflow_does(name: str) -> None:
    entry = VERDICTS[name]
    short_name = entry["name"]
    accepted_by = [kind for kind in ("request", "response") if entry[kind] != "refused"]
    data = framed(bytes.fromhex(entry["payload"]))
    if not accepted_by and short_name not in MORE_LIBERAL:
        with pytest.raises(RemoteProtocolError):
            frames_of(data)
        return
    (frame,) = frames_of(data)
    for kind in accepted_by:
        if entry[kind] != "accepted":
            assert same([frame.id, frame.body, frame.third], untag(entry[kind])[:3])


# ── encoding ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_without_a_carrier_has_two_elements() -> None:
    assert encode_frame(1, {}) == b"\x00\x00\x00\x03\x92\x01\x80"


def test_a_reply_has_three_elements_even_if_they_are_nil() -> None:
    assert encode_frame(1, None, None) == b"\x00\x00\x00\x04\x93\x01\xc0\xc0"


def test_a_frame_above_the_limit_is_not_encoded() -> None:
    with pytest.raises(LocalProtocolError, match="above the limit of 16"):
        encode_frame(1, {"key": "x" * 16}, max_frame_size=16)


def test_a_frame_of_just_the_limit_is_encoded_and_decoded() -> None:
    data = encode_frame(1, {"k": "x" * 8})
    size = len(data) - HEADER_SIZE
    assert encode_frame(1, {"k": "x" * 8}, max_frame_size=size) == data
    assert frames_of(data, max_frame_size=size) == [Frame(1, {"k": "x" * 8})]


@pytest.mark.parametrize(
    "value", [object(), 2**64, -(2**63) - 1, "\ud800", {1, 2}], ids=["object", "2^64", "-2^63-1", "surrogate", "set"]
)
def test_what_msgpack_has_no_form_for_is_a_local_error(value: object) -> None:
    with pytest.raises(LocalProtocolError):
        encode_frame(1, {"value": value})


def test_a_value_that_contains_itself_is_a_local_error_and_the_next_frame_is_sound() -> None:
    cyclic: list[object] = []
    cyclic.append(cyclic)
    with pytest.raises(LocalProtocolError):
        encode_frame(1, {"value": cyclic})
    assert encode_frame(2, {}) == framed(b"\x92\x02\x80")


# ── cutting ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_comes_of_nothing() -> None:
    decoder = FrameDecoder()
    assert list(decoder.feed(b"")) == []
    assert decoder.pending == 0


def test_two_frames_in_one_chunk_are_two_frames() -> None:
    assert frames_of(encode_frame(1, {}) + encode_frame(2, None)) == [Frame(1, {}), Frame(2)]


def test_a_frame_may_arrive_byte_by_byte() -> None:
    data = encode_frame(7, {"key": "région", "value": [1, None]}, {"traceparent": "x"})
    decoder = FrameDecoder()
    found = [list(decoder.feed(data[at : at + 1])) for at in range(len(data))]
    assert found[:-1] == [[]] * (len(data) - 1)
    assert found[-1] == [Frame(7, {"key": "région", "value": [1, None]}, {"traceparent": "x"})]


def test_a_frame_may_be_split_anywhere() -> None:
    data = encode_frame(7, {"key": "x"}) + encode_frame(8, {})
    for at in range(len(data) + 1):
        decoder = FrameDecoder()
        assert [*decoder.feed(data[:at]), *decoder.feed(data[at:])] == [Frame(7, {"key": "x"}), Frame(8, {})]


def test_pending_counts_the_bytes_of_an_unfinished_frame() -> None:
    data = encode_frame(1, {"key": "x"})
    decoder = FrameDecoder()
    for at in range(len(data) - 1):
        list(decoder.feed(data[at : at + 1]))
        assert decoder.pending == at + 1
    list(decoder.feed(data[-1:]))
    assert decoder.pending == 0


def test_wanted_says_how_many_bytes_complete_the_frame() -> None:
    data = encode_frame(1, {"key": "x"})
    decoder = FrameDecoder()
    assert decoder.wanted == HEADER_SIZE
    list(decoder.feed(data[:3]))
    assert decoder.wanted == 1
    list(decoder.feed(data[3:6]))
    assert decoder.wanted == len(data) - 6
    list(decoder.feed(data[6:]))
    assert decoder.wanted == HEADER_SIZE


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_can_be_fed(kind: Any) -> None:
    assert frames_of(kind(encode_frame(1, {}))) == [Frame(1, {})]


def test_a_view_that_was_fed_may_be_reused() -> None:
    decoder = FrameDecoder()
    buffer = bytearray(encode_frame(1, {"key": "first"}))
    assert list(decoder.feed(buffer[:6])) == []
    rest = bytes(buffer[6:])
    buffer[:] = bytes(len(buffer))
    assert list(decoder.feed(rest)) == [Frame(1, {"key": "first"})]


def test_elements_behind_the_third_are_kept_aside() -> None:
    (frame,) = frames_of(framed(b"\x95\x05\x80\xc0\x01\x02"))
    assert frame.extra == (1, 2)


# ── refusing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_prefix_of_zero_is_an_error() -> None:
    with pytest.raises(RemoteProtocolError, match="empty frame"):
        frames_of(bytes(4))


def test_a_prefix_above_the_limit_is_an_error_before_any_payload_came() -> None:
    with pytest.raises(FrameTooLargeError) as caught:
        frames_of(b"\x00\x00\x01\x00", max_frame_size=255)
    assert (caught.value.size, caught.value.limit) == (256, 255)


def test_a_prefix_of_four_gibibytes_allocates_nothing() -> None:
    decoder = FrameDecoder(max_frame_size=LARGEST_FRAME_SIZE)
    assert list(decoder.feed(b"\xff\xff\xff\xff\x00")) == []
    assert decoder.pending == 5
    assert decoder.wanted == LARGEST_FRAME_SIZE - 1
    assert decoder._buffer.__sizeof__() < 1024


def test_the_frames_before_a_broken_one_are_still_found() -> None:
    found = FrameDecoder().feed(encode_frame(1, {}) + framed(b"\xc0") + encode_frame(2, {}))
    assert next(found) == Frame(1, {})
    with pytest.raises(RemoteProtocolError):
        next(found)


def test_after_an_error_the_same_error_comes_again() -> None:
    decoder = FrameDecoder()
    with pytest.raises(RemoteProtocolError) as first:
        list(decoder.feed(framed(b"\xc0")))
    with pytest.raises(RemoteProtocolError) as second:
        list(decoder.feed(encode_frame(1, {})))
    assert second.value is first.value


@pytest.mark.parametrize(
    ("payload", "part"),
    [
        (b"\xc0", "not nil"),
        (b"\x80", "not a map"),
        (b"\xa1x", "not a string"),
        (b"\x90", "not an empty array"),
        (b"\x91\xc3", "not a boolean"),
        (b"\x91\xa1x", "not a string"),
        (b"\x92\x01\x90", "not an empty array"),
        (b"\x92\x01\x81\x01\x02", "keys are strings"),
        (b"\x92\x01", "one msgpack value"),
        (b"\x92\x01\x80\x00", "one msgpack value"),
        (b"\x92\x01\xc1", "one msgpack value"),
    ],
)
def test_the_error_says_what_was_found(payload: bytes, part: str) -> None:
    with pytest.raises(RemoteProtocolError, match=part):
        frames_of(framed(payload))


def test_an_array_that_promises_more_than_the_frame_holds_is_an_error() -> None:
    with pytest.raises(RemoteProtocolError):
        frames_of(framed(b"\x92\x05\xdd\xff\xff\xff\xff"))


def test_frames_compare_by_value_and_show_their_parts() -> None:
    assert Frame(1, {"a": 1}) == Frame(1, {"a": 1})
    assert Frame(1) != Frame(2)
    assert Frame(1) != (1, None, None)
    assert repr(Frame(1, {}, None, (2,))) == "Frame(id=1, body={}, third=None, extra=(2,))"
