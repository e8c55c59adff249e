from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from outboard.bundle.metadata import read_metadata, write_metadata
from outboard.errors import DamagedBundleError

IDS = st.lists(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20), unique=True, max_size=5)


@given(dag_ids=IDS)
def test_what_outboard_writes_is_read_back_and_known_as_its_own(dag_ids: list[str]) -> None:
    found = read_metadata(write_metadata(dag_ids, "2026-06-16"), "bundle")
    assert (list(found.dag_ids), found.schema_date, found.language, found.is_ours) == (
        dag_ids,
        "2026-06-16",
        None,
        True,
    )


def test_the_yaml_of_another_languages_packer_is_read_and_known_as_foreign() -> None:
    text = b"""\
airflow_bundle_metadata_version: "1.0"
sdk:
  language: "go"
  supervisor_schema_version: "2026-06-16"
dags:
  simple_dag:
    tasks:
      - extract
  'it''s odd':
    tasks: []
"""
    found = read_metadata(text, "bundle")
    assert found.dag_ids == ("simple_dag", "it's odd")
    assert (found.schema_date, found.language, found.is_ours) == ("2026-06-16", "go", False)


@pytest.mark.parametrize(
    "text",
    [
        '{"dags":{"a":{}}}',
        '{"dags": {"a": {}}}\n',
        '{"dags": {"\\u0061": {}}}',
        '{"dags": {"a": {}, "a": {}}}',
        "{dags: {a: {}}, packed: 2026-06-16}",
        '{"dags": {"\\ud800": {}}}',
    ],
)
def test_the_same_in_other_bytes_is_not_known_as_its_own(text: str) -> None:
    assert not read_metadata(text.encode(), "bundle").is_ours


@pytest.mark.parametrize("text", [b"", b"[]", b'"dags"', b"7"])
def test_what_is_no_mapping_is_damage(text: bytes) -> None:
    with pytest.raises(DamagedBundleError, match="a mapping belongs there"):
        read_metadata(text, "bundle")


@pytest.mark.parametrize("text", [b'{"dags": ', b"\xff\xfe", b"a: b: c", b"[" * 100_000])
def test_what_is_neither_json_nor_yaml_is_damage_told_in_one_line(text: bytes) -> None:
    with pytest.raises(DamagedBundleError, match="bundle is damaged: metadata: neither JSON nor YAML") as caught:
        read_metadata(text, "bundle")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("date", ["20260616", "null", "2026-06-16", '""', "[]"])
def test_a_schema_date_that_airflow_would_refuse_is_none(date: str) -> None:
    """An unquoted date is no text in YAML, and Airflow takes text only."""
    assert read_metadata(f"sdk: {{supervisor_schema_version: {date}}}".encode(), "bundle").schema_date is None


def test_airflows_reader_finds_the_dag_ids_and_the_schema_date_and_nothing_else() -> None:
    read = yaml.safe_load(write_metadata(["weather", "a.b-c", "größe", "\N{GRINNING FACE}"], "2026-06-16"))
    assert read == {
        "dags": {"weather": None, "a.b-c": None, "größe": None, "\N{GRINNING FACE}": None},
        "sdk": {"supervisor_schema_version": "2026-06-16"},
    }


def test_a_bundle_without_dags_is_a_mapping_too() -> None:
    read = yaml.safe_load(write_metadata([], "2026-06-16"))
    assert read == {"dags": {}, "sdk": {"supervisor_schema_version": "2026-06-16"}}
