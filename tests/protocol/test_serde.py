"""`protocol.serde` against recordings of Airflow's own, in both directions.

Where we differ on purpose, the test says so, and a recording shows that Airflow reads what we write.
"""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outboard.errors import SerializationError
from outboard.protocol.serde import MAX_DEPTH, TaggedValue, deserialize, on_loss, serialize
from tests import recorded

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDING: Any = recorded.load("sdk/serde.json")

NAMES: dict[str, Any] = {"__name__": "author"}
exec(compile(RECORDING["prelude"], "prelude", "exec", dont_inherit=True), NAMES)


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # Naive datetimes mean the local zone; the recording was made in this one.
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def ids(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["value"] for entry in entries]


@pytest.mark.parametrize("entry", RECORDING["values"], ids=ids(RECORDING["values"]))
def test_a_value_is_encoded_as_airflow_encodes_it(entry: dict[str, Any]) -> None:
    assert serialize(eval(entry["value"], NAMES)) == entry["encoded"]


DECODED_TO_THEIR_OWN_KIND = [
    entry for entry in RECORDING["values"] if not any(name in entry["value"] for name in ("Inner", "Versioned"))
]


@pytest.mark.parametrize("entry", DECODED_TO_THEIR_OWN_KIND, ids=ids(DECODED_TO_THEIR_OWN_KIND))
def test_what_airflow_encoded_is_decoded_to_the_value_it_was(entry: dict[str, Any]) -> None:
    value = eval(entry["value"], NAMES)
    decoded = deserialize(entry["encoded"])
    if isinstance(value, dict):
        # JSON has no keys but strings.
        value = {str(key): item for key, item in value.items()}
    assert decoded == value
    if isinstance(value, datetime):
        assert decoded.utcoffset() == value.utcoffset()


def test_an_attrs_class_is_encoded_as_airflow_encodes_it() -> None:
    @attrs.define
    class Attrs:
        x: int
        y: list[object] = attrs.field(factory=list)
        hidden: int = attrs.field(default=1, init=False)

    Attrs.__module__, Attrs.__qualname__ = "author", "Attrs"
    entry = next(entry for entry in RECORDING["extra_values"] if entry["value"].startswith("Attrs"))
    assert serialize(Attrs(1, [(2,)])) == entry["encoded"]


ENCODED_EXTRAS = [entry for entry in RECORDING["extra_values"] if "encoded" in entry]


@pytest.mark.parametrize("entry", ENCODED_EXTRAS, ids=ids(ENCODED_EXTRAS))
def test_what_libraries_made_of_their_values_survives_a_round_trip_without_the_library(entry: dict[str, Any]) -> None:
    decoded = deserialize(entry["encoded"])
    assert deserialize(serialize(decoded)) == decoded


def test_a_pendulum_datetime_becomes_a_native_one_of_its_zone() -> None:
    entry = next(entry for entry in ENCODED_EXTRAS if "New_York" in entry["value"])
    assert deserialize(entry["encoded"]) == datetime(2026, 7, 1, tzinfo=ZoneInfo("America/New_York"))


@pytest.mark.parametrize("entry", RECORDING["refused"], ids=ids(RECORDING["refused"]))
def test_what_airflow_refuses_is_refused(entry: dict[str, Any]) -> None:
    with pytest.raises(SerializationError):
        serialize(eval(entry["value"], NAMES), "return_value")


# ── where we differ ───────────────────────────────────────────────────────────────────────────────────────────────────


def read_by_airflow(encoded: object) -> str:
    """What the recording says that Airflow's decoder makes of an encoding of ours, as a repr."""
    decoded: list[str] = [entry["decoded"] for entry in RECORDING["encodings"] if entry["encoded"] == encoded]
    assert len(decoded) == 1, "Airflow's reading of this encoding is not recorded"
    return decoded[0]


