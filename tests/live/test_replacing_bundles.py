"""A bundle that is replaced under a running Airflow: who finds which version, and what happens to the task that runs."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from outboard.bundle import target
from outboard.bundle.contents import CHILD_LIBRARIES
from outboard.bundle.deployment import deploy, rollback
from tests.bundle.versions import pack_version
from tests.live.supervisor import JOB_SECONDS

if TYPE_CHECKING:
    from tests.live.supervisor import AirflowSupervisor, TaskReport

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Pack a version of a Dag, named as its bundle is."""
    here = target.inspect(Path(sys.prefix), libraries=CHILD_LIBRARIES)
    folder = tmp_path_factory.mktemp("versions")

    def packed(number: int, dag_id: str) -> Path:
        (folder / dag_id).mkdir(exist_ok=True)
        return pack_version(number, folder / dag_id, here, name="replaced", dag_id=dag_id)

    return packed


@pytest.fixture
def place(bare_airflow: AirflowSupervisor) -> Path:
    """The bundle's place in the folder that this Airflow looks in; it is taken away again."""
    path = bare_airflow.executables / "replaced"
    yield path
    path.unlink(missing_ok=True)


def returned(report: TaskReport) -> object:
    assert report.outcome == (0, "success", ["success"])
    [value] = [call.body for call in report.calls if call.path.endswith("/which/return_value")]
    return value


def test_airflow_finds_the_new_version_right_after_it_was_deployed(
    bare_airflow: AirflowSupervisor, place: Path, pack: Callable[..., Path]
) -> None:
    """The same Airflow process asks each time, with whatever it remembers of the file."""
    root = place.parent
    for dag_id, other in (("before", "after"), ("after", "before")):
        deploy(pack(1, dag_id), root)
        assert bare_airflow.find(dag_id)["path"] == str(place)
        assert "cannot find" in bare_airflow.find(other)["error"]
    rollback(root, "replaced")
    assert bare_airflow.find("before")["path"] == str(place)
    assert "cannot find" in bare_airflow.find("after")["error"]


def test_airflow_never_meets_an_earlier_version_beside_the_folder(
    bare_airflow: AirflowSupervisor, place: Path, pack: Callable[..., Path]
) -> None:
    for number in (1, 2, 3):
        deploy(pack(number, "kept"), place.parent)
    assert len(list(place.parent.parent.glob(".*.outboard-history/versions/replaced/*"))) >= 2
    place.unlink()
    assert "cannot find" in bare_airflow.find("kept")["error"]


def test_a_task_that_runs_ends_as_the_version_that_it_began_as_and_the_next_one_is_new(
    bare_airflow: AirflowSupervisor, place: Path, pack: Callable[..., Path], tmp_path: Path
) -> None:
    deploy(pack(1, "running"), place.parent)
    reports: list[TaskReport] = []

    def run() -> None:
        reports.append(bare_airflow.run("running", "which", environment={"MEETING_PLACE": str(tmp_path)}))

    task = threading.Thread(target=run)
    task.start()
    try:
        wait_for(tmp_path / "started", task)
        deploy(pack(2, "running"), place.parent)
    finally:
        (tmp_path / "go").touch()
        task.join(JOB_SECONDS)
    [report] = reports
    assert returned(report) == 1
    assert report.record(logger="author")["event"] == "this is version 1"
    assert returned(bare_airflow.run("running", "which")) == 2
    rollback(place.parent, "replaced")
    assert returned(bare_airflow.run("running", "which")) == 1


def wait_for(path: Path, task: threading.Thread) -> None:
    """Wait until a file is there; fail if the task ends before it made one."""
    while not path.exists():
        assert task.is_alive(), "the task ended before its body ran"
        task.join(0.01)
