"""Loading what the author wrote: importing its modules, and telling the author's mistakes from ours.

Whoever prepared the process (the bundle's bootstrap) has put the modules on ``sys.path``; this module knows their names only.
"""

from __future__ import annotations

import sys

from outboard.errors import LoadError
from outboard.sdk.dag import take_registered
from outboard.sdk.registry import Declarations, collect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ("AuthorError", "import_author_module", "load", "load_each")


class AuthorError(LoadError):
    """Executing an author's module raised an exception, which is the cause.

    Attributes:
        module: the module's name.
        report: the traceback as text, trimmed to what is not outboard's own.
    """

    def __init__(self, module: str, error: BaseException) -> None:
        from outboard.runtime.tracebacks import message_of, report_of

        said = message_of(error)
        last = f"{type(error).__name__}: {said}" if said else type(error).__name__
        super().__init__(f"the file {module!r} cannot be loaded: {last}")
        self.module = module
        self.report = report_of(error)


def load(modules: Sequence[str]) -> list[Declarations]:
    """What each of the modules declares.

    Raises:
        AuthorError: the first module that cannot be loaded.
    """
    return [import_author_module(module) for module in modules]


def load_each(modules: Sequence[str]) -> tuple[dict[str, Declarations], list[AuthorError]]:
    """What the modules declare that can be loaded, by module, and why the others cannot."""
    loaded: dict[str, Declarations] = {}
    failed: list[AuthorError] = []
    for module in modules:
        try:
            loaded[module] = import_author_module(module)
        except AuthorError as error:
            failed.append(error)
    return loaded, failed


def import_author_module(module: str) -> Declarations:
    """Import one module by its dotted name and collect what it declares.

    Raises:
        AuthorError: it raised an exception; SystemExit counts, since a file that calls ``sys.exit`` cannot be loaded.
    """
    take_registered()  # what a module that failed has left
    try:
        __import__(module)
    except (Exception, SystemExit) as error:
        raise AuthorError(module, error) from error
    return collect(vars(sys.modules[module]))
