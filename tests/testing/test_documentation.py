"""The page on testing tasks does what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from outboard.testing.fact_checks import KNOWN_FACTS
from outboard.testing.task_result import TaskResult

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "testing.md"


def test_the_examples_pass_as_they_stand(tmp_path: Path) -> None:
    sales, tests, waits = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    (tmp_path / "sales.py").write_text(sales)
    (tmp_path / "test_sales.py").write_text(tests)
    (tmp_path / "waits.py").write_text(waits)
    for arguments in (["-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"], ["waits.py"]):
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
            env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_it_names_all_facts_and_all_that_is_told() -> None:
    text = PAGE.read_text()
    told = [name for name in dir(TaskResult) if not name.startswith("_")]
    assert "triggered_runs" in told
    assert [name for name in (*KNOWN_FACTS, *told) if f"`{name}`" not in text] == []