def test_a_zone_without_a_name_keeps_its_offset_which_airflow_loses_but_reads() -> None:
    value = datetime(2026, 3, 29, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    encoded = serialize(value)
    assert read_by_airflow(encoded).startswith("datetime.datetime(2026, 3, 29, 1, 30, tzinfo=FixedTimezone(7200")
    assert deserialize(encoded).utcoffset() == timedelta(hours=2)


def test_dataclasses_inside_dataclasses_keep_their_class_which_airflow_loses_but_reads() -> None:
    value = eval("Outer('o', Inner(1), datetime.date(2026, 1, 1))", NAMES)
    encoded = serialize(value)
    assert read_by_airflow(encoded) == repr(value)
    assert deserialize(encoded, lambda name: NAMES[name.removeprefix("author.")]) == value


@pytest.mark.parametrize("text", ["0.1000000000000000055511151231257827", "1" + "0" * 30])
def test_a_decimal_that_no_number_equals_travels_as_text_which_airflow_reads(text: str) -> None:
    encoded = serialize(Decimal(text))
    assert read_by_airflow(encoded) == f"Decimal('{text}')"
    assert deserialize(encoded) == Decimal(text)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (float("nan"), "return_value"),
        ({"a": [1.0, float("-inf")]}, "return_value.a[1]"),
        (2**64, "return_value"),
        ([-(2**63) - 1], "return_value[0]"),
        ({"a": "\ud800"}, "return_value.a"),
        ({"\ud800": 1}, "return_value"),
        ({1: "int", "1": "str"}, "return_value"),
        ({"__type": "dict", "__var": {}}, "return_value"),
        (Decimal("NaN"), "return_value"),
    ],
)
def test_what_airflow_would_send_broken_is_refused_with_its_path(value: object, path: str) -> None:
    with pytest.raises(SerializationError) as caught:
        serialize(value, "return_value")
    assert caught.value.path == path


def test_the_path_leads_through_every_kind_of_container() -> None:
    value = {"rows": [({"when": {b"x"}},)]}
    with pytest.raises(SerializationError) as caught:
        serialize(value, "return_value")
    assert caught.value.path == "return_value.rows[0][0].when[0]"
    assert "bytes" in caught.value.reason


def test_the_items_of_a_set_are_sorted_so_that_each_process_encodes_it_alike() -> None:
    assert serialize({"b", "c", "a"})["__data__"] == ["a", "b", "c"]
    assert len(serialize({1, "a"})["__data__"]) == 2


# ── shapes that do not end ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("wrap", [lambda v: [v], lambda v: {"k": v}, lambda v: (v,)], ids=["list", "dict", "tuple"])
def test_a_value_that_contains_itself_is_refused(wrap: Any) -> None:
    inner: list[object] = []
    inner.append(wrap(inner))
    with pytest.raises(SerializationError, match="contains itself"):
        serialize(inner)


def test_the_same_value_in_two_places_does_not_contain_itself() -> None:
    shared = [1]
    assert serialize([shared, shared, {"again": shared}]) == [[1], [1], {"again": [1]}]


def test_nesting_is_bounded_in_both_directions() -> None:
    deep: object = 1
    for _ in range(MAX_DEPTH):
        deep = [deep]
    assert serialize(deep) == deep
    with pytest.raises(SerializationError, match="levels deep"):
        serialize([deep])
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(SerializationError, match="nested too deeply"):
        deserialize(deep)


def test_an_object_that_serialises_to_itself_is_refused() -> None:
    class Endless:
        def serialize(self) -> object:
            return [self]

    with pytest.raises(SerializationError, match="contains itself"):
        serialize(Endless())


# ── classes that are not known ────────────────────────────────────────────────────────────────────────────────────────


def test_a_class_that_a_peer_names_is_not_imported_and_comes_back_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> object:
        raise AssertionError("an import was tried")

    encoded = {"__classname__": "antigravity.Flight", "__version__": 3, "__data__": {"a": [1, None]}}
    with monkeypatch.context() as patch:
        patch.setattr("builtins.__import__", refuse)
        decoded = deserialize(encoded)
    assert decoded == TaggedValue("antigravity.Flight", 3, {"a": [1, None]})
    assert serialize(decoded) == encoded


def test_known_values_inside_unknown_ones_are_decoded_and_encoded_again() -> None:
    encoded = {"__classname__": "x.Y", "__version__": 0, "__data__": {"when": serialize(date(2026, 1, 2))}}
    decoded = deserialize(encoded)
    assert decoded.data == {"when": date(2026, 1, 2)}
    assert serialize(decoded) == encoded


