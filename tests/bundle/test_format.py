from __future__ import annotations

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outboard.bundle.format import MAGIC, MAX_TAIL_SIZE, TRAILER_SIZE, compose, parse
from outboard.errors import BundleError

REGIONS = st.binary(max_size=200)


@given(executable=st.binary(min_size=1, max_size=200), sources=REGIONS, metadata=REGIONS)
def test_parse_undoes_compose(executable: bytes, sources: bytes, metadata: bytes) -> None:
    layout = parse(compose(executable, sources, metadata))
    assert (layout.executable, layout.sources, layout.metadata) == (executable, sources, metadata)


def test_the_trailer_has_the_fields_where_airflow_reads_them() -> None:
    trailer = compose(b"run me", b"text", b"{}")[-64:]
    assert struct.unpack("<III", trailer[:12]) == (4, 2, 1)
    assert trailer[12:44] == hashlib.sha256(b"run me").digest()
    assert trailer[44:56] == bytes(12)
    assert trailer[56:] == b"AFBNDL01"


def test_an_empty_executable_region_is_refused() -> None:
    with pytest.raises(BundleError, match="empty"):
        compose(b"", b"text", b"{}")


def test_the_longest_metadata_that_python_can_look_past_is_accepted_and_one_byte_more_is_not() -> None:
    longest = MAX_TAIL_SIZE - TRAILER_SIZE
    assert len(parse(compose(b"x", b"", b" " * longest)).metadata) == longest
    with pytest.raises(BundleError, match="fewer Dags"):
        compose(b"x", b"", b" " * (longest + 1))


@given(data=st.binary(max_size=300))
def test_arbitrary_bytes_are_refused_with_the_documented_error(data: bytes) -> None:
    with pytest.raises(BundleError):
        parse(data)


@given(data=st.binary(max_size=300))
def test_arbitrary_bytes_before_the_magic_are_refused_with_the_documented_error(data: bytes) -> None:
    with pytest.raises(BundleError):
        parse(data + MAGIC)


@given(position=st.integers(min_value=0), flip=st.integers(min_value=1, max_value=255))
def test_any_changed_byte_of_the_executable_region_or_the_trailer_is_noticed(position: int, flip: int) -> None:
    data = bytearray(compose(b"the executable region", b"", b""))
    data[position % len(data)] ^= flip
    with pytest.raises(BundleError):
        parse(bytes(data))


def test_a_trailer_of_another_version_is_refused_by_its_number() -> None:
    data = bytearray(compose(b"x", b"", b""))
    data[-TRAILER_SIZE + 8] = 2
    with pytest.raises(BundleError, match="layout 2"):
        parse(bytes(data))
