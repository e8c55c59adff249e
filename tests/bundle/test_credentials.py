from __future__ import annotations

from pathlib import Path

import pytest

from outboard.bundle.credentials import Credentials, has_credential, without_credentials, without_user


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://user:secret@host/simple", "https://****@host/simple"),
        ("a @ https://token@host/a.whl, b", "a @ https://****@host/a.whl, b"),
        ("https://user:p@ss@host/", "https://****@host/"),
        ("https://user:p%40ss@host:80/ http://a:b@c", "https://****@host:80/ http://****@c"),
        ("git+https://oauth2:secret@host/a.git@main", "git+https://****@host/a.git@main"),
        ("HTTPS://user:secret@HOST/", "HTTPS://****@HOST/"),
        ("no address: user:secret@host", "no address: user:secret@host"),
        ("https://host/path@2.0", "https://host/path@2.0"),
        ("https://host?mail=a@b", "https://host?mail=a@b"),
    ],
)
def test_an_address_loses_its_user_and_nothing_else(text: str, expected: str) -> None:
    assert without_user(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at https://host/a.whl?sig=secret&x=1#sha256=ab, then", "at https://host/a.whl?****#sha256=ab, then"),
        ("(`https://u:p@host/a?sig=secret`)", "(`https://****@host/a?****`)"),
        ("why? https://host/", "why? https://host/"),
    ],
)
def test_in_front_of_people_a_signed_address_loses_its_signature_too(text: str, expected: str) -> None:
    assert without_credentials(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://user:secret@host", True),
        ("https://token@host", True),
        ("https://${TOKEN}@host", False),
        ("https://user:${PASSWORD}@host", False),
        ("https://user:${PREFIX}secret@host", True),
        ("git+ssh://git@host/a.git", False),
        ("https://user:@host", False),
        ("https://host/", False),
        ("https://****@host/", False),
    ],
)
def test_a_credential_is_what_is_there_in_clear(text: str, expected: bool) -> None:
    assert has_credential(text) is expected


def test_all_ways_to_tell_uv_are_known(tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text(
        "machine host login me password netrc-s3cret\ndefault login me password any-s3cret\n"
    )
    environment = {
        "HOME": str(tmp_path),
        "UV_DEFAULT_INDEX": "mine=https://one:url-s3cret@host/simple",
        "UV_EXTRA_INDEX_URL": "https://two:s3cret%2Fescaped@host https://three:last-s3cret@host",
        "UV_INDEX_MINE_PASSWORD": "var-s3cret",
        "TOKEN": "ref-s3cret",
        "OTHER": "is-none-of-ours",
    }
    known = Credentials.collect(environment, ["a @ https://x:req-s3cret@host/a.whl", "b @ https://${TOKEN}@host/b.whl"])
    told = (
        "netrc-s3cret any-s3cret url-s3cret s3cret/escaped last-s3cret var-s3cret ref-s3cret req-s3cret is-none-of-ours"
    )
    assert known.hidden(told) == "**** " * 8 + "is-none-of-ours"
    assert "s3cret" not in repr(known)


def test_without_a_readable_netrc_the_rest_is_known(tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine\n")
    assert Credentials.collect({"NETRC": str(tmp_path / "netrc")}) == Credentials()
    assert Credentials.collect({"NETRC": str(tmp_path / "missing")}) == Credentials()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"index-url = https://user:pass@host/simple", True),
        (b"the user's pass is not told", False),
        (b"password: a-long-s3cret", True),
        (b"owner: short-one", False),
        (b"owner: a-user-of-the-index, somebody-else", False),
        (b"token: a-t0ken-as-a-user", True),
        (b"", False),
    ],
)
def test_a_file_holds_a_credential_as_it_stands_in_the_address_or_if_it_is_long_enough_to_tell(
    data: bytes, expected: bool
) -> None:
    environment = {
        "UV_INDEX_URL": "https://user:pass@host https://somebody-else:${PASSWORD}@host",
        "PASSWORD": "short-one",
        "UV_INDEX_A_USERNAME": "a-user-of-the-index",
        "UV_INDEX_A_PASSWORD": "a-long-s3cret",
        "UV_INDEX_B_USERNAME": "a-t0ken-as-a-user",
    }
    known = Credentials.collect(environment)
    assert known.is_in(data) is expected