@pytest.mark.parametrize(
    "encoded",
    [
        {"__classname__": "builtins.tuple", "__version__": 99, "__data__": [1]},
        {"__classname__": "builtins.tuple", "__version__": 1, "__data__": 5},
        {"__classname__": "builtins.set", "__version__": 1, "__data__": [[]]},
        {"__classname__": "datetime.datetime", "__version__": 2, "__data__": {"tz": None}},
        {"__classname__": "datetime.datetime", "__version__": 2, "__data__": {"timestamp": "x", "tz": None}},
        {"__classname__": "datetime.datetime", "__version__": 2, "__data__": 1e300},
        {"__classname__": "datetime.date", "__version__": 2, "__data__": "yesterday"},
        {"__classname__": "decimal.Decimal", "__version__": 1, "__data__": "x"},
        {"__classname__": "uuid.UUID", "__version__": 1, "__data__": 5},
        {"__classname__": "numpy.int64", "__version__": 1, "__data__": "x"},
        {"__classname__": "zoneinfo.ZoneInfo", "__version__": 1, "__data__": "../../etc/passwd"},
        {"__classname__": "builtins.eval", "__version__": 1, "__data__": "1"},
    ],
)
def test_data_that_its_class_cannot_read_stays_inert(encoded: dict[str, Any]) -> None:
    decoded = deserialize(encoded)
    assert type(decoded) is TaggedValue
    assert serialize(decoded) == encoded


@pytest.mark.parametrize(
    "value",
    [
        {"__classname__": "builtins.tuple"},
        {"__classname__": 5, "__version__": 1},
        {"__version__": 1, "__data__": 2},
    ],
)
def test_a_map_that_only_looks_like_a_tag_is_a_plain_dict(value: dict[str, Any]) -> None:
    assert deserialize(value) == value


def test_old_forms_are_read_as_airflow_reads_them() -> None:
    for entry in RECORDING["encodings"]:
        if "__type" in entry["encoded"]:
            assert repr(deserialize(entry["encoded"])) == entry["decoded"]


def test_a_zone_that_this_system_does_not_have_leaves_the_instant_right() -> None:
    encoded = serialize(datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin")))
    encoded["__data__"]["tz"]["__data__"][0] = "Atlantis/Capital"
    assert deserialize(encoded) == datetime(2026, 7, 1, 10, tzinfo=UTC)


# ── classes of libraries that are not installed here ──────────────────────────────────────────────────────────────────


def test_a_numpy_scalar_is_recognised_by_its_name_and_becomes_a_native_number() -> None:
    # Its class, module and item() are all that is asked of it; the name is what Airflow's tables have.
    scalar = type("int64", (), {"__module__": "numpy", "item": lambda self: 7})()
    encoded = serialize({"n": scalar})
    assert encoded == {"n": {"__classname__": "numpy.int64", "__version__": 1, "__data__": 7}}
    assert deserialize(encoded) == {"n": 7}


def test_a_pydantic_model_is_dumped_under_its_own_name() -> None:
    entry = next(entry for entry in ENCODED_EXTRAS if entry["value"].startswith("Model"))
    model = type(
        "Model",
        (),
        {
            "__module__": "author",
            "__pydantic_fields__": {},
            "__pydantic_validator__": None,
            "model_dump": lambda self, mode: {"a": 1, "b": "2026-01-01"} if mode == "json" else None,
        },
    )()
    assert serialize(model) == entry["encoded"]


def test_a_datetime_finer_than_a_microsecond_is_refused() -> None:
    class Timestamp(datetime):
        nanosecond = 5

    with pytest.raises(SerializationError, match="finer than a microsecond"):
        serialize(Timestamp(2026, 1, 1, tzinfo=UTC))


def test_an_object_without_an_encoding_is_named_by_its_type() -> None:
    with pytest.raises(SerializationError, match=r"types\.SimpleNamespace has no encoding") as caught:
        serialize([SimpleNamespace()], "return_value")
    assert caught.value.path == "return_value[0]"


# ── properties ────────────────────────────────────────────────────────────────────────────────────────────────────────

texts = st.text(st.characters(exclude_categories=["Cs"]))
# Beyond this year a float no longer holds the microseconds of a timestamp; that is Airflow's encoding.
moments = st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1))  # noqa: DTZ001
zones = st.sampled_from(
    [UTC, timezone(timedelta(hours=-3, minutes=-30)), ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kathmandu")]
)
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
    st.builds(lambda moment, zone: moment.replace(tzinfo=zone), moments, zones),
    st.dates(),
    st.timedeltas(timedelta(days=-10_000), timedelta(days=10_000)),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.uuids(),
)
keys = texts.filter(lambda key: not key.startswith("__"))
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(keys, inner, max_size=4),
        st.frozensets(st.one_of(st.integers(-(2**63), 2**63), texts, st.uuids()), max_size=4),
    ),
    max_leaves=12,
)


