"""What the doctor says: one finding is one line, with what is wrong, where, and what to do about it."""

from __future__ import annotations

from typing import Literal

import attrs

__all__ = ("CODES", "Finding", "Severity")

Severity = Literal["problem", "note"]

CODES = frozenset(
    (
        # the configuration
        *("airflow-cfg", "coordinators", "routes", "queue-not-routed", "classpath", "kwargs", "dag-bundle"),
        # the folders
        *("root", "unreadable", "no-bundle", "dag-id-unknown", "dag-id-twice", "look-up-cost"),
        # a file that Airflow passes over
        *("execute-bit", "trailer", "hash", "yaml", "dags", "schema-date", "name"),
        # a bundle that does not start
        *("interpreter", "damaged", "startup-timeout"),
    )
)
"""All kinds of findings. Scripts may rely on them; docs/reference/cli.md explains them."""


@attrs.frozen(kw_only=True)
class Finding:
    """One thing that the doctor found.

    Attributes:
        code: what kind it is, one of `CODES`.
        severity: ``problem`` if tasks don't run, or not the right ones; ``note`` for what is only good to know.
        where: the file, folder or setting.
        what: what is wrong with it.
        remedy: what to do.
    """

    code: str = attrs.field(validator=attrs.validators.in_(CODES))
    severity: Severity = "problem"
    where: str
    what: str
    remedy: str

    @property
    def line(self) -> str:
        """The finding in one line."""
        text = f"{self.severity}: {self.where}: {self.what}" + (f"; {self.remedy}" if self.remedy else "")
        return " ".join(text.split())
