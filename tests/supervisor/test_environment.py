"""What a task's process finds in its environment."""

from __future__ import annotations

import pytest

from outboard.supervisor.environment import SCRATCH_NAMES, child_environment


@pytest.mark.parametrize("name", ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "https_proxy", "XDG_CACHE_HOME"])
def test_what_every_program_needs_passes(name: str) -> None:
    assert child_environment({name: "v"}, {}, "/s")[name] == "v"


@pytest.mark.parametrize(
    "name",
    [
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
        "AIRFLOW__API_AUTH__JWT_SECRET",
        "AWS_SECRET_ACCESS_KEY",
        "DATABASE_URL",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "VIRTUAL_ENV",
        "LD_PRELOAD",
    ],
)
def test_nothing_else_passes(name: str) -> None:
    assert name not in child_environment({name: "v"}, {}, "/s")


def test_additions_win_over_everything() -> None:
    found = child_environment({"HOME": "/h", "TMPDIR": "/t"}, {"HOME": "/mine", "TMPDIR": "/mine", "SECRET": "s"}, "/s")
    assert (found["HOME"], found["TMPDIR"], found["SECRET"]) == ("/mine", "/mine", "s")


def test_every_name_of_the_temporary_directory_is_set() -> None:
    found = child_environment({"TMPDIR": "/tmp"}, {}, "/s")
    assert [found[name] for name in SCRATCH_NAMES] == ["/s"] * 3
