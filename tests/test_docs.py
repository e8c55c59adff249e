"""The pages that a newcomer follows do what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runtime.child import Child

ROOT = Path(__file__).resolve().parents[1]
OUTBOARD = Path(sys.executable).parent / "outboard"
TUTORIAL = ROOT / "docs" / "tutorial" / "first-run.md"

PAGES = sorted(path for folder in ("", "docs") for path in (ROOT / folder).glob("**/*.md" if folder else "*.md"))


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


def run(file: Path, cache: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [OUTBOARD, "run", file, *options],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "OUTBOARD_CACHE_DIR": str(cache)},
    )


def test_the_example_of_the_readme_is_the_file_that_the_tests_run() -> None:
    assert blocks(ROOT / "README.md", "python") == [(ROOT / "fixtures" / "dags" / "hello.py").read_text()]


def test_the_readme_has_both_commands_each_in_one_line() -> None:
    first, second = (command.strip() for command in blocks(ROOT / "README.md", "sh"))
    assert first.endswith("outboard run fixtures/dags/weather.py --conn archive=local://vega/seattle-weather")
    assert second.endswith("python -m pytest -q")
    assert "\n" not in first + second


def test_the_tutorial_runs_fails_and_runs_again_as_it_says(tmp_path: Path) -> None:
    first, failing, metadata, formatted = blocks(TUTORIAL, "python")
    file = tmp_path / "prices.py"
    file.write_text(first)
    done = run(file, tmp_path)
    assert (done.returncode, "12.333333333333334" in done.stdout) == (0, True), done.stderr

    second = re.sub(r"    @task\n    def extract.*?\n\n(?=    @task)", failing + "\n", first, count=1, flags=re.DOTALL)
    file.write_text(second)
    done = run(file, tmp_path)
    assert done.returncode == 1
    assert "upstream_failed" in done.stdout
    assert run(file, tmp_path, "--var", "prices=12.5 11 13.5").returncode == 0

    average = r"    @task\n    def average.*?\n\n"
    file.write_text(metadata + re.sub(average, formatted + "\n", second, count=1, flags=re.DOTALL))
    done = run(file, tmp_path, "--var", "prices=12500 11000 13500")
    assert (done.returncode, "12,333.33" in done.stdout) == (0, True), done.stderr
    assert "building the environment of prices.py: humanize==4.14.0" in done.stderr


def test_the_trigger_of_the_page_on_waiting_fires(tmp_path: Path) -> None:
    harbour, *_ = blocks(ROOT / "docs" / "how-to" / "waiting-and-humans.md", "python")
    file = tmp_path / "harbour.py"
    file.write_text(harbour)
    done = run(file, tmp_path, "--var", "water=4")
    assert (done.returncode, '{"level": 3.5}' in done.stdout) == (0, True), done.stderr


STATES = ROOT / "docs" / "how-to" / "states.md"
# Of sections that are about no state in particular.
OTHER_STATES = {"A run of another Dag": "deferred", "Around the body": "up_for_retry"}


def state_examples() -> list[tuple[str, str]]:
    """The state that a section is about, and the author's file of each of its examples."""
    intro, *sections = STATES.read_text().split("\n## ")
    code = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    [imports] = code.findall(intro)
    found = []
    for section in sections:
        heading = section.partition("\n")[0]
        state = OTHER_STATES.get(heading) or heading.split("`")[1]
        found += [(state, f"{imports}\n\n{example}") for example in code.findall(section)]
    return found


@pytest.mark.parametrize(("state", "source"), state_examples(), ids=lambda each: each if len(each) < 20 else "")
def test_each_example_on_the_page_about_states_ends_as_it_says(tmp_path: Path, state: str, source: str) -> None:
    task_id = re.findall(r"task_id=\"(\w+)\"|@task.*\n    def (\w+)", source)[0]
    with Child(tmp_path, source) as child:
        report = child.run("".join(task_id), should_retry=True)
    assert report.state == state, child.records


def test_the_page_about_states_has_an_example_of_each() -> None:
    told = {state for state, _ in state_examples()}
    assert told == {"success", "skipped", "failed", "up_for_retry", "up_for_reschedule", "deferred", "awaiting_input"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    missing = [link for link in targets if "://" not in link and not (page.parent / link).exists()]
    assert missing == []
