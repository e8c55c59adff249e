"""Stores of small values in a real process: which requests are made, and what the body sees of the answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from outboard.protocol import messages as m
from tests.runtime.child import UUID
from tests.runtime.test_task_runner import run, source

HEAD = "from outboard import Asset\n"
ASSET_TASK = "@task(inlets=[Asset('a')])"
ACTIVE = {"ValidateInletsAndOutlets": lambda r: m.InactiveAssetsResult(inactive_assets=[])}


def test_the_tasks_store_is_that_of_its_id(tmp_path: Path) -> None:
    body = """
def body(task_state_store):
    task_state_store.set("k", [1])
    task_state_store.delete("k")
    task_state_store.clear()
    return [task_state_store.get("k"), task_state_store.get("absent", "else")]
"""

    def found(request: m.GetTaskStateStore) -> m.Message:
        known = request.key == "k"
        return m.TaskStateStoreResult(value={"a": 1}) if known else m.ErrorResponse(error="TASK_STORE_NOT_FOUND")

    _, child = run(tmp_path, source(body), {"GetTaskStateStore": found})
    stored = child.requests[0]
    assert {request.ti_id for request in child.requests[:5]} == {UUID}
    assert (stored.key, stored.value) == ("k", [1])
    assert child.requests[-2].value == [{"a": 1}, "else"]


def test_an_assets_store_is_that_of_its_name(tmp_path: Path) -> None:
    body = (
        "def body(asset_state_store):\n    asset_state_store.set('k', 1)\n    return asset_state_store.get('k', 'else')"
    )
    answers = {**ACTIVE, "GetAssetStateStoreByName": lambda r: m.ErrorResponse(error="ASSET_STORE_NOT_FOUND")}
    _, child = run(tmp_path, source(body, head=HEAD, decorator=ASSET_TASK), answers)
    stored = child.requests[1]
    assert (type(stored).__name__, stored.name, stored.key, stored.value) == ("SetAssetStateStoreByName", "a", "k", 1)
    assert child.requests[-2].value == "else"


def test_a_task_without_assets_has_no_stores_of_assets(tmp_path: Path) -> None:
    _, child = run(tmp_path, source("def body(**context):\n    return 'asset_state_store' in context"))
    assert child.requests[0].value is False


def test_a_refusal_is_not_taken_for_an_absent_value(tmp_path: Path) -> None:
    answers = {"GetTaskStateStore": lambda r: m.ErrorResponse(error="PERMISSION_DENIED")}
    report, child = run(tmp_path, source("def body(task_state_store):\n    task_state_store.get('k', 1)"), answers)
    assert report.state == "failed"
    assert "PERMISSION_DENIED" in str(child.records)


def test_a_value_that_is_no_json_is_refused_with_its_place_and_nothing_is_sent(tmp_path: Path) -> None:
    body = "def body(task_state_store):\n    task_state_store.set('cursor', {'when': datetime.now(timezone.utc)})"
    report, child = run(tmp_path, source(body))
    assert report.state == "failed"
    assert "cursor.when" in str(child.records)
    assert len(child.requests) == 1


@pytest.mark.parametrize(("configured", "days"), [(None, 30), ("7", 7), ("0", None), ("nonsense", 30)])
def test_values_are_kept_as_long_as_the_deployment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, configured: str | None, days: int | None
) -> None:
    if configured is not None:
        monkeypatch.setenv("AIRFLOW__STATE_STORE__DEFAULT_RETENTION_DAYS", configured)
    before = datetime.now(UTC)
    _, child = run(tmp_path, source("def body(task_state_store):\n    task_state_store.set('k', 1)"))
    expires = child.requests[0].expires_at
    if days is None:
        assert expires is None
    else:
        assert before + timedelta(days=days) <= expires <= datetime.now(UTC) + timedelta(days=days)
