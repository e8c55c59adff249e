"""Message classes: made from the table when first asked for, and plain values after that."""

from __future__ import annotations

import subprocess
import sys

import pytest

from outboard._tools import gen_messages
from outboard.protocol import messages as m


def test_the_generated_files_are_current() -> None:
    assert gen_messages.main(["--check"]) == 0


def test_a_message_knows_its_type_and_its_fields() -> None:
    message = m.GetVariable(key="region")
    assert (message.type, message.key) == ("GetVariable", "region")
    assert repr(message) == "GetVariable(key='region')"


def test_messages_compare_by_type_and_value() -> None:
    assert m.GetVariable(key="a") == m.GetVariable(key="a")
    assert m.GetVariable(key="a") != m.GetVariable(key="b")
    assert m.GetVariable(key="a") != m.DeleteVariable(key="a")
    assert m.GetVariable(key="a") != "a"


def test_a_class_is_made_once() -> None:
    assert m.GetVariable is m.GetVariable
    assert m.definition("GetVariable") is m.GetVariable


def test_what_is_left_out_has_the_schemas_default() -> None:
    message = m.GetVariableKeys()
    assert (message.prefix, message.limit, message.offset) == (None, 1000, 0)


def test_a_required_field_that_is_missing_is_named() -> None:
    with pytest.raises(TypeError, match="needs the keyword argument 'key'"):
        m.GetVariable()  # type: ignore[call-arg]


def test_unknown_fields_are_named() -> None:
    with pytest.raises(TypeError, match="has no field 'kee', 'zee'"):
        m.GetVariable(key="a", zee=1, kee=2)  # type: ignore[call-arg]


def test_a_message_has_no_other_attributes() -> None:
    with pytest.raises(AttributeError):
        m.GetVariable(key="a").unheard_of = 1  # type: ignore[attr-defined]


def test_a_name_that_the_schema_does_not_define_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="defines no 'Nonsense'"):
        m.Nonsense  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("name", sorted(m.DEFINED | m.OWN))
def test_every_definition_makes_a_class(name: str) -> None:
    made = m.definition(name)
    assert made.__name__ == name
    assert made.is_message == (name in m.MESSAGES | m.OWN)
    assert not made.is_message or made.type == name  # type: ignore[attr-defined]


def test_each_terminal_message_carries_the_state_that_it_leads_to() -> None:
    states = {
        name: {field: default for field, _, _, default in m.definition(name).spec}["state"] for name in m.TERMINAL
    }
    assert states == {
        "AwaitInputTask": "awaiting_input",
        "DeferTask": "deferred",
        "RescheduleTask": "up_for_reschedule",
        "RetryTask": "up_for_retry",
        "SucceedTask": "success",
        "TaskState": None,
    }


def test_an_enumeration_is_its_values() -> None:
    assert m.enum_values("DagRunState") == ("queued", "running", "success", "failed")
    assert m.enum_values("GetVariable") is None


def test_messages_of_our_own_are_none_of_the_schemas() -> None:
    assert sorted(m.OWN) == ["RunTrigger", "TriggerFailed", "TriggerFired"]
    assert not m.OWN & m.DEFINED
    assert {m.TRIGGER_GREETING, *m.TRIGGER_REPORTS} == m.OWN


def test_the_table_of_our_own_messages_is_loaded_by_nobody_who_does_not_ask() -> None:
    loaded = "print('outboard.protocol.messages._own' in sys.modules)"
    program = f"import sys; from outboard.protocol import messages as m; {{}}; {loaded}"
    for use, expected in (("m.GetVariable(key='k')", "False"), ("m.TriggerFired(payload=1)", "True")):
        done = subprocess.run([sys.executable, "-c", program.format(use)], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected
