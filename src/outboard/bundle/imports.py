"""Which modules a file imports, as its text says.

Asks the interpreter that will run the file, since only that one knows its syntax; executes nothing of it. Sees import
statements anywhere in a file, and calls of `importlib.import_module` and `__import__` whose argument stands there as text.
Must not know where modules are, nor whether they exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from outboard.bundle.compiler import evaluate
from outboard.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ("Import", "find_imports")

# The walk keeps its own stack: a long chain of operators is deeper than Python lets functions call each other.
_FINDER = """
import ast, sys, marshal

ABSENCE = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
PLACE = {"sys.version_info", "version_info", "sys.hexversion", "sys.platform", "sys.implementation", "os.name"}
PLACE |= {"platform.system", "platform.python_version", "platform.python_implementation"}
OWN_NAMES = {"__package__", "__name__"}

def words(node):
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            yield each.id
        elif isinstance(each, ast.Attribute):
            yield each.attr
            if isinstance(each.value, ast.Name):
                yield each.value.id + "." + each.attr
        elif isinstance(each, ast.Constant) and each.value == "__main__":
            yield "__main__"

def tolerates(node):
    return node is None or not ABSENCE.isdisjoint(words(node))

def suppresses(node):
    call = node.context_expr
    return isinstance(call, ast.Call) and "suppress" in words(call.func) and any(map(tolerates, call.args))

def parts(node, optional):
    if isinstance(node, (ast.Try, getattr(ast, "TryStar", ast.Try))):
        caught = optional or any(tolerates(handler.type) for handler in node.handlers)
        return [(node.body, caught), (node.handlers, caught), (node.orelse, caught), (node.finalbody, optional)]
    if isinstance(node, (ast.With, ast.AsyncWith)):
        return [(node.items, optional), (node.body, optional or any(map(suppresses, node.items)))]
    if isinstance(node, ast.If):
        negated = isinstance(node.test, ast.UnaryOp) and isinstance(node.test.op, ast.Not)
        said = set(words(node.test))
        depends = not PLACE.isdisjoint(said)
        never = "TYPE_CHECKING" in said or "__main__" in said
        return [([node.test], optional), (node.body, optional or depends or never and not negated),
                (node.orelse, optional or depends or never and negated)]
    return [(ast.iter_child_nodes(node), optional)]

def text(node):
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None

def called(node):
    function = node.func
    if not isinstance(function, (ast.Name, ast.Attribute)) or not node.args:
        return None
    if getattr(function, "id", None) != "__import__" and "import_module" not in (
        getattr(function, "id", None), getattr(function, "attr", None)
    ):
        return None
    name = text(node.args[0]) or ""
    base = name.lstrip(".")
    level = len(name) - len(base)
    if not all(part.isidentifier() for part in base.split(".")):
        return None
    if level:
        package = [*node.args[1:2], *(each.value for each in node.keywords if each.arg == "package")]
        if not package:
            return None
        if text(package[0]):
            above = text(package[0]).split(".")
            return 0, ".".join(above[: len(above) - level + 1] + [base])
        if OWN_NAMES.isdisjoint(words(package[0])):
            return None
    return level, base

def find(tree):
    found = []
    stack = [(tree, False)]
    while stack:
        node, optional = stack.pop()
        if isinstance(node, ast.Import):
            found += [(node.lineno, 0, alias.name, [], optional) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names]
            found.append((node.lineno, node.level, node.module or "", names, optional))
        elif isinstance(node, ast.Call) and (target := called(node)):
            found.append((node.lineno, *target, [], optional))
        for children, is_optional in parts(node, optional):
            stack += [(child, is_optional) for child in children]
    return sorted(found)

answer = []
for name, data in marshal.load(sys.stdin.buffer):
    try:
        tree = ast.parse(data, name)
        compile(data, name, "exec", dont_inherit=True)
        answer.append(find(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        where = name + ", line " + str(line) if line else name
        answer.append(where + ": " + (getattr(error, "msg", None) or str(error)))
sys.stdout.buffer.write(marshal.dumps(answer, 2))
"""


@attrs.frozen(kw_only=True)
class Import:
    """One import statement, or one module of several in it.

    Attributes:
        line: where it begins.
        level: the number of leading dots; 0 is absolute.
        base: the module's dotted name behind the dots; may be empty if there are dots.
        names: what is taken from that module: names in it, or modules below it.
        optional: whether the file can do without: it catches the failure, or never gets there in a task, or only under
            some versions or platforms.
    """

    line: int
    level: int
    base: str
    names: tuple[str, ...]
    optional: bool


def find_imports(executable: Path, files: Sequence[tuple[str, bytes]]) -> list[tuple[Import, ...] | LoadError]:
    """Read the imports of files.

    Args:
        executable: the interpreter that will run them.
        files: the name of each, as errors show it, and its bytes.

    Returns:
        For each file its imports by line, or why the interpreter refuses its text.

    Raises:
        BundleError: the interpreter failed.
    """
    answer: list[list[tuple[int, int, str, list[str], bool]] | str] = evaluate(executable, _FINDER, list(files))
    return [LoadError(found) if isinstance(found, str) else tuple(map(_import, found)) for found in answer]


def _import(found: tuple[int, int, str, list[str], bool]) -> Import:
    line, level, base, names, optional = found
    return Import(line=line, level=level, base=base, names=tuple(names), optional=optional)
