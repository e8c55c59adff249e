"""How many instances a task will have that is expanded over a result. Loaded by the tasks that are mapped over."""

from __future__ import annotations

from outboard.sdk.exceptions import UnmappableXComTypePushed, XComForMappingNotPushed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from outboard.sdk.operator import BaseOperator

__all__ = ("mapped_length",)


def mapped_length(operator: BaseOperator, result: object) -> int:
    """The number of instances; Airflow's scheduler waits for it.

    Raises:
        XComForMappingNotPushed: there is no result to map over.
        UnmappableXComTypePushed: it is no list, tuple or other sequence, and no dict.
    """
    from collections.abc import Sequence

    if result is None:
        raise XComForMappingNotPushed(operator.label)
    if isinstance(result, (str, bytes, bytearray)) or not isinstance(result, (dict, Sequence)):
        raise UnmappableXComTypePushed(operator.label, result)
    return len(result)
