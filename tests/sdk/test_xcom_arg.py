from __future__ import annotations

from typing import Any

import pytest

from outboard import DAG, XComArg, task
from outboard.sdk.xcom_arg import references


@pytest.fixture
def result() -> Any:
    @task
    def up() -> None:
        pass

    with DAG("d"):
        return up()


def test_a_key_of_the_result_is_a_reference_too(result: Any) -> None:
    assert (result["rows"].operator, result["rows"].key) == (result.operator, "rows")
    assert XComArg(result.operator).key == "return_value"


def test_the_result_is_not_known_while_the_dag_is_built(result: Any) -> None:
    with pytest.raises(ValueError, match="result of 'up' is not known"):
        result[0]
    with pytest.raises(TypeError, match="result of 'up' cannot be iterated over"):
        list(result)
    with pytest.raises(TypeError, match="result of 'up' cannot be put into a string"):
        str(result)
    with pytest.raises(TypeError, match="result of 'up' cannot be put into a string"):
        f"{result:>10}"


def test_the_repr_tells_the_task_and_the_key(result: Any) -> None:
    assert repr(result) == "XComArg(<Task(PythonOperator): d.up>)"
    assert repr(result["rows"]) == "XComArg(<Task(PythonOperator): d.up>, key='rows')"


def test_references_are_found_where_they_are_resolved(result: Any) -> None:
    value = {"a": [result, (result["b"], {result["c"]}, frozenset([result["d"]]))], result["not a value"]: 1}
    assert [found.key for found in references(value)] == ["return_value", "b", "c", "d"]
