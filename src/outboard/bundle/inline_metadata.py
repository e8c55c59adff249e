"""The inline metadata of a single-file script: PEP 723.

Knows how the block is found in a file's text and what may stand in it: no credentials, since a bundle carries the text of its
files. Pure: must not know what is done with it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence

import attrs

from outboard.bundle.credentials import has_credential, without_credentials
from outboard.errors import UsageError

__all__ = ("InlineMetadata", "check_requirement", "merge", "read")

# The block's grammar is the standard's: a start line, comment lines, and the last end line among them.
_BLOCK = re.compile(r"(?m)^# /// (?P<kind>[a-zA-Z0-9-]+)$\s(?P<content>(?:^#(?: .*)?$\s)+)^# ///$")
_KIND = "script"


@attrs.frozen(kw_only=True)
class InlineMetadata:
    """What a file asks of the environment that it runs in.

    Attributes:
        requires_python: a version specifier such as ``">=3.11"``, or None.
        dependencies: requirements as pip reads them, in the file's order.
    """

    requires_python: str | None = None
    dependencies: tuple[str, ...] = ()


def read(text: str, file: str) -> InlineMetadata | None:
    """Read the metadata of a file, or None where it has none.

    Args:
        text: the file's text.
        file: its name, for the error.

    Raises:
        UsageError: two blocks, a block that is no TOML, whose fields have another type, or that holds a credential.
    """
    # What editors on Windows add: a mark before the first line, and another end to each.
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n")
    blocks = [block for block in _BLOCK.finditer(plain) if block["kind"] == _KIND]
    if not blocks:
        return None
    if len(blocks) > 1:
        raise UsageError(f"{file} has {len(blocks)} blocks of script metadata; keep one")
    if has_credential(blocks[0]["content"]):
        raise UsageError(
            f"{file}: its script metadata holds a credential, which would be in every bundle of it; write ${{NAME}} there "
            "and set that variable, or leave it to netrc"
        )
    lines = blocks[0]["content"].splitlines()
    try:
        document = tomllib.loads("\n".join(line[2:] for line in lines))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file}: its script metadata is not TOML: {error}") from error
    return _checked(document, file)


def _checked(document: dict[str, object], file: str) -> InlineMetadata:
    requires_python = document.get("requires-python")
    if requires_python is not None and not isinstance(requires_python, str):
        raise UsageError(f'{file}: requires-python must be text, such as ">=3.11", not {requires_python!r}')
    dependencies = document.get("dependencies", [])
    if not isinstance(dependencies, list):
        raise UsageError(f"{file}: dependencies must be a list of requirements, not {dependencies!r}")
    for requirement in dependencies:
        check_requirement(requirement, file)
    return InlineMetadata(requires_python=requires_python, dependencies=tuple(dependencies))


def check_requirement(requirement: object, where: str) -> None:
    """Refuse what cannot be a requirement, before anybody takes it for an option.

    Raises:
        UsageError: no text, or text that says nothing or begins with a dash.
    """
    if not isinstance(requirement, str) or not requirement.strip() or requirement.lstrip().startswith("-"):
        text = without_credentials(repr(requirement))
        raise UsageError(f'{where}: {text} is not a requirement, such as "pandas==2.3.3"')


def merge(several: Sequence[InlineMetadata]) -> InlineMetadata:
    """What several files ask for together: all of it."""
    wishes = dict.fromkeys(each.requires_python for each in several if each.requires_python is not None)
    dependencies = dict.fromkeys(requirement for each in several for requirement in each.dependencies)
    return InlineMetadata(requires_python=",".join(wishes) if wishes else None, dependencies=tuple(dependencies))
