"""The author's files of the live tests, packed, and their tasks under our supervisor. Knows what a supervisor serves them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import attrs

from outboard.bundle import packer, target
from outboard.bundle.contents import CHILD_LIBRARIES, collect
from outboard.protocol import messages as m
from outboard.supervisor.coordinator import run_task
from outboard.supervisor.local_store import LocalStore
from tests.supervisor.conftest import QUICK, Records, startup

__all__ = ("RUN", "Ended", "Packed", "pack_author_files")

AUTHOR_FILES = Path(__file__).parents[1] / "live" / "author_files"
RUN = "r"


@attrs.frozen(kw_only=True)
class Ended:
    """How a task ended, and what it left."""

    state: str
    xcoms: dict[str, Any]
    logs: Records
    terminal: m.Message | None

    def said(self, logger: str) -> list[tuple[str, str]]:
        """The level and text of all records of a logger, and of those below it, in order."""
        return [(record["level"], record["event"]) for record in self.logs.kept if record["logger"].startswith(logger)]


@attrs.define
class Packed:
    """The bundles, by the id of the Dag that each holds, and a store that all tasks of a test share."""

    bundles: dict[str, Path]
    store: LocalStore = attrs.field(factory=LocalStore)

    async def run(
        self,
        dag_id: str,
        task_id: str,
        *,
        should_retry: bool = False,
        environment: dict[str, str] | None = None,
        **context: Any,
    ) -> Ended:
        greeting = startup(task_id=task_id, should_retry=should_retry)
        greeting.ti.dag_id = greeting.ti_context.dag_run.dag_id = dag_id
        for name, value in context.items():
            setattr(greeting.ti_context, name, value)
        logs = Records()
        command = [str(self.bundles[dag_id]), "--stdio"]
        outcome = await run_task(command, greeting, ports=self.store.ports(logs), limits=QUICK, env=environment)
        return Ended(
            state=outcome.state,
            xcoms=self.store.run_xcoms(dag_id, RUN).get(task_id, {}),
            logs=logs,
            terminal=outcome.terminal,
        )


def pack_author_files(folder: Path, *dag_ids: str) -> dict[str, Path]:
    """Pack the files that are called as their Dags are; the bundles, by the id of the Dag."""
    here = target.inspect(Path(sys.prefix), libraries=CHILD_LIBRARIES)
    for dag_id in dag_ids:
        source, output = AUTHOR_FILES / f"{dag_id}.py", folder / dag_id
        packer.pack(collect([source], [], here), output, here, lambda bundle, dag_id=dag_id: {dag_id: ()})
    return {path.name: path for path in folder.iterdir()}
