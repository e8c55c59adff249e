from __future__ import annotations

import os
from pathlib import Path

import pytest

from outboard.bundle import uv
from outboard.bundle.credentials import Credentials
from outboard.bundle.uv import Answer, Uv, find_uv
from outboard.errors import EnvironmentBuildError


def test_without_uv_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(uv.sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentBuildError, match=r"pip install 'outboard\[cli\]'"):
        find_uv()


def test_uv_beside_the_interpreter_goes_before_the_one_on_the_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("scripts", "path"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "uv").touch(mode=0o755)
    monkeypatch.setattr(uv.sysconfig, "get_path", lambda name: str(tmp_path / "scripts"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert find_uv() == tmp_path / "scripts" / "uv"
    os.unlink(tmp_path / "scripts" / "uv")
    assert find_uv() == tmp_path / "path" / "uv"


@pytest.mark.parametrize(
    ("complaint", "reason"),
    [
        ("error: No\n  cause: Because a\n         b\n\nhint: Try", "Because a b hint: Try"),
        ("error: Nothing to do", "Nothing to do"),
        ("error: No\n  cause: one\n  cause: a=1\n          ^^\n", "a=1"),
    ],
)
def test_the_reason_is_the_innermost_cause_in_one_line(complaint: str, reason: str) -> None:
    assert Answer(succeeded=False, output="", complaint=complaint).reason == reason


def test_what_it_says_has_no_credentials_even_where_it_repeats_its_input() -> None:
    answer = Uv(program=find_uv(), credentials=Credentials(frozenset(), frozenset({"pl4nted-s3cret"}))).run(
        "pip", "compile", "-", lines=["no requirement pl4nted-s3cret", "x @ https://a:b@c/"]
    )
    assert not answer.succeeded
    assert "no requirement ****" in answer.complaint
    assert "pl4nted" not in answer.complaint
