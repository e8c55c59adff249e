"""Settings of the Airflow around, where a worker's environment has them. Loaded by the tasks that are governed by one.

A bundle cannot read ``airflow.cfg``: what Airflow's supervisor does not put into the environment, and nobody has set there,
is not known here, and Airflow's own default holds.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeVar

    T = TypeVar("T", bool, int, str)

__all__ = ("read",)

_TRUE, _FALSE = ("t", "true", "1"), ("f", "false", "0")


def read(environment: Mapping[str, str], section: str, name: str, default: T) -> T:
    """A setting, in the type of its default.

    What is not set counts for the default, and so does what is no number or neither on nor off: there is nobody here to ask.
    """
    text = environment.get(f"AIRFLOW__{section.upper()}__{name.upper()}", "").strip()
    if isinstance(default, str):
        return text or default
    if isinstance(default, bool):
        lower = text.lower()
        return True if lower in _TRUE else False if lower in _FALSE else default
    try:
        return int(text)
    except ValueError:
        return default
