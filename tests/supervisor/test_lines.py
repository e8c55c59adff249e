"""Output, cut into lines of bounded length."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outboard.supervisor.lines import LineSplitter


def split(*chunks: bytes, limit: int = 100) -> list[str]:
    splitter = LineSplitter(limit)
    found = [line.text for chunk in chunks for line in splitter.feed(chunk)]
    return found + [line.text for line in splitter.flush()]


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ((b"one\ntwo\n",), ["one", "two"]),
        ((b"o", b"ne\nt", b"wo"), ["one", "two"]),
        ((b"\n\n",), ["", ""]),
        ((b"windows\r\n",), ["windows"]),
        ((b"10%\r20%\r30%\n",), ["10%\r20%\r30%"]),
        ((b"no end",), ["no end"]),
        ((b"",), []),
        ((b"\xe2\x82", b"\xac\n"), ["€"]),
        ((b"\xff\n",), [r"\xff"]),
    ],
)
def test_lines_are_what_stands_between_their_ends(chunks: tuple[bytes, ...], lines: list[str]) -> None:
    assert split(*chunks) == lines


def test_a_line_at_the_limit_is_whole_and_one_above_says_that_it_is_cut() -> None:
    assert split(b"x" * 4 + b"\n" + b"y" * 5 + b"\n", limit=4) == ["xxxx", "yyyy … (cut: 4 of 5 bytes)"]


def test_a_cut_line_may_come_in_many_chunks_and_costs_no_more_than_the_limit() -> None:
    splitter = LineSplitter(10)
    for _ in range(1_000):
        assert list(splitter.feed(b"z" * 1_000)) == []
        assert len(splitter._kept) == 10
    assert [line.text for line in splitter.feed(b"\n")] == ["zzzzzzzzzz … (cut: 10 of 1000000 bytes)"]


@pytest.mark.property
@given(st.binary(max_size=200), st.lists(st.integers(0, 200)), st.integers(1, 50))
def test_chunking_changes_nothing(data: bytes, cuts: list[int], limit: int) -> None:
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    chunks = [data[start:end] for start, end in itertools.pairwise(edges)]
    assert split(*chunks, limit=limit) == split(data, limit=limit)
