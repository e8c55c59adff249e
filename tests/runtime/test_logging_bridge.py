"""Records of `logging` reach the supervisor once, however the author configures it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runtime.child import Child
from tests.runtime.test_task_runner import source

HEAD = "import logging, logging.config, sys\n"

BODY = """
def body():
    log = logging.getLogger('author.part')
    log.info('one')
    log.warning('two')
    logging.getLogger('library').info('three')
"""

# What the author does, and the loggers of what arrives: the author's, or of the stream that the author chose.
CONFIGURATIONS = {
    "": "author",
    "logging.basicConfig(level=logging.DEBUG, format='%(message)s')": "author",
    "logging.basicConfig(filename='/nonexistent/never/opened')": "author",
    "logging.basicConfig(level=logging.INFO, force=True)": "task.stderr",
    "logging.basicConfig(level=logging.INFO, force=True, stream=sys.stdout)": "task.stdout",
    "logging.config.dictConfig({'version': 1, 'loggers': {'author': {'level': 'INFO'}}})": "author",
    """logging.config.dictConfig({'version': 1, 'root': {'level': 'INFO', 'handlers': ['a']},
        'handlers': {'a': {'class': 'logging.StreamHandler', 'stream': 'ext://sys.stdout'}}})""": "task.stdout",
    "logging.captureWarnings(True)": "author",
}


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_no_record_is_lost_or_doubled(tmp_path: Path, configuration: str) -> None:
    with Child(tmp_path, source(BODY, head=f"{HEAD}{configuration}\n")) as child:
        report = child.run()
    assert report.state == "success", child.records
    events = [str(record["event"]) for record in child.said()]
    assert [[word in event for event in events].count(True) for word in ("one", "two", "three")] == [1, 1, 1]
    assert str(child.said()[0]["logger"]).startswith(CONFIGURATIONS[configuration])