@given(values)
def test_decoding_an_encoded_value_gives_the_value(value: object) -> None:
    decoded = deserialize(serialize(value))
    assert decoded == value
    assert type(decoded) is type(value)


@given(values)
def test_an_encoding_is_plain_json(value: object) -> None:
    from outboard.protocol.codec import check_json

    check_json(serialize(value))


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.text()),
    lambda inner: st.one_of(
        st.lists(inner),
        st.dictionaries(
            st.one_of(st.text(), st.sampled_from(["__classname__", "__version__", "__data__", "__type", "__var"])),
            inner,
        ),
        st.builds(
            lambda name, version, data: {"__classname__": name, "__version__": version, "__data__": data},
            st.sampled_from(
                ["builtins.set", "builtins.tuple", "datetime.datetime", "decimal.Decimal", "uuid.UUID", "os.system"]
            ),
            st.integers(0, 3),
            inner,
        ),
    ),
    max_leaves=15,
)


@given(json_values)
def test_whatever_a_peer_sends_can_be_decoded(value: object) -> None:
    deserialize(value)


def test_uuids_in_sets_come_back() -> None:
    value = {UUID(int=1), UUID(int=2)}
    assert deserialize(serialize(value)) == value


def test_tagged_values_compare_by_what_they_hold_and_show_it() -> None:
    value = TaggedValue("x.Y", 1, [1])
    assert value == TaggedValue("x.Y", 1, [1])
    assert value != TaggedValue("x.Y", 2, [1])
    assert value != [1]
    assert repr(value) == "TaggedValue('x.Y', 1, [1])"


def test_an_object_whose_own_form_never_ends_is_refused() -> None:
    class Endless:
        def serialize(self) -> object:
            return self.serialize()

    with pytest.raises(SerializationError, match="nested too deeply"):
        serialize(Endless(), "return_value")


def test_a_zone_with_neither_name_nor_whole_seconds_is_refused() -> None:
    with pytest.raises(SerializationError, match="neither a name nor an offset"):
        serialize(datetime(2026, 1, 1, tzinfo=timezone(timedelta(microseconds=5))))


def test_subclasses_of_numbers_become_plain_ones() -> None:
    class Share(float):
        pass

    assert type(serialize(Share(0.5))) is float
    with pytest.raises(SerializationError, match="nan has no form"):
        serialize(Share("nan"))


# ── what is lost on the way ───────────────────────────────────────────────────────────────────────────────────────────


class Summer(tzinfo):
    """A zone that a name would have told."""

    def utcoffset(self, date: datetime | None) -> timedelta:
        return timedelta(hours=2 if date and date.month in range(4, 10) else 1)

    def dst(self, date: datetime | None) -> timedelta:
        return timedelta()

    def tzname(self, date: datetime | None) -> str:
        return "CEST"


def losses_of(value: object) -> list[tuple[str, str]]:
    heard: list[tuple[str, str]] = []
    on_loss(lambda path, what: heard.append((path, what)))
    try:
        serialize(value, "return_value")
    finally:
        on_loss(None)
    return heard


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (datetime(2026, 1, 1), "without a time zone"),  # noqa: DTZ001  # the point
        (datetime(2026, 7, 1, tzinfo=Summer()), "without a name"),
        (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), "loses microseconds"),
        (timedelta(days=999_999_999, microseconds=1), "loses microseconds"),
    ],
)
def test_a_loss_is_told_with_its_place(value: object, said: str) -> None:
    [(path, what)] = losses_of({"rows": [1, value]})
    assert path == "return_value.rows[1]"
    assert said in what


@given(
    st.one_of(
        # A time that a clock skips when it is put forward is no time at all.
        st.datetimes(datetime(1900, 1, 1), datetime(2242, 1, 1), timezones=st.timezones(), allow_imaginary=False),  # noqa: DTZ001
        st.timedeltas(timedelta(days=-36_500), timedelta(days=36_500)),
        st.dates(),
    )
)
def test_ordinary_dates_are_told_of_no_loss_and_lose_nothing(value: object) -> None:
    assert losses_of(value) == []
    assert deserialize(serialize(value)) == value


@given(st.one_of(st.datetimes(timezones=st.just(UTC)), st.timedeltas()))
def test_what_is_told_of_no_loss_comes_back_as_it_was(value: object) -> None:
    if not losses_of(value):
        assert deserialize(serialize(value)) == value
