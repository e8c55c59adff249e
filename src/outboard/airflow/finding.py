"""What the doctor says: one finding is one line, with what is wrong, where, and what to do about it."""

from __future__ import annotations

from typing import Literal

import attrs

__all__ = ("Finding", "Severity")

Severity = Literal["problem", "note"]


@attrs.frozen(kw_only=True)
class Finding:
    """One thing that the doctor found.

    Attributes:
        code: what kind it is, such as ``execute-bit``; stable, and listed in the documentation.
        severity: ``problem`` if tasks don't run, or not the right ones; ``note`` for what is only good to know.
        where: the file, folder or setting.
        what: what is wrong with it.
        remedy: what to do.
    """

    code: str
    severity: Severity = "problem"
    where: str
    what: str
    remedy: str

    @property
    def line(self) -> str:
        """The finding in one line."""
        text = f"{self.severity}: {self.where}: {self.what}" + (f"; {self.remedy}" if self.remedy else "")
        return " ".join(text.split())
