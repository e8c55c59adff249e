"""Bundles where a container has little to give: a root that is read-only, a user that nobody knows, no HOME, no execution
from /tmp.

The bundle that Airflow finds is a script with a bundle's trailer: it makes such a place for itself and becomes the packed
file. That takes mount namespaces, and root to have a user's rights taken away.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from outboard.bundle.format import compose
from outboard.bundle.metadata import write_metadata
from tests.live.conftest import pack
from tests.live.test_under_airflow import FAILED, SUCCEEDED

if TYPE_CHECKING:
    from tests.live.supervisor import AirflowSupervisor, TaskReport

pytestmark = pytest.mark.live

SOURCE = Path(__file__).parent / "barren" / "barren_tasks.py"

# As OpenShift starts containers: a number of its own choosing, in the root group, without an entry anywhere.
NOBODY_KNOWN, ROOT_GROUP = 1_000_670_001, 0

READ_ONLY, NOEXEC = "a read-only root", "a /tmp that nothing can be run from"
PLACES = {
    READ_ONLY: ["mount -o remount,bind,ro /", *[f"shut ro {folder}" for folder in ("/tmp", "/dev/shm", "/var/tmp")]],
    NOEXEC: [f"shut noexec {folder}" for folder in ("/tmp", "/dev/shm", "/var/tmp")],
}

WAY_IN = """#!/bin/sh
exec unshare --mount sh -ec {inside} {bundle} "$@"
"""

# Whoever runs the tests may keep the bundle and its interpreter in /tmp, so they stay executable, and readable to anyone.
INSIDE = """
shut() {{ mount --bind "$2" "$2"; mount -o "remount,bind,$1" "$2"; }}
mount --bind / /
{place}
for kept in {kept}; do shut ro,exec "$kept"; done
cd /
unset HOME
exec setpriv --reuid {uid} --regid {gid} --clear-groups --no-new-privs \\
    --inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search "$0" "$@"
"""


def can_be_made() -> bool:
    tried = subprocess.run(["unshare", "--mount", "mount", "--bind", "/", "/"], capture_output=True, check=False)
    return os.geteuid() == 0 and tried.returncode == 0


@pytest.fixture(scope="module", params=list(PLACES))
def place(request: pytest.FixtureRequest) -> str:
    if not can_be_made():
        pytest.skip("making a barren place takes root, and mount namespaces")
    return str(request.param)


@pytest.fixture(scope="module", params=["thin", "fat"])
def barren(
    request: pytest.FixtureRequest,
    place: str,
    bare_airflow: AirflowSupervisor,
    tmp_path_factory: pytest.TempPathFactory,
) -> AirflowSupervisor:
    """Airflow's supervisor, which finds the Dag ``barren`` in such a place."""
    folder = tmp_path_factory.mktemp("barren")
    bundle = folder / "barren_tasks"
    pack(SOURCE, bundle, fat=request.param == "fat")
    kept = shlex.join([str(folder), sys.prefix, sys.base_prefix])
    lines = "\n".join(PLACES[place])
    inside = INSIDE.format(place=lines, kept=kept, uid=NOBODY_KNOWN, gid=ROOT_GROUP)
    script = WAY_IN.format(inside=shlex.quote(inside), bundle=shlex.quote(str(bundle)))
    install(bare_airflow.executables / "barren", script)
    return bare_airflow


def install(file: Path, script: str) -> None:
    file.write_bytes(compose(script.encode(), b"#\n", write_metadata(["barren"], "2026-06-16")))
    file.chmod(0o755)


def run(barren: AirflowSupervisor, task_id: str) -> TaskReport:
    return barren.run("barren", task_id, variables={"region": "north"})


def returned(report: TaskReport, task_id: str) -> object:
    assert report.outcome == SUCCEEDED
    [value] = report.bodies(f"POST /xcoms/barren/live/{task_id}/return_value")
    return value


def test_the_place_is_as_barren_as_it_is_meant_to_be(barren: AirflowSupervisor, place: str) -> None:
    """Otherwise the tests below would prove nothing."""
    folders = [".", "/var/tmp", "/tmp", "/dev/shm"]
    read_only = dict.fromkeys(folders, "Read-only file system")
    found = returned(run(barren, "tells_where_it_is"), "tells_where_it_is")
    writing = read_only if place == READ_ONLY else {**dict.fromkeys(folders, "nothing"), ".": "Permission denied"}
    assert found == {"uid": NOBODY_KNOWN, "home": "none", "writing": writing}


def test_nothing_can_be_run_from_tmp(barren: AirflowSupervisor, place: str) -> None:
    reason = "Read-only file system" if place == READ_ONLY else "Permission denied"
    assert returned(run(barren, "tells_whether_tmp_is_any_good"), "tells_whether_tmp_is_any_good") == reason


def test_a_task_runs_asks_and_logs(barren: AirflowSupervisor) -> None:
    report = run(barren, "works")
    assert returned(report, "works") == "north"
    assert [record["event"] for record in report.log if record["logger"] != "outboard"] == ["printed", "logged"]


def test_a_coroutine_task_runs_in_threads_too(barren: AirflowSupervisor) -> None:
    assert returned(run(barren, "awaits"), "awaits") == ["awaited", "north"]


def test_an_exception_has_its_traceback(barren: AirflowSupervisor) -> None:
    report = run(barren, "raises")
    assert report.outcome == FAILED
    [error] = report.record(level="error")["error_detail"]
    assert (error["exc_value"], error["frames"][-1]["name"]) == ("as anywhere", "raises")
