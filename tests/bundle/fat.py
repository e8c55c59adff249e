"""Fat bundles for tests: an environment with native code in it, an author's file to go with it, and how to run the two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import pytest

from outboard.bundle import contents, packer, target
from outboard.bundle.contents import collect
from outboard.bundle.dependencies import PackedEnvironment, pack_environment
from outboard.bundle.environment import environment_for
from outboard.bundle.inline_metadata import InlineMetadata
from outboard.bundle.target import Target
from outboard.errors import EnvironmentBuildError
from outboard.supervisor.coordinator import run_task
from outboard.supervisor.limits import Limits
from outboard.supervisor.local_store import LocalStore
from outboard.supervisor.outcome import Outcome
from tests.supervisor.conftest import Records, startup

__all__ = ("AUTHOR", "CACHE", "NATIVE", "PURE", "Carried", "Finished", "carried", "run")

CACHE = Path(__file__).parents[2] / ".cache" / "outboard"

# Small, real, and with a module in C that a pure one stands in for only where it is missing.
NATIVE = ("markupsafe==3.0.3",)
PURE = ()

LIMITS = Limits(startup=60, execution=100)

AUTHOR = """
print("the author's code")

import sys
from outboard import dag, task


@dag
def d():
    @task
    def t():
        import markupsafe._speedups as native
        import msgpack

        return {
            "python": sys.executable,
            "prefix": sys.prefix,
            "native": native.__file__,
            "msgpack": msgpack.Packer.__module__,
            "escaped": str(markupsafe_escape("<&>")),
            "modules": sorted(sys.modules),
        }

    t()


def markupsafe_escape(text):
    from markupsafe import escape

    return escape(text)


d()
"""


@attrs.frozen
class Carried:
    """An environment, as it is and as bundles carry it."""

    target: Target
    packed: PackedEnvironment

    def draft(self, source: Path, *includes: Path, **options: object) -> packer.Draft:
        """All that a fat bundle of an author's file needs."""
        author = collect([source], includes, self.target)
        return packer.draft(author, self.target, carried=self.packed, **options)  # type: ignore[arg-type]

    def bundle(self, folder: Path, text: str = AUTHOR, name: str = "tasks") -> Path:
        """Write an author's file, and pack it with all it needs."""
        source = folder / f"{name}.py"
        source.write_text(text)
        output = folder / name
        packer.write(self.draft(source), output, {"d": ()})
        return output


@attrs.frozen
class Finished:
    """What came of a task."""

    outcome: Outcome
    records: Records
    result: dict

    @property
    def troubles(self) -> list[str]:
        """What the log holds above the level of a warning."""
        return [record["event"] for record in self.records.kept if record["level"] in ("error", "critical")]


def carried(requirements: Sequence[str], python: str | None = None) -> Carried:
    """The environment of some requirements, built once by our own means and then kept."""
    metadata = InlineMetadata(requires_python=None, dependencies=tuple(requirements))
    try:
        folder = environment_for(metadata, "the tests", cache=CACHE, tell=print, python=python)
    except EnvironmentBuildError as error:
        pytest.fail(f"no environment for fat bundles: {error}", pytrace=False)
    found = target.inspect(folder, libraries=contents.CHILD_LIBRARIES)
    return Carried(found, pack_environment(found))


async def run(
    command: Sequence[str | Path] | Path,
    *,
    records: Records | None = None,
    should_retry: bool = False,
    **environment: str | Path,
) -> Finished:
    """Run the author's task under our supervisor, with these variables in its environment."""
    words = [command] if isinstance(command, Path) else command
    records, store = records or Records(), LocalStore()
    variables: Mapping[str, str] = {name: str(value) for name, value in environment.items()}
    outcome = await run_task(
        [*map(str, words), "--stdio"],
        startup(should_retry=should_retry),
        ports=store.ports(records),
        limits=LIMITS,
        env=variables,
    )
    result = store.run_xcoms("d", "r").get("t", {}).get("return_value")
    return Finished(outcome, records, result)  # type: ignore[arg-type]
