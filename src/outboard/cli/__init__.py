"""The ``outboard`` command, one module per command.

Needs the extra ``cli``. Nothing below imports this package.
"""

from __future__ import annotations

import sys

__all__ = ("main",)

# What the extra brings; the import of anything else that is missing is a fault of ours and keeps its traceback.
_EXTRA = frozenset({"cyclopts", "rich"})


def main() -> None:
    """Run the command line of this process, and exit with its code."""
    try:
        from outboard.cli.app import run_command_line
        from outboard.cli.output import prepare

        prepare()
        code = run_command_line(sys.argv[1:])
    except KeyboardInterrupt:  # before the command had begun
        code = 130
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRA:
            raise
        print(f"outboard: the command line needs {missing}; run: pip install 'outboard[cli]'", file=sys.stderr)
        code = 3
    sys.exit(code)
