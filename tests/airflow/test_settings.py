"""Which settings are printed, and in which notations. That Airflow does with them what they say is shown in tests/live."""

from __future__ import annotations

import configparser
import json
from pathlib import Path, PurePosixPath

import pytest
import yaml

from outboard.airflow.configuration import Configuration, read_env_file
from outboard.airflow.rendering import render, render_pod_template
from outboard.airflow.settings import COORDINATOR_CLASS, LOCAL_DAG_BUNDLE_CLASS, Deployment, options
from outboard.errors import UsageError

IMAGE = "registry.example/bundles:7"


def deployment(**changes: object) -> Deployment:
    return Deployment(**{"airflow": "3.3", "root": PurePosixPath("/srv/bundles"), "queue": "native", **changes})


def settings_of(wanted: Deployment) -> dict[str, object]:
    return {f"{option.section}.{option.key}": option.value for option in options(wanted)}


def test_airflow_3_3_is_given_the_folder() -> None:
    assert settings_of(deployment()) == {
        "sdk.coordinators": {
            "outboard": {"classpath": COORDINATOR_CLASS, "kwargs": {"executables_root": ["/srv/bundles"]}}
        },
        "sdk.queue_to_coordinator": {"native": "outboard"},
    }


def test_airflow_3_4_is_given_a_dag_bundle_beside_its_own() -> None:
    local = {"classpath": LOCAL_DAG_BUNDLE_CLASS}
    assert settings_of(deployment(airflow="3.4")) == {
        "sdk.coordinators": {
            "outboard": {"classpath": COORDINATOR_CLASS, "kwargs": {"task_handler_bundle_name": "outboard"}}
        },
        "sdk.queue_to_coordinator": {"native": "outboard"},
        "dag_processor.dag_bundle_config_list": [
            {"name": "dags-folder", **local, "kwargs": {}},
            {"name": "outboard", **local, "kwargs": {"path": "/srv/bundles"}},
        ],
    }


# ── notations ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("airflow", ["3.3", "3.4"])
@pytest.mark.parametrize("root", ["/srv/bundles", "/srv/50 % off/it's"])
def test_environment_variables_read_back_as_the_settings(airflow: str, root: str, tmp_path: Path) -> None:
    wanted = deployment(airflow=airflow, root=PurePosixPath(root))
    file = tmp_path / "airflow.env"
    file.write_text(render(wanted, "env"))
    configuration = Configuration.of({**read_env_file(file), "AIRFLOW_HOME": str(tmp_path)})
    for option in options(wanted):
        assert configuration.get_json(option.section, option.key) == option.value


@pytest.mark.parametrize("airflow", ["3.3", "3.4"])
@pytest.mark.parametrize("root", ["/srv/bundles", "/srv/50 % off/it's"])
def test_an_airflow_cfg_reads_back_as_the_settings(airflow: str, root: str, tmp_path: Path) -> None:
    wanted = deployment(airflow=airflow, root=PurePosixPath(root))
    (tmp_path / "airflow.cfg").write_text(render(wanted, "ini"))
    configuration = Configuration.of({"AIRFLOW_HOME": str(tmp_path)})
    assert configuration.problem is None
    for option in options(wanted):
        assert configuration.get_json(option.section, option.key) == option.value


@pytest.mark.parametrize("airflow", ["3.3", "3.4"])
def test_the_charts_values_hold_what_belongs_into_airflow_cfg(airflow: str) -> None:
    wanted = deployment(airflow=airflow, root=PurePosixPath("/srv/100%"))
    values = yaml.safe_load(render(wanted, "helm"))
    assert values.keys() == {"config"}
    file = configparser.ConfigParser()
    file.read_dict(values["config"])  # what the chart does with them
    for option in options(wanted):
        assert json.loads(file[option.section][option.key]) == option.value


