"""What an Airflow is configured with: its environment variables, or a file of them, and its ``airflow.cfg``.

Knows where Airflow looks for an option, in which order, and how it expands what it finds. Must not know what any option means.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import attrs

from outboard.errors import UsageError

__all__ = ("Configuration", "Value", "read_env_file")

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")

# Airflow expands until nothing changes any more; a variable that holds itself would never stop.
_MAX_EXPANSIONS = 20


@attrs.frozen
class Value:
    """An option that is set: its text, and where, for a person."""

    text: str
    where: str


@attrs.frozen
class Configuration:
    """The options of one Airflow.

    Attributes:
        environment: its variables, which come first.
        file: its ``airflow.cfg``; it need not exist.
        options: what that file holds, by section and key.
        problem: why the file cannot be read, or None.
    """

    environment: Mapping[str, str]
    file: Path
    options: Mapping[tuple[str, str], str]
    problem: str | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Configuration:
        """What an Airflow would find that starts with these variables on this machine."""
        home = _expanded(environment.get("AIRFLOW_HOME", "~/airflow"), environment)
        file = Path(_expanded(environment.get("AIRFLOW_CONFIG", f"{home}/airflow.cfg"), environment))
        # Airflow's own way with %: both kinds of section are read alike, and a broken file is passed over.
        parser = configparser.ConfigParser()
        try:
            parser.read_string(file.read_text(encoding="utf-8"), source=str(file))
            options = {
                (section, key): parser.get(section, key) for section in parser.sections() for key in parser[section]
            }
        except FileNotFoundError:
            return cls(environment, file, {})
        except (OSError, UnicodeDecodeError, configparser.Error) as error:
            return cls(environment, file, {}, " ".join(str(error).split()))
        return cls(environment, file, options)

    def get(self, section: str, key: str) -> Value | None:
        """An option; None if it is not set."""
        variable = f"AIRFLOW__{section}__{key}".upper()
        if variable in self.environment:
            return Value(_expanded(self.environment[variable], self.environment), variable)
        if (section, key) in self.options:
            return Value(_expanded(self.options[section, key], self.environment), f"{self.file}, [{section}] {key}")
        return None

    def get_json(self, section: str, key: str) -> object:
        """An option that is JSON, decoded; None if it is not set or empty.

        Raises:
            ValueError: it is no JSON. The text says where it is and what is wrong.
        """
        found = self.get(section, key)
        if found is None or not found.text:
            return None
        try:
            return json.loads(found.text)
        except ValueError as error:
            raise ValueError(f"it is not JSON: {error}") from error

    def where(self, section: str, key: str) -> str:
        """Where an option is set, or would be, for a person."""
        found = self.get(section, key)
        return found.where if found is not None else f"[{section}] {key}"

    def user_path(self, text: str) -> Path:
        """A path whose ``~`` is the home of whoever has these variables."""
        return Path(_home_expanded(text, self.environment))

    @property
    def dags_folder(self) -> Path:
        """Where Airflow's own Dag files are."""
        found = self.get("core", "dags_folder")
        return Path(found.text) if found is not None else self.home / "dags"

    @property
    def home(self) -> Path:
        """Airflow's home."""
        return Path(_expanded(self.environment.get("AIRFLOW_HOME", "~/airflow"), self.environment))


def read_env_file(path: Path) -> dict[str, str]:
    """Read lines of ``NAME=VALUE``, in the notation of a shell, Docker or systemd: quotes and ``export`` are optional.

    Raises:
        UsageError: it cannot be read, or a line is not of this form.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--env {path}: it cannot be read: {getattr(error, 'strerror', None) or error}") from error
    variables: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip().removeprefix("export ").strip()
        if not stripped or stripped.startswith("#"):
            continue
        name, mark, value = stripped.partition("=")
        if not mark or not re.fullmatch(r"\w+", name):
            raise UsageError(f"--env {path}, line {number}: write it as NAME=VALUE")
        variables[name] = _unquoted(value, path, number)
    return variables


def _unquoted(value: str, path: Path, number: int) -> str:
    if not value.startswith(("'", '"')):
        return value
    try:
        return "".join(shlex.split(value))
    except ValueError as error:
        raise UsageError(f"--env {path}, line {number}: {str(error).lower()}") from error


def _expanded(text: str, environment: Mapping[str, str]) -> str:
    for _ in range(_MAX_EXPANSIONS):
        replaced = _VARIABLE.sub(lambda found: environment.get(found[1] or found[2], found[0]), text)
        replaced = _home_expanded(replaced, environment)
        if replaced == text:
            break
        text = replaced
    return text


def _home_expanded(text: str, environment: Mapping[str, str]) -> str:
    if text == "~" or text.startswith("~/"):
        return (environment.get("HOME") or os.path.expanduser("~")) + text[1:]
    return os.path.expanduser(text) if text.startswith("~") else text
