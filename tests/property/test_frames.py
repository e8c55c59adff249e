"""Frames, however the bytes are cut, and whatever the bytes are."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from outboard.errors import RemoteProtocolError
from outboard.protocol.frames import Frame, FrameDecoder, encode_frame
from outboard.protocol.packing import packb
from tests.strategies import instants, integers, json_values, texts

pytestmark = pytest.mark.property

bodies = st.none() | st.dictionaries(texts(max_size=8), json_values(5) | instants() | st.binary(max_size=8), max_size=4)
frames = st.builds(Frame, integers(), bodies, st.none() | st.dictionaries(texts(), texts(), max_size=2))


def encoded(frame: Frame) -> bytes:
    return encode_frame(frame.id, frame.body, frame.third)


def cut(data: bytes, at: list[int]) -> list[bytes]:
    """Cut bytes at these places, which may repeat."""
    places = [0, *sorted(place % (len(data) + 1) for place in at), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


def read_all(chunks: list[bytes], **options: Any) -> tuple[list[Frame], str | None]:
    """The frames in the chunks, and the error that ended them."""
    decoder = FrameDecoder(**options)
    found: list[Frame] = []
    for chunk in chunks:
        try:
            # Taken one by one, since the sound ones before an error count.
            for frame in decoder.feed(chunk):
                found += [frame]
        except RemoteProtocolError as error:
            return found, str(error)
    return found, None


@given(frames)
def test_a_frame_comes_back_as_it_was(frame: Frame) -> None:
    assert read_all([encoded(frame)]) == ([frame], None)


@given(st.lists(frames, max_size=4), st.lists(st.integers(min_value=0), max_size=10))
def test_any_chunking_gives_the_same_frames(sent: list[Frame], at: list[int]) -> None:
    data = b"".join(map(encoded, sent))
    assert read_all(cut(data, at)) == (sent, None)


# Bytes that are likely to be nearly right.
arrays = st.lists(integers() | bodies | json_values(3), max_size=5).map(packb)
near_frames = (arrays | st.binary(max_size=20)).map(lambda payload: len(payload).to_bytes(4, "big") + payload)
garbage = st.lists(near_frames | st.binary(max_size=12) | frames.map(encoded), max_size=4).map(b"".join)


@given(garbage, st.lists(st.integers(min_value=0), max_size=6))
@example(b"\xff\xff\xff\xff", [])
@example(b"\x00\x00\x00\x05\x91\xdd\xff\xff\xff\xff", [])
def test_garbage_gives_frames_or_the_documented_error_however_it_is_cut(data: bytes, at: list[int]) -> None:
    whole = read_all([data], max_frame_size=1 << 16)
    assert read_all(cut(data, at), max_frame_size=1 << 16) == whole
    assert read_all([data[at : at + 1] for at in range(len(data))], max_frame_size=1 << 16) == whole


@given(st.binary())
def test_the_decoder_never_holds_more_than_it_was_given(data: bytes) -> None:
    decoder = FrameDecoder()
    try:
        list(decoder.feed(data))
    except RemoteProtocolError:
        assert decoder.pending == 0
    assert decoder.pending <= len(data)
