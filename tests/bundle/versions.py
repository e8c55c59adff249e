"""Several versions of a bundle, really packed, to deploy over one another."""

from __future__ import annotations

from pathlib import Path

from outboard.bundle import packer
from outboard.bundle.contents import collect
from outboard.bundle.target import Target

__all__ = ("pack_version",)

# One Dag whose only task says which version it is, once somebody has made a file called "go" beside the one it makes. The
# padding makes every offset in the file another one in every version, so that none can be read as another unnoticed.
_AUTHOR = """
import os
import time
from outboard import dag, task

PADDING = "{padding}"

@dag
def {dag_id}():
    @task
    def which():
        folder = os.environ.get("MEETING_PLACE")
        if folder:
            open(os.path.join(folder, "started"), "w").close()
            while not os.path.exists(os.path.join(folder, "go")):
                time.sleep(0.01)
        import logging
        logging.getLogger("author").warning("this is version {number}")
        return {number}

    which()

{dag_id}()
"""


def pack_version(number: int, folder: Path, target: Target, *, name: str = "weather", dag_id: str = "weather") -> Path:
    """Pack version `number` of a Dag as ``folder/number/name``."""
    source = folder / f"{name}.py"
    source.write_text(_AUTHOR.format(dag_id=dag_id, number=number, padding="." * (number * 1000)))
    output = folder / str(number) / name
    output.parent.mkdir(exist_ok=True)
    packer.write(packer.draft(collect([source], [], target), target), output, {dag_id: ()})
    return output
