"""Settings of the Airflow around, where a worker's environment has them. Loaded by the tasks that are governed by one.

A bundle cannot read ``airflow.cfg``: what Airflow's supervisor does not put into the environment, and nobody has set there,
is not known here, and Airflow's own default holds.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("flag", "number", "option")

_TRUE, _FALSE = ("t", "true", "1"), ("f", "false", "0")


def option(environment: Mapping[str, str], section: str, name: str) -> str | None:
    """The setting as it is written, or None."""
    return environment.get(f"AIRFLOW__{section.upper()}__{name.upper()}")


def flag(environment: Mapping[str, str], section: str, name: str, default: bool) -> bool:
    """A setting that is on or off; what is neither counts for the default, as nobody is here to be asked."""
    text = (option(environment, section, name) or "").strip().lower()
    return True if text in _TRUE else False if text in _FALSE else default


def number(environment: Mapping[str, str], section: str, name: str, default: int) -> int:
    """A setting that is a whole number; what is none counts for the default."""
    try:
        return int(option(environment, section, name) or default)
    except ValueError:
        return default
