"""The coordinator protocol as pure functions and values: bytes → frame → message → event, and back.

Nothing in this package performs I/O, reads a clock or the environment, or logs. Both roles, the runtime (the child that
runs a task) and the supervisor (its parent), use the same code.

======================  ==============================================================
`packing`               msgpack with the protocol's settings
`short_packing`         the same for short values, without the library
`frames`                a length prefix and an array ⇄ `Frame`
`messages`              the catalogue, generated from the released schemas
`timestamps`,           text ⇄ times and durations, alike on every Python
`durations`
`codec`                 the body of a frame ⇄ a message, validated both ways
`versions`              the schema's dates, and what a newer message becomes on an older wire
`serde`                 XCom values in Airflow's encoding
`log_records`           records that no supervisor chokes on
`states`, `events`      the transition table, and what a conversation reports
`conversation`          one side of one exchange, without its I/O
======================  ==============================================================
"""
