"""Record how Airflow's own code encodes and decodes frames, values and messages, as fixtures for our tests.

::

    AIRFLOW/bin/python src/outboard/_tools/record_wire.py            # writes fixtures/wire/DATE/*.json
    AIRFLOW/bin/python src/outboard/_tools/record_wire.py --check    # exits 1 when a recording would differ

Runs inside an Airflow environment (``.ci/pins/airflow-3.3.2.txt``), which has no outboard: this file imports nothing of
it. DATE is that of the environment's supervisor schema. Bytes are kept as hexadecimal text. What JSON has no form for is
kept under a one-key map: ``{"$timestamp": "…Z"}``, ``{"$bytes": "00ff"}``, ``{"$float": "nan"}``, ``{"$ext": [7, "00"]}``,
``{"$map": [[key, value], …]}``.
"""

from __future__ import annotations

import argparse
import enum
import importlib
import json
import math
import sys
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

WIRE = Path(__file__).resolve().parents[3] / "fixtures" / "wire"

# Airflow is not installed where this file is checked.
msgspec: Any = importlib.import_module("msgspec")
pydantic: Any = importlib.import_module("pydantic")
comms: Any = importlib.import_module("airflow.sdk.execution_time.comms")
SCHEMA = Path(comms.__file__).with_name("schema") / "schema.json"

SOME_UUID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
SOME_TIME = datetime(2026, 11, 21, 9, 30, 0, 250_000, UTC)


class Colour(enum.Enum):
    """An enumeration to encode."""

    RED = "red"


