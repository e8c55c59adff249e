from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outboard.cli.inputs import (
    parse_answers,
    parse_conf,
    parse_connections,
    parse_events,
    parse_user,
    parse_variables,
)
from outboard.errors import UsageError


@given(st.dictionaries(st.text(min_size=1).filter(lambda key: "=" not in key), st.text()))
def test_any_variable_is_read_as_it_was_written(variables: dict[str, str]) -> None:
    assert parse_variables([f"{key}={value}" for key, value in variables.items()]) == variables


def test_of_two_variables_with_one_key_the_last_wins() -> None:
    assert parse_variables(["unit=celsius", "unit=kelvin"]) == {"unit": "kelvin"}


@pytest.mark.parametrize("text", ["unit", "=celsius", ""])
def test_a_variable_without_key_or_mark_is_refused_with_the_right_form(text: str) -> None:
    with pytest.raises(UsageError, match="write it as --var KEY=VALUE"):
        parse_variables([text])


def test_a_connection_is_read_from_its_uri() -> None:
    found = parse_connections(["db=postgresql://u%40:p@host:5432/sales?ssl=on"])["db"]
    assert (found.conn_id, found.conn_type, found.host, found.port) == ("db", "postgres", "host", 5432)
    assert (found.login, found.password, found.schema, found.extra) == ("u@", "p", "sales", '{"ssl": "on"}')


def test_a_connection_is_read_from_json() -> None:
    found = parse_connections(['db={"conn_type": "http", "host": "h", "extra": {"a": 1}}'])["db"]
    assert (found.conn_type, found.host, found.extra) == ("http", "h", '{"a": 1}')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("db", "write it as --conn ID=URI or ID=JSON"),
        ("db={", "not JSON"),
        ('db={"hots": "h"}', "a connection has no 'hots'; its parts are conn_type, "),
        ("db=http://h:port", "no connection"),
        ("db=host", "no type"),
        ('db={"host": "h"}', "no type"),
    ],
)
def test_what_is_no_connection_is_refused_and_named(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        parse_connections([text])
    assert str(caught.value).startswith("--conn db")


def test_a_password_does_not_show_in_an_error() -> None:
    with pytest.raises(UsageError) as caught:
        parse_connections(["db=http://user:secret@host:port"])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": [NaN]}', "--conf.a[0]: nan has no form in JSON"),
        ('{"a": 1e999}', "--conf.a: inf has no form in JSON"),
        ('{"a": 36893488147419103232}', "--conf.a: an integer beyond 64 bits"),
        ('{"a": "\\ud800"}', "--conf.a: a lone surrogate"),
        ("[" * 100_000, "--conf is not JSON"),
    ],
    ids=["NaN", "infinity", "large", "surrogate", "deep"],
)
def test_conf_holds_only_what_a_message_can_carry(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_conf(text)
    assert str(caught.value).startswith(said)


def test_conf_is_a_json_object_or_nothing() -> None:
    assert parse_conf(None) is None
    assert parse_conf('{"day": 3}') == {"day": 3}
    with pytest.raises(UsageError, match="--conf is not JSON"):
        parse_conf("{day: 3}")
    with pytest.raises(UsageError, match="must be a JSON object"):
        parse_conf("[3]")


def test_an_event_is_for_all_tasks_or_for_one() -> None:
    options = ['{"a": "b=c"}', "tide=[1]", "null", "tide=2", '"x=1"']
    assert parse_events(options) == ({"tide": [[1], 2]}, [{"a": "b=c"}, None, "x=1"])


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("{a: 1}", "--trigger-event {a: 1}: write it as --trigger-event JSON or TASK_ID=JSON"),
        ("=1", "--trigger-event =1: write it as"),
        ("tide=high", "--trigger-event tide is not JSON"),
        ("tide=", "--trigger-event tide is not JSON"),
        ("[NaN]", "--trigger-event[0]: nan has no form in JSON"),
    ],
)
def test_an_event_that_is_no_json_is_refused(option: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_events([option])
    assert str(caught.value).startswith(said)


def test_an_answer_is_anything_behind_a_task() -> None:
    assert parse_answers(["ask=Approve", 'form={"params_input": {"a": "b=c"}}', "ask=", "ask=Reject"]) == {
        "ask": "Reject",
        "form": '{"params_input": {"a": "b=c"}}',
    }
    with pytest.raises(UsageError, match="write it as --answer TASK_ID=OPTION or TASK_ID=JSON"):
        parse_answers(["Approve"])


@pytest.mark.parametrize(
    ("option", "user"),
    [(None, ("me", "me")), ("ada", ("ada", "ada")), ("7=Ada Lovelace", ("7", "Ada Lovelace")), ("7=", ("7", "7"))],
)
def test_a_user_is_an_id_with_a_name_or_without(option: str | None, user: tuple[str, str]) -> None:
    assert parse_user(option, "me") == user


def test_a_user_without_an_id_is_refused() -> None:
    with pytest.raises(UsageError, match="--as-user =Ada: write it as --as-user ID or ID=NAME"):
        parse_user("=Ada", "me")
