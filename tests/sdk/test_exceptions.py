from __future__ import annotations

import pickle

import pytest

from outboard.errors import ServerError
from outboard.sdk import exceptions


def test_every_public_name_is_defined() -> None:
    assert all(hasattr(exceptions, name) for name in exceptions.__all__)


@pytest.mark.parametrize(
    "name",
    [
        "AirflowDagCycleException",
        "AirflowFailException",
        "AirflowNotFoundException",
        "AirflowSkipException",
        "DuplicateTaskIdFound",
        "TaskNotFound",
        "XComNotFound",
    ],
)
def test_what_airflow_derives_from_its_root_we_do_too(name: str) -> None:
    assert issubclass(getattr(exceptions, name), exceptions.AirflowException)


def test_termination_passes_ordinary_error_handling() -> None:
    assert not issubclass(exceptions.AirflowTaskTerminated, Exception)


def test_a_refusal_carries_what_the_supervisor_said() -> None:
    error = exceptions.AirflowRuntimeError(ServerError("API_SERVER_ERROR", {"status_code": 500}))
    assert error.error.error == exceptions.ErrorType.API_SERVER_ERROR
    assert error.error.detail == {"status_code": 500}
    assert "500" in str(error)


def test_a_missing_xcom_says_where_it_should_have_been_also_after_pickling() -> None:
    error = pickle.loads(pickle.dumps(exceptions.XComNotFound("d", "t", "k")))
    assert (error.dag_id, error.task_id, error.key) == ("d", "t", "k")
    assert str(error) == "task 't' of Dag 'd' has pushed no XCom with the key 'k'"
