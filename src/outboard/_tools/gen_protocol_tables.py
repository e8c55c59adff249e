"""Write the catalogue of messages into the protocol's reference page.

::

    python -m outboard._tools.gen_protocol_tables            # writes docs/reference/protocol.md
    python -m outboard._tools.gen_protocol_tables --check    # exits 1 when a table is stale

Fields, types and defaults come from the generated catalogue. Which reply belongs to which request is in no schema, so it
stands here.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from outboard._tools import generated_block
from outboard.protocol import messages as m

NOTHING = "nothing"
OK = "OKResponse"
ERROR = "ErrorResponse"

# request: what a supervisor answers. An ErrorResponse among the answers is one for what is not found, or is there already.
REPLIES = {
    "ClearAssetStateStoreByName": OK,
    "ClearAssetStateStoreByUri": OK,
    "ClearTaskStateStore": OK,
    "CreateHITLDetailPayload": "HITLDetailRequestResult",
    "DeleteAssetStateStoreByName": OK,
    "DeleteAssetStateStoreByUri": OK,
    "DeleteTaskStateStore": OK,
    "DeleteVariable": OK,
    "DeleteXCom": NOTHING,
    "GetAssetByName": f"AssetResult or {ERROR}",
    "GetAssetByUri": f"AssetResult or {ERROR}",
    "GetAssetEventByAsset": "AssetEventsResult",
    "GetAssetEventByAssetAlias": "AssetEventsResult",
    "GetAssetStateStoreByName": f"AssetStateStoreResult or {ERROR}",
    "GetAssetStateStoreByUri": f"AssetStateStoreResult or {ERROR}",
    "GetAssetsByAlias": "AssetsByAliasResult",
    "GetConnection": f"ConnectionResult or {ERROR}",
    "GetDRCount": "DRCount",
    "GetDag": "DagResult",
    "GetDagRun": "DagRunResult",
    "GetDagRunState": "DagRunStateResult",
    "GetHITLDetailResponse": "an error: not served to tasks",
    "GetPrevSuccessfulDagRun": "PrevSuccessfulDagRunResult",
    "GetPreviousDagRun": "PreviousDagRunResult",
    "GetPreviousTI": "PreviousTIResult",
    "GetTICount": "TICount",
    "GetTaskBreadcrumbs": "TaskBreadcrumbsResult",
    "GetTaskRescheduleStartDate": "TaskRescheduleStartDate",
    "GetTaskStateStore": f"TaskStateStoreResult or {ERROR}",
    "GetTaskStates": "TaskStatesResult",
    "GetVariable": f"VariableResult or {ERROR}",
    "GetVariableKeys": "VariableKeysResult",
    "GetXCom": "XComResult; a missing XCom has the value null",
    "GetXComCount": "XComCountResponse",
    "GetXComSequenceItem": f"XComSequenceIndexResult or {ERROR}",
    "GetXComSequenceSlice": "XComSequenceSliceResult",
    "MaskSecret": NOTHING,
    "PutVariable": NOTHING,
    "ResendLoggingFD": "SentFDs; over a Unix socket only",
    "SetAssetStateStoreByName": OK,
    "SetAssetStateStoreByUri": OK,
    "SetExecutionTimeout": NOTHING,
    "SetRenderedFields": NOTHING,
    "SetRenderedMapIndex": NOTHING,
    "SetTaskStateStore": OK,
    "SetXCom": NOTHING,
    "SkipDownstreamTasks": NOTHING,
    "TriggerDagRun": f"{OK} or {ERROR}",
    "UpdateDagRunNote": OK,
    "UpdateHITLDetail": "an error: not served to tasks",
    "ValidateInletsAndOutlets": "InactiveAssetsResult",
}

GREETINGS = (m.TASK_GREETING, m.PARSE_GREETING)
REPORTS = (*sorted(m.TERMINAL), m.PARSE_RESULT)
# Messages by their form, which only occur inside of a parse request.
PARTS_OF_A_PARSE_REQUEST = ("DagCallbackRequest", "EmailRequest", "TaskCallbackRequest")

WORDS = {
    "any": "JSON",
    "bool": "boolean",
    "datetime": "time",
    "duration": "duration",
    "int": "integer",
    "json": "JSON",
    "null": "null",
    "number": "number",
    "str": "string",
    "uuid": "UUID",
}


def replies() -> list[str]:
    """The messages that only a supervisor sends, after the greeting."""
    rest = m.MESSAGES - REPLIES.keys() - set(GREETINGS) - set(REPORTS) - set(PARTS_OF_A_PARSE_REQUEST)
    return sorted(rest)


def own() -> list[str]:
    """The messages that outboard adds: the greeting, then what ends the exchange."""
    return [m.TRIGGER_GREETING, *sorted(m.TRIGGER_REPORTS, reverse=True)]


def structures() -> list[str]:
    """The definitions that stand inside of messages."""
    return [*PARTS_OF_A_PARSE_REQUEST, *sorted(m.DEFINED - m.MESSAGES)]


def blocks() -> dict[str, str]:
    """The tables, by the name of their block."""
    return {
        "greetings": _table(GREETINGS),
        "requests": _table(sorted(REPLIES), REPLIES),
        "reports": _table(REPORTS),
        "replies": _table(replies()),
        "structures": _table(structures()),
        "enumerations": _enumerations(),
        "own": _table(own()),
    }


def _table(names: Any, answers: dict[str, str] | None = None) -> str:
    heads = ["name", "required fields", "optional fields = default"] + (["reply"] if answers else [])
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name in names:
        fields = m.definition(name).spec
        cells = [
            f"`{name}`{_mark(name)}",
            "<br>".join(_field(name, field, kind) for field, kind, required, _ in fields if required) or "–",
            "<br>".join(_field(name, *rest) for *rest, required, default in _optional(fields)) or "–",
        ]
        lines.append(f"| {' | '.join(cells + ([answers[name]] if answers else []))} |")
    return "\n".join(lines)


def _optional(fields: Any) -> Any:
    for field, kind, required, default in fields:
        if not required:
            yield field, kind, default, required, default


def _field(owner: str, field: str, kind: Any, default: object = None) -> str:
    if kind == ("enum", default):
        return f"`{field}` always `{json.dumps(default)}`"
    shown = "" if default is None else f" = `{json.dumps(default)}`"
    return f"`{field}` {_type(kind)}{shown}{_mark(owner, field)}"


def _mark(name: str, field: str | None = None) -> str:
    """A plus behind what the newest date added."""
    added = m.ADDED[m.SCHEMA_DATES[-1]]
    new = added[name] is None if name in added else False
    if field is None:
        return " ⁺" if new else ""
    return " ⁺" if name in added and field in (added[name] or ()) else ""


def _type(kind: Any) -> str:
    if isinstance(kind, str):
        return WORDS[kind]
    head, *rest = kind
    if head == "ref":
        return str(rest[0])
    if head == "optional":
        return f"{_type(rest[0])}?"
    if head == "list":
        return f"[{_type(rest[0])}]" + (f" (at least {rest[1]})" if rest[1] else "")
    if head == "map":
        return f"{{{_type(rest[0])}}}"
    if head == "enum":
        return " or ".join(f"`{json.dumps(value)}`" for value in rest)
    if head == "above":
        return f"{_type(rest[1])} > {rest[0]}"
    if head == "least":
        return f"{_type(rest[1])} ≥ {rest[0]}"
    parts = map(_type, rest)
    return f"({', '.join(parts)})" if head == "tuple" else " or ".join(parts)


def _enumerations() -> str:
    names = sorted({name for owner in m.DEFINED for _, kind, *_ in m.definition(owner).spec for name in _named(kind)})
    lines = ["| name | values |", "|---|---|"]
    for name in names:
        values = m.enum_values(name)
        if values is not None:
            lines.append(f"| `{name}` | {', '.join(f'`{value}`' for value in values)} |")
    return "\n".join(lines)


def _named(kind: Any) -> list[str]:
    if isinstance(kind, str):
        return []
    head, *rest = kind
    if head == "ref":
        return [rest[0]]
    return [name for part in rest if isinstance(part, (tuple, str)) for name in _named(part)]


def main(argv: list[str] | None = None) -> int:
    """Write the tables, or check that they are current."""
    return generated_block.main(__doc__, {generated_block.PROTOCOL_PAGE: blocks()}, argv)


if __name__ == "__main__":
    sys.exit(main())
