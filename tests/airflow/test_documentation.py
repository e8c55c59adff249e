"""The documentation names what there is: every code of the doctor's, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from outboard.airflow.finding import CODES
from outboard.airflow.rendering import render
from outboard.airflow.settings import Deployment

DOCS = Path(__file__).parents[2] / "docs"


def test_the_reference_explains_every_code_once() -> None:
    text = (DOCS / "reference" / "cli.md").read_text()
    table = text.partition("| code | what is wrong |\n")[2].partition("\n\n")[0]
    assert sorted(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)) == sorted(CODES)


def test_troubleshooting_leads_to_every_code() -> None:
    text = (DOCS / "how-to" / "troubleshooting.md").read_text()
    assert {code for code in CODES if f"`{code}`" not in text} <= {"airflow-cfg"}


def test_the_printed_settings_in_the_guide_are_those_that_are_printed() -> None:
    deployment = Deployment(airflow="3.3", root=PurePosixPath("/opt/airflow/bundles"), queue="outboard")
    assert render(deployment, "env") in (DOCS / "how-to" / "kubernetes-and-celery.md").read_text()
