"""What a task is resumed with, in the forms of Airflow's server."""

from __future__ import annotations

import pytest

from outboard.supervisor.resumption import Resume, after_failure, after_timeout, with_event


def test_an_event_joins_the_arguments() -> None:
    assert with_event("go_on", {"rows": 3}, [1]) == Resume(next_method="go_on", next_kwargs={"rows": 3, "event": [1]})


@pytest.mark.parametrize("nothing", [None, {}])
def test_without_other_arguments_there_is_the_event_alone(nothing: dict[str, object] | None) -> None:
    assert with_event("go_on", nothing, None).next_kwargs == {"event": None}


def test_what_was_handed_in_stays_as_it_is() -> None:
    stored = {"rows": 3}
    with_event("go_on", stored, 1)
    assert stored == {"rows": 3}


def test_arguments_in_airflows_older_encoding_are_read() -> None:
    old = {"__type": "dict", "__var": {"rows": 3, "seen": {"__type": "tuple", "__var": [1]}}}
    found = with_event("go_on", old, 1).next_kwargs
    assert found == {
        "rows": 3,
        "seen": {"__classname__": "builtins.tuple", "__version__": 1, "__data__": [1]},
        "event": 1,
    }


@pytest.mark.parametrize(
    "stored", [{"__classname__": "builtins.tuple", "__version__": 1, "__data__": []}, {"__type": "tuple", "__var": []}]
)
def test_arguments_that_are_no_mapping_fail_the_task_in_its_own_process(stored: dict[str, object]) -> None:
    found = with_event("go_on", stored, 1)
    assert found.next_method == "__fail__"
    assert (
        found.next_kwargs["error"] == "Could not resume the task: its next_kwargs cannot be read: they are no mapping"
    )


def test_a_trigger_that_ran_out_of_time_or_failed_has_airflows_words_for_it() -> None:
    assert after_timeout() == Resume(next_method="__fail__", next_kwargs={"error": "Trigger timeout"})
    assert after_failure(["a", "b"]) == Resume(
        next_method="__fail__", next_kwargs={"error": "Trigger failure", "traceback": ["a", "b"]}
    )