def test_the_same_deployment_gives_the_same_bytes() -> None:
    wanted = deployment(airflow="3.4", executor="kubernetes", bundles_image=IMAGE)
    assert render(wanted, "helm") == render(wanted, "helm")
    assert render_pod_template(wanted) == render_pod_template(wanted)


# ── executors ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("form", ["env", "ini"])
def test_celery_is_told_to_listen_to_the_queue(form: str) -> None:
    assert "# Start the workers that have the bundles with: airflow celery worker --queues native\n" in render(
        deployment(executor="celery"), form
    )


def test_the_charts_celery_workers_go_on_with_the_default_queue() -> None:
    values = yaml.safe_load(render(deployment(executor="celery"), "helm"))
    assert values["workers"] == {"args": ["bash", "-c", "exec airflow celery worker --queues default,native"]}


@pytest.mark.parametrize(
    ("executor", "owner"), [("local", "scheduler"), ("celery", "workers"), ("kubernetes", "workers")]
)
def test_the_chart_stages_bundles_where_tasks_run(executor: str, owner: str) -> None:
    values = yaml.safe_load(render(deployment(executor=executor, bundles_image=IMAGE), "helm"))
    [container] = values[owner]["extraInitContainers"]
    [volume] = values[owner]["extraVolumes"]
    assert container["image"] == IMAGE
    assert container["command"] == ["cp", "-R", "/bundles/.", "/staged/"]
    assert container["volumeMounts"] == [{"name": volume["name"], "mountPath": "/staged"}]
    assert values[owner]["extraVolumeMounts"] == [
        {"name": volume["name"], "mountPath": "/srv/bundles", "readOnly": True},
    ]
    assert "dagProcessor" not in values


def test_airflow_3_4_stages_bundles_for_the_dag_processor_too() -> None:
    values = yaml.safe_load(render(deployment(airflow="3.4", executor="kubernetes", bundles_image=IMAGE), "helm"))
    assert values["dagProcessor"] == values["workers"]


def test_a_pod_template_stages_bundles_and_gives_its_worker_the_settings() -> None:
    template = PurePosixPath("/opt/airflow/pods/native.yaml")
    wanted = deployment(executor="kubernetes", bundles_image=IMAGE, pod_template=template)
    pod = yaml.safe_load(render_pod_template(wanted))
    [staging], [worker] = pod["spec"]["initContainers"], pod["spec"]["containers"]
    [volume] = pod["spec"]["volumes"]
    assert staging["image"] == IMAGE
    assert worker["name"] == "base"
    assert worker["image"] == "apache/airflow:3.3.2"
    assert worker["volumeMounts"] == [{"name": volume["name"], "mountPath": "/srv/bundles", "readOnly": True}]
    variables = {variable["name"]: variable["value"] for variable in worker["env"]}
    configuration = Configuration.of({**variables, "AIRFLOW_HOME": "/nowhere"})
    for option in options(wanted):
        assert configuration.get_json(option.section, option.key) == option.value
    coordinators = configuration.get_json("sdk", "coordinators")
    assert coordinators["outboard"]["extra"] == {"pod_template_file": str(template)}


# ── what is refused ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"airflow": "3.2"}, "--airflow 3.2: outboard knows 3.3 and 3.4"),
        ({"root": PurePosixPath("bundles")}, "--root bundles: give an absolute path"),
        ({"root": PurePosixPath("/srv/$HOME")}, "--root /srv/$HOME: Airflow would take the $ for a variable"),
        ({"pod_template": PurePosixPath("pod.yaml")}, "--pod-template pod.yaml: give an absolute path"),
        ({"queue": ""}, "--queue '': a queue is one name"),
        ({"queue": "a,b"}, "--queue 'a,b': a queue is one name"),
        ({"executor": "kubernetes"}, "--executor kubernetes needs --bundles-image"),
    ],
)
def test_a_deployment_that_cannot_work_is_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        deployment(**changes)
    assert str(caught.value).startswith(reason)
