"""How a figure is taken and shown: ours beside its floor, in one run, taken in turns, and the medians of both."""

from __future__ import annotations

import gc
import statistics
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ("Row", "medians", "table")


@attrs.frozen(kw_only=True)
class Row:
    """One figure, less of which is better.

    Attributes:
        what: what was measured, in words.
        unit: of ``floor`` and ``ours``.
        floor: what the machine needs for the least that could do the same; None where ``ours`` is itself such a step.
        ours: what we need.
        bar: the design's limit: a ratio to the floor, or (``absolute``) a figure in ``unit``; None where it has none.
    """

    what: str
    unit: str
    floor: float
    ours: float
    bar: float | None = None
    absolute: bool = False

    @property
    def ratio(self) -> float | None:
        """Ours in terms of the floor; None for a floor of nothing."""
        return self.ours / self.floor if self.floor else None

    @property
    def holds(self) -> bool | None:
        """Whether the bar is met; None without one."""
        if self.bar is None:
            return None
        figure = self.ours if self.absolute else self.ratio
        return figure is not None and figure <= self.bar

    def as_dict(self) -> dict[str, object]:
        """The row with its conclusions, for machines."""
        return {**attrs.asdict(self), "ratio": self.ratio, "holds": self.holds}


def medians(candidates: Mapping[str, Callable[[], float]], rounds: int, *, warm_up: int = 2) -> dict[str, float]:
    """Take each candidate's figure once a round, in turns, so that noise hits all alike; the medians by name."""
    figures: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(warm_up + rounds):
        for name, measure in candidates.items():
            gc.collect()
            figure = measure()
            if number >= warm_up:
                figures[name].append(figure)
    return {name: statistics.median(taken) for name, taken in figures.items()}


def table(rows: Sequence[Row], floor: str = "floor") -> str:
    """The rows as text, one line each. ``floor`` says what stands in that column."""
    cells = [("", floor, "ours", "unit", "ratio", "bar", "")]
    cells += [
        (row.what, f"{row.floor:.2f}", f"{row.ours:.2f}", row.unit, _ratio(row), _bar(row), _verdict(row))
        for row in rows
    ]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    words = {0, 3, 6}  # the others are figures, which align to the right
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in words else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    )


def _ratio(row: Row) -> str:
    return "" if row.ratio is None else f"{row.ratio:.2f} x"


def _bar(row: Row) -> str:
    if row.bar is None:
        return ""
    return f"<= {row.bar:g} {row.unit}" if row.absolute else f"<= {row.bar:g} x"


def _verdict(row: Row) -> str:
    return {None: "", True: "ok", False: "MISSED"}[row.holds]
