"""What a worker's environment says about the Airflow around."""

from __future__ import annotations

import pytest

from outboard.runtime import configuration


@pytest.mark.parametrize(
    ("text", "default", "value"),
    [
        ("True", False, True),
        ("1", False, True),
        (" t ", False, True),
        ("false", True, False),
        ("0", True, False),
        ("", True, True),
        ("maybe", True, True),
        (None, False, False),
    ],
)
def test_a_flag_is_read_as_airflow_reads_it(text: str | None, default: bool, value: bool) -> None:
    environment = {} if text is None else {"AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": text}
    assert configuration.read(environment, "operators", "default_deferrable", default) is value


@pytest.mark.parametrize(("text", "value"), [("12", 12), (" 7 ", 7), ("", 4096), ("many", 4096)])
def test_a_number_that_is_none_counts_for_the_default(text: str, value: int) -> None:
    environment = {"AIRFLOW__CORE__MAX_TEMPLATED_FIELD_LENGTH": text}
    assert configuration.read(environment, "core", "max_templated_field_length", 4096) == value


def test_what_nobody_has_set_is_the_default() -> None:
    assert configuration.read({}, "api", "base_url", "") == ""
    assert configuration.read({"AIRFLOW__API__BASE_URL": "/"}, "api", "base_url", "") == "/"
