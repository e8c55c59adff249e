"""Reads frames as a stock Airflow supervisor and a native task do, and tells what became of them.

Runs inside the Airflow environment. Each request on standard input is ``DIRECTION HEX``, where DIRECTION is ``request`` or
``response`` and HEX a whole frame; the answer is one JSON object: ``refused`` (why, or null) and ``read`` (the body as the
model that Airflow made of it says it again, in hex of msgpack).
"""

from __future__ import annotations

import json
import sys

import msgspec
from airflow.dag_processing import processor
from airflow.sdk.execution_time import comms
from pydantic import TypeAdapter

DECODERS = {
    "request": (
        msgspec.msgpack.Decoder(comms._RequestFrame),
        TypeAdapter(comms.ToSupervisor | processor.DagFileParsingResult),
    ),
    "response": (
        msgspec.msgpack.Decoder(comms._ResponseFrame),
        TypeAdapter(comms.ToTask | processor.DagFileParseRequest),
    ),
}


def read(direction: str, data: bytes) -> dict[str, object]:
    frames, bodies = DECODERS[direction]
    try:
        message = bodies.validate_python(frames.decode(data[4:]).body)
    except Exception as error:
        return {"refused": str(error), "read": None}
    body = message.model_dump(by_alias=True)
    return {"refused": None, "read": bytes(comms._new_encoder().encode(body)).hex()}


def main() -> None:
    answers = sys.stdout
    sys.stdout = sys.stderr
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for request in sys.stdin:
        direction, data = request.split()
        print(json.dumps(read(direction, bytes.fromhex(data))), file=answers, flush=True)


if __name__ == "__main__":
    main()
