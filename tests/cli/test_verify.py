from __future__ import annotations

import shutil
from pathlib import Path

from outboard.cli.exit_codes import BAD_INPUT, SUCCESS
from outboard.cli.verify import DAMAGED


def test_sound_bundles_are_named_with_their_dags(outboard, hello: Path) -> None:
    done = outboard("verify", hello, hello)
    assert (done.code, done.out, done.err) == (SUCCESS, f"{hello}: sound, hello\n" * 2, "")


def test_each_damaged_file_has_its_line_and_the_others_are_still_judged(outboard, hello: Path, tmp_path: Path) -> None:
    short, quiet = tmp_path / "short", Path(shutil.copy(hello, tmp_path / "quiet"))
    short.write_bytes(b"#!/bin/sh\n")
    quiet.chmod(0o644)
    done = outboard("verify", short, quiet, hello)
    assert (done.code, done.out) == (DAMAGED, f"{hello}: sound, hello\n")
    first, second = done.err.splitlines()
    assert first.startswith(f"outboard: {short} is damaged: trailer: the file has 10 bytes")
    assert second.startswith(f"outboard: {quiet} is damaged: permissions: ")


def test_a_file_that_is_not_there_and_no_file_at_all_are_wrong_command_lines(outboard) -> None:
    done = outboard("verify", "missing")
    assert (done.code, done.err) == (BAD_INPUT, "outboard: missing cannot be read: No such file or directory\n")
    done = outboard("verify")
    assert (done.code, done.err.count("\n")) == (BAD_INPUT, 1)
