"""Options are found where Airflow finds them."""

from __future__ import annotations

from pathlib import Path

import pytest

from outboard.airflow.configuration import Configuration, read_env_file
from outboard.errors import UsageError


def test_a_variable_comes_before_the_file(tmp_path: Path) -> None:
    (tmp_path / "airflow.cfg").write_text('[sdk]\ncoordinators = {"file": 1}\nqueue_to_coordinator = {"a": "b"}\n')
    configuration = Configuration.of({"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__SDK__COORDINATORS": '{"variable": 1}'})
    assert configuration.get_json("sdk", "coordinators") == {"variable": 1}
    assert configuration.where("sdk", "coordinators") == "AIRFLOW__SDK__COORDINATORS"
    assert configuration.get_json("sdk", "queue_to_coordinator") == {"a": "b"}
    assert configuration.where("sdk", "queue_to_coordinator") == f"{tmp_path}/airflow.cfg, [sdk] queue_to_coordinator"


def test_another_file_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "other.cfg").write_text("[core]\ndags_folder = /dags\n")
    configuration = Configuration.of({"AIRFLOW_CONFIG": f"{tmp_path}/other.cfg", "AIRFLOW_HOME": "/nowhere"})
    assert configuration.dags_folder == Path("/dags")


def test_what_is_not_set_is_none(tmp_path: Path) -> None:
    configuration = Configuration.of({"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__SDK__COORDINATORS": ""})
    assert configuration.get_json("sdk", "coordinators") is None
    assert configuration.get_json("sdk", "queue_to_coordinator") is None
    assert configuration.where("sdk", "queue_to_coordinator") == "[sdk] queue_to_coordinator"
    assert configuration.dags_folder == tmp_path / "dags"


def test_variables_and_homes_are_expanded_as_airflow_does(tmp_path: Path) -> None:
    variables = {"AIRFLOW_HOME": str(tmp_path), "HOME": "/home/me", "A": "$B", "B": "deep", "SELF": "$SELF"}
    texts = {"$A/x": "deep/x", "${B}x": "deepx", "~/x": "/home/me/x", "$UNSET": "$UNSET", "$SELF": "$SELF"}
    for text, expanded in texts.items():
        found = Configuration.of({**variables, "AIRFLOW__SDK__COORDINATORS": text}).get("sdk", "coordinators")
        assert found is not None
        assert found.text == expanded


def test_a_file_that_cannot_be_parsed_is_reported_and_passed_over(tmp_path: Path) -> None:
    (tmp_path / "airflow.cfg").write_text("coordinators = {}\n")
    configuration = Configuration.of({"AIRFLOW_HOME": str(tmp_path)})
    assert "no section headers" in str(configuration.problem)
    assert "\n" not in str(configuration.problem)
    assert configuration.get("sdk", "coordinators") is None


def test_broken_json_says_what_is_wrong(tmp_path: Path) -> None:
    configuration = Configuration.of({"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__SDK__COORDINATORS": "{'a': 1}"})
    with pytest.raises(ValueError, match="it is not JSON: Expecting property name"):
        configuration.get_json("sdk", "coordinators")


def test_a_file_of_variables_is_read_in_every_notation(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text('# a comment\n\nBARE={"a": 1}\nexport SHELL_STYLE=\'it\'"\'"\'s\'\nQUOTED="two words"\nEMPTY=\n')
    assert read_env_file(file) == {"BARE": '{"a": 1}', "SHELL_STYLE": "it's", "QUOTED": "two words", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A=1\nnonsense\n", "line 2: write it as NAME=VALUE"),
        ("A-B=1\n", "line 1: write"),
        ("A='x\n", "line 1: no closing"),
    ],
)
def test_a_line_that_is_no_variable_is_named(text: str, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text(text)
    with pytest.raises(UsageError, match=reason):
        read_env_file(file)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_env_file(tmp_path / "env")