# ── notation ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def tag(value: Any) -> Any:
    """Write a decoded value so that JSON keeps it."""
    if isinstance(value, datetime):
        return {"$timestamp": value.astimezone(UTC).isoformat().replace("+00:00", "Z")}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"$bytes": bytes(value).hex()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": repr(value)}
    if isinstance(value, msgspec.msgpack.Ext):
        return {"$ext": [value.code, bytes(value.data).hex()]}
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value):
            return {key: tag(item) for key, item in value.items()}
        return {"$map": [[tag(key), tag(item)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return [tag(item) for item in value]
    return value


def frame_parts(data: bytes) -> Any:
    """What msgspec reads, with no type in mind, behind a frame's prefix."""
    return tag(msgspec.msgpack.decode(data[4:], strict=False))


# ── recordings ────────────────────────────────────────────────────────────────────────────────────────────────────────


def values() -> list[dict[str, Any]]:
    """One frame for each kind of value that Airflow's encoder takes."""
    pendulum: Any = importlib.import_module("pendulum")
    samples: dict[str, Any] = {
        "timestamp, whole second: 32 bits": datetime(2026, 1, 1, tzinfo=UTC),
        "timestamp, the epoch: 32 bits": datetime(1970, 1, 1, tzinfo=UTC),
        "timestamp, last second of 32 bits": datetime(2106, 2, 7, 6, 28, 15, tzinfo=UTC),
        "timestamp, first second beyond 32 bits": datetime(2106, 2, 7, 6, 28, 16, tzinfo=UTC),
        "timestamp, microseconds: 64 bits": datetime(2026, 1, 1, 0, 0, 0, 123_456, UTC),
        "timestamp, last microsecond of 64 bits": datetime(2514, 5, 30, 1, 53, 3, 999_999, UTC),
        "timestamp, first second of 96 bits": datetime(2514, 5, 30, 1, 53, 4, tzinfo=UTC),
        "timestamp, year 2600": datetime(2600, 1, 1, 12, tzinfo=UTC),
        "timestamp, before 1970": datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC),
        "timestamp, first of all": datetime.min.replace(tzinfo=UTC),
        "timestamp, last of all": datetime.max.replace(tzinfo=UTC),
        "timestamp, with an offset": datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        "timestamp, of pendulum": pendulum.datetime(2026, 3, 29, 2, 30, tz="Europe/Berlin"),
        "naive datetime: text": datetime(2026, 1, 1, 12, 30),  # noqa: DTZ001  # naive is the point
        "date: text": date(2026, 1, 1),
        "time: text": time(12, 30, 0, 5),
        "duration": timedelta(seconds=90, milliseconds=500),
        "duration, of days": timedelta(days=3, hours=2),
        "duration, negative": timedelta(days=-1, seconds=3),
        "duration, none": timedelta(),
        "duration, one microsecond": timedelta(microseconds=1),
        "uuid: text": SOME_UUID,
        "decimal: text": Decimal("1.10"),
        "enumeration: its value": Colour.RED,
        "tuple": (1, "two"),
        "set": {7},
        "bytes": b"\x00\xff",
        "nan": math.nan,
        "infinity": math.inf,
        "float": 0.1,
        "null": None,
        "true": True,
        "text": "Grüße 🌍 \n \x00",
        "text of 300 characters": "x" * 300,
        "nested": {"a": [{"b": [None, False, 1.5]}]},
        "nested, keys of all kinds": {
            1: "int",
            None: "null",
            False: "bool",
            1.5: "float",
            (1, 2): "array",
            b"k": "bytes",
        },
    }
    for number in (
        0,
        127,
        128,
        -32,
        -33,
        255,
        256,
        65_535,
        65_536,
        2**31,
        2**32,
        2**63 - 1,
        2**63,
        2**64 - 1,
        -(2**63),
    ):
        samples[f"integer {number}"] = number
    recorded = []
    for name, sample in samples.items():
        data = bytes(comms._RequestFrame(id=1, body={"value": sample}).as_bytes())
        recorded.append({"name": name, "frame": data.hex(), "decoded": frame_parts(data)})
    return recorded


def frames() -> list[dict[str, Any]]:
    """Frames as the native runtime and the supervisor write them."""
    request, response = comms._RequestFrame, comms._ResponseFrame
    body, error = {"type": "GetVariable", "key": "region"}, {"type": "ErrorResponse", "error": "GENERIC_ERROR"}
    samples = {
        "request": request(id=0, body=body),
        "request with a context carrier": request(id=1, body=body, context_carrier={"traceparent": "00-ab-cd-01"}),
        "request with a large id": request(id=2**63, body=body),
        "request with a negative id": request(id=-1, body=body),
        "response": response(id=3, body={"type": "OKResponse", "ok": True}),
        "response, empty": response(id=4),
        "response, error": response(id=5, error=error),
        "response, error in the body": response(id=6, body=error),
    }
    recorded = []
    for name, sample in samples.items():
        data = bytes(sample.as_bytes())
        recorded.append({"name": name, "frame": data.hex(), "decoded": frame_parts(data)})
    return recorded


# name: payload. What a peer might send, well-formed or not.
PAYLOADS: dict[str, bytes] = {
    "an array of no element": b"\x90",
    "1 element": b"\x91\x05",
    "2 elements": b"\x92\x05\x80",
    "2 elements, body nil": b"\x92\x05\xc0",
    "3 elements, all nil": b"\x93\x05\xc0\xc0",
    "4 elements": b"\x94\x05\x80\xc0\xc0",
    "5 elements": b"\x95\x05\x80\xc0\xc0\x01",
    "array 16": b"\xdc\x00\x02\x05\x80",
    "array 32": b"\xdd\x00\x00\x00\x02\x05\x80",
    "nothing": b"",
    "nil": b"\xc0",
    "a map": b"\x80",
    "a string": b"\xa1x",
    "an integer": b"\x05",
    "trailing byte": b"\x92\x05\x80\x00",
    "a second array behind": b"\x92\x05\x80\x92\x06\x80",
    "cut short": b"\x93\x05\x80",
    "id: string": b"\x92\xa1x\x80",
    "id: float": b"\x92\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00\x80",
    "id: boolean": b"\x92\xc3\x80",
    "id: nil": b"\x92\xc0\x80",
    "id: negative": b"\x92\xff\x80",
    "id: 2^63": b"\x92\xcf\x80\x00\x00\x00\x00\x00\x00\x00\x80",
    "id: widest encoding of 5": b"\x92\xcf\x00\x00\x00\x00\x00\x00\x00\x05\x80",
    "body: array": b"\x92\x05\x90",
    "body: string": b"\x92\x05\xa1x",
    "body: integer key": b"\x92\x05\x81\x01\x02",
    "body: binary key": b"\x92\x05\x81\xc4\x01k\x02",
    "body: nil key": b"\x92\x05\x81\xc0\x02",
    "body: str 8 key": b"\x92\x05\x81\xd9\x01k\x02",
    "body: a key twice": b"\x92\x05\x82\xa1k\x01\xa1k\x02",
    "value: integer key": b"\x92\x05\x81\xa1v\x81\x01\x02",
    "value: binary key": b"\x92\x05\x81\xa1v\x81\xc4\x01k\x02",
    "value: array key": b"\x92\x05\x81\xa1v\x81\x91\x01\x02",
    "value: map key": b"\x92\x05\x81\xa1v\x81\x80\x02",
    "value: float 32": b"\x92\x05\x81\xa1v\xca\x3f\xc0\x00\x00",
    "value: nan": b"\x92\x05\x81\xa1v\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00",
    "value: binary": b"\x92\x05\x81\xa1v\xc4\x02\x00\xff",
    "value: unknown extension": b"\x92\x05\x81\xa1v\xd4\x07\x2a",
    "value: extension 0 of no byte": b"\x92\x05\x81\xa1v\xc7\x00\x00",
    "value: extension -2": b"\x92\x05\x81\xa1v\xd4\xfe\x2a",
    "value: timestamp 32": b"\x92\x05\x81\xa1v\xd6\xff\x00\x00\x00\x00",
    "value: timestamp 64": b"\x92\x05\x81\xa1v\xd7\xff" + ((999_999_000 << 34) | (2**34 - 1)).to_bytes(8, "big"),
    "value: timestamp 96": b"\x92\x05\x81\xa1v\xc7\x0c\xff\x00\x00\x00\x00" + (-1).to_bytes(8, "big", signed=True),
    "value: timestamp 96, nanoseconds": b"\x92\x05\x81\xa1v\xc7\x0c\xff\x00\x00\x00\x01" + bytes(8),
    "value: timestamp of 3 bytes": b"\x92\x05\x81\xa1v\xc7\x03\xff\x00\x00\x00",
    "value: timestamp, nanoseconds out of range": b"\x92\x05\x81\xa1v\xd7\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    "value: timestamp after the year 9999": b"\x92\x05\x81\xa1v\xc7\x0c\xff\x00\x00\x00\x00\x00\x00\x00\x40\x00\x00\x00\x00",
    "value: timestamp before the year 1": b"\x92\x05\x81\xa1v\xc7\x0c\xff\x00\x00\x00\x00\xff\xff\xff\x00\x00\x00\x00\x00",
    "value: text that is not UTF-8": b"\x92\x05\x81\xa1v\xa1\xff",
    "value: a surrogate in UTF-8": b"\x92\x05\x81\xa1v\xa3\xed\xa0\x80",
    "value: the byte that means nothing": b"\x92\x05\x81\xa1v\xc1",
    "value: an array longer than the frame": b"\x92\x05\x81\xa1v\xdd\xff\xff\xff\xff",
    "value: 400 levels": b"\x92\x05\x81\xa1v" + b"\x91" * 400 + b"\xc0",
    "value: 2,000 levels": b"\x92\x05\x81\xa1v" + b"\x91" * 2_000 + b"\xc0",
    "third: map": b"\x93\x05\xc0\x81\xa1k\xa1v",
    "third: string": b"\x93\x05\xc0\xa1x",
    "third: integer key": b"\x93\x05\xc0\x81\x01\x02",
}


def verdicts() -> list[dict[str, Any]]:
    """What Airflow's two frame decoders make of each payload: its fields, or that it is refused."""
    recorded = []
    for name, payload in PAYLOADS.items():
        entry: dict[str, Any] = {"name": name, "payload": payload.hex()}
        for kind, struct in (("request", comms._RequestFrame), ("response", comms._ResponseFrame)):
            try:
                frame = msgspec.msgpack.Decoder(struct).decode(payload)
            except Exception:  # msgspec's own errors, ValueError, RecursionError: all of them mean refused
                entry[kind] = "refused"
            else:
                deep = "levels" in name
                entry[kind] = "accepted" if deep else [tag(getattr(frame, field)) for field in struct.__struct_fields__]
        recorded.append(entry)
    return recorded


def messages() -> list[dict[str, Any]]:
    """Each message of both directions as Airflow's models write it: with all fields, and with the required ones only."""
    recorded = []
    for direction, models in directions().items():
        for model in models:
            recorded += message_frames(direction, model)
    return recorded


def downgraded() -> list[dict[str, Any]]:
    """What Airflow's own migration makes of the messages that a runtime stamped with an older date gets otherwise."""
    schema: Any = importlib.import_module("airflow.sdk.execution_time.schema")
    dates = json.loads(SCHEMA.read_text())["api_version"], "2026-06-16"
    recorded = []
    for model in directions()["to runtime"] if dates[0] != dates[1] else ():
        definition = model.model_json_schema(by_alias=True)
        message = model.model_validate(sample_of(definition, definition.get("$defs", {}), everything=True))
        try:
            older = schema.get_schema_version_migrator().downgrade(message, dates[1], by_alias=True)
        except Exception:  # its own trouble with its own samples
            continue
        # Airflow looks at the union's tag before it migrates, so the name stays that of the model.
        newest, older = (
            plain(shown.model_dump(by_alias=True) | {"type": model.__name__}) for shown in (message, older)
        )
        if newest != older:
            recorded.append({"type": model.__name__, "schema": dates[1], "newest": tag(newest), "older": tag(older)})
    return recorded


def plain(body: dict[str, Any]) -> Any:
    """A body as its reader gets it."""
    return msgspec.msgpack.decode(comms._new_encoder().encode(body))


def directions() -> dict[str, list[Any]]:
    """The models of each direction, by name."""
    processor: Any = importlib.import_module("airflow.dag_processing.processor")
    unions = {
        "to runtime": {*union_members(comms.ToTask), processor.DagFileParseRequest},
        "to supervisor": {*union_members(comms.ToSupervisor), processor.DagFileParsingResult},
    }
    return {direction: sorted(models, key=lambda model: str(model.__name__)) for direction, models in unions.items()}


def union_members(annotated: Any) -> tuple[Any, ...]:
    """The models of ``Annotated[A | B | …, …]``."""
    return get_args(get_args(annotated)[0])


def message_frames(direction: str, model: Any) -> list[dict[str, Any]]:
    """The frames of one model."""
    schema = model.model_json_schema(by_alias=True)
    made = []
    for variant in ("all fields", "required fields"):
        sample = sample_of(schema, schema.get("$defs", {}), everything=variant == "all fields")
        message = model.model_validate(sample)
        options = {} if variant == "all fields" or direction == "to supervisor" else {"exclude_unset": True}
        if model is comms.ConnectionResult:
            options["by_alias"] = True
        body = message.model_dump(**options) | {"type": model.__name__}
        struct = comms._ResponseFrame if direction == "to runtime" else comms._RequestFrame
        data = bytes(struct(id=1, body=body).as_bytes())
        entry = {"direction": direction, "type": model.__name__, "variant": variant}
        made.append({**entry, "frame": data.hex(), "decoded": frame_parts(data)})
    return made


FORMATS = {
    "date-time": SOME_TIME.isoformat(),
    "uuid": str(SOME_UUID),
    "duration": "PT90.5S",
    "path": "dags/weather.py",
}
SCALARS = {"string": "text", "integer": 7, "number": 1.5, "boolean": True, "null": None}


def sample_of(node: dict[str, Any], definitions: dict[str, Any], *, everything: bool) -> Any:
    """A value that a JSON schema takes: the first alternative, and of an object all fields or the required ones."""
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        if name == "JsonValue":
            return {"key": [1, "two", None]}
        return sample_of(definitions[name], definitions, everything=everything)
    for key in ("const", "enum"):
        if key in node:
            return node[key][0] if key == "enum" else node[key]
    for key in ("anyOf", "oneOf"):
        if key in node:
            options = [option for option in node[key] if option.get("type") != "null"]
            nullable = len(options) < len(node[key])
            return None if nullable and not everything else sample_of(options[0], definitions, everything=everything)
    if node.get("type") == "array":
        items = node.get("prefixItems") or [node.get("items") or {}]
        return [sample_of(item, definitions, everything=everything) for item in items]
    if node.get("type") == "object":
        return sample_object(node, definitions, everything=everything)
    if "format" in node:
        return FORMATS[node["format"]]
    return SCALARS[node["type"]] if "type" in node else {"any": [1]}


def sample_object(node: dict[str, Any], definitions: dict[str, Any], *, everything: bool) -> dict[str, Any]:
    """A sample of an object's fields, or of a free map."""
    if "properties" not in node:
        values_of = node.get("additionalProperties", True)
        item = "value" if values_of is True else sample_of(values_of, definitions, everything=everything)
        return {"key": item}
    required = node.get("required", ())
    return {
        name: sample_of(field, definitions, everything=everything)
        for name, field in node["properties"].items()
        if everything or name in required
    }


# ── command ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def main(argv: list[str] | None = None) -> int:
    """Write the recordings, or compare them with what is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare; exit 1 when a recording would differ")
    arguments = parser.parse_args(argv)
    stale = 0
    target = WIRE / json.loads(SCHEMA.read_text())["api_version"]
    for recording in (values, frames, verdicts, messages, downgraded):
        path = target / f"{recording.__name__}.json"
        entries = [json.dumps(entry, ensure_ascii=False) for entry in recording()]
        text = "[\n" + ",\n".join(entries) + "\n]\n"
        if not entries or (path.exists() and path.read_text() == text):
            continue
        stale += 1
        print(f"{'stale' if arguments.check else 'wrote'} {path.relative_to(WIRE)}")
        if not arguments.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return 1 if arguments.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
