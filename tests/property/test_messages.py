"""decode ∘ encode is the identity, for every message of the catalogue and every one of our own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outboard.protocol import messages as m
from outboard.protocol.codec import decode_body, encode_body
from outboard.protocol.frames import FrameDecoder, encode_frame
from tests.strategies import messages

pytestmark = pytest.mark.property


@pytest.mark.parametrize("name", sorted(m.MESSAGES | m.OWN))
@given(data=st.data())
def test_a_message_comes_back_as_it_was(name: str, data: st.DataObject) -> None:
    message = data.draw(messages(name))
    (frame,) = FrameDecoder().feed(encode_frame(1, encode_body(message)))
    assert decode_body(frame.body) == message


@pytest.mark.parametrize("name", sorted(m.MESSAGES | m.OWN))
@given(data=st.data())
def test_unknown_fields_change_nothing(name: str, data: st.DataObject) -> None:
    message = data.draw(messages(name))
    body = {"unknown_to_all": {"deep": [1]}, **encode_body(message), "zz_later": None}
    assert decode_body(body) == message


@pytest.mark.parametrize("name", sorted(m.MESSAGES | m.OWN))
@given(data=st.data())
def test_null_and_absent_are_alike_for_optional_fields(name: str, data: st.DataObject) -> None:
    message = data.draw(messages(name))
    body = encode_body(message)
    optional = [field for field, _, required, _ in message.spec if not required]
    nulled = {**dict.fromkeys(field for field in optional if field not in body), **body}
    assert decode_body(nulled) == message
