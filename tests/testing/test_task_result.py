"""How a result reads, above all in a test that fails."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
import pytest

from outboard.testing import Deferral, RemoteTaskError, TaskResult


class Awkward(Exception):
    def __str__(self) -> str:
        raise ValueError


def test_it_shows_what_a_failed_assertion_needs_and_nothing_that_is_empty() -> None:
    assert repr(TaskResult(state="success", reason="")) == "TaskResult(state='success')"
    assert repr(TaskResult(state="success", reason="", value=[1])) == "TaskResult(state='success', value=[1])"
    put_off = TaskResult[None](state="up_for_reschedule", reason="", reschedule_date=datetime(2026, 1, 1, tzinfo=UTC))
    assert repr(put_off).startswith(
        "TaskResult(state='up_for_reschedule', reschedule_date=datetime.datetime(2026, 1, 1"
    )
    deferral = Deferral(classpath="a.B", trigger_kwargs={}, timeout=None, next_method="m", next_kwargs={})
    assert "deferral=Deferral(classpath='a.B'" in repr(TaskResult(state="deferred", reason="", deferral=deferral))


@pytest.mark.parametrize(
    ("exception", "error"),
    [
        (None, ""),
        (ValueError("no rows"), "ValueError: no rows"),
        (RemoteTaskError("ValueError: no rows", "ValueError"), "ValueError: no rows"),
        (Awkward(), "Awkward: <Awkward whose str raised ValueError>"),
    ],
)
def test_its_exception_reads_the_same_whichever_process_it_was_in(exception: Exception | None, error: str) -> None:
    assert TaskResult(state="failed", reason="", exception=exception).error == error


def test_it_cannot_be_changed() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        TaskResult(state="failed", reason="").state = "success"  # type: ignore[misc]


def test_its_text_is_what_the_records_say() -> None:
    log = ({"event": "one"}, {"event": "two"})
    assert TaskResult(state="failed", reason="", log=log).text == "one\ntwo"
