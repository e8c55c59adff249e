"""The settings that make an unmodified Airflow run bundles: which options, with which values.

Knows the options of each version and what each executor needs besides. Must not know how they are written down, which is
`outboard.airflow.rendering`'s business.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Literal

import attrs

from outboard.errors import UsageError
from outboard.protocol.versions import AIRFLOW

__all__ = (
    "AIRFLOW_VERSIONS",
    "COORDINATOR_CLASS",
    "DAGS_FOLDER_BUNDLE",
    "DEFAULT_QUEUE",
    "EXECUTORS",
    "LOCAL_DAG_BUNDLE_CLASS",
    "Deployment",
    "Executor",
    "Option",
    "options",
    "pod_template",
    "staging",
)

AIRFLOW_VERSIONS = tuple(AIRFLOW.values())

Executor = Literal["local", "celery", "kubernetes"]
EXECUTORS: tuple[Executor, ...] = ("local", "celery", "kubernetes")

COORDINATOR_CLASS = "airflow.sdk.coordinators.executable.ExecutableCoordinator"
LOCAL_DAG_BUNDLE_CLASS = "airflow.dag_processing.bundles.local.LocalDagBundle"

DAGS_FOLDER_BUNDLE = "dags-folder"
"""The Dag bundle that Airflow has when nothing is configured. A list that is configured replaces it."""

DEFAULT_QUEUE = "default"
"""The queue of tasks that name none, as long as nobody configures another."""

WORKER_IMAGES = {"3.3": "apache/airflow:3.3.2", "3.4": "apache/airflow:3.4.0"}

# The user and group of Airflow's own image.
_AIRFLOW_USER, _AIRFLOW_GROUP = 50000, 0

_VOLUME = "outboard-bundles"
_STAGED, _IN_IMAGE = "/staged", "/bundles"


@attrs.frozen(kw_only=True)
class Deployment:
    """An Airflow that is to run bundles.

    Attributes:
        airflow: its version, ``"3.3"`` or ``"3.4"``.
        root: the folder with the bundles, as the processes that run tasks see it.
        queue: the queue of the tasks that bundles run.
        executor: what carries tasks to workers.
        name: what the coordinator, and in 3.4 the Dag bundle with the bundles, is called.
        bundles_image: an image whose ``/bundles`` holds the bundles, from which pods are given them; None if `root` is there
            already, on a volume or in the worker's own image.
        worker_image: the image of the worker's container, for a pod template.
        pod_template: where the executor finds the pod template of the queue; None if the queue has none of its own.

    Raises:
        UsageError: the root is no path that Airflow would read as it stands, or the queue has no name.
    """

    airflow: str
    root: PurePosixPath
    queue: str
    executor: Executor = "local"
    name: str = "outboard"
    bundles_image: str | None = None
    worker_image: str = attrs.field(
        default=attrs.Factory(lambda self: WORKER_IMAGES.get(self.airflow, ""), takes_self=True)
    )
    pod_template: PurePosixPath | None = None

    def __attrs_post_init__(self) -> None:
        if self.airflow not in AIRFLOW_VERSIONS:
            raise UsageError(f"--airflow {self.airflow}: outboard knows {' and '.join(AIRFLOW_VERSIONS)}")
        _check_path("--root", self.root)
        if self.pod_template is not None:
            _check_path("--pod-template", self.pod_template)
        if not self.queue or "," in self.queue or self.queue != self.queue.strip():
            raise UsageError(f"--queue {self.queue!r}: a queue is one name, without commas or blanks around it")
        if self.executor == "kubernetes" and self.bundles_image is None:
            raise UsageError(
                "--executor kubernetes needs --bundles-image: every pod starts empty, and its init container copies the "
                f"bundles from {_IN_IMAGE} of that image"
            )


@attrs.frozen
class Option:
    """One option of Airflow's: its section and key, and its value as JSON can carry it."""

    section: str
    key: str
    value: object

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"AIRFLOW__{self.section}__{self.key}".upper()


def options(deployment: Deployment) -> tuple[Option, ...]:
    """What must be configured, in the order in which it is read best."""
    name = deployment.name
    coordinator: dict[str, object] = {"classpath": COORDINATOR_CLASS}
    if deployment.airflow == "3.3":
        coordinator["kwargs"] = {"executables_root": [str(deployment.root)]}
    else:
        coordinator["kwargs"] = {"task_handler_bundle_name": name}
    if deployment.pod_template is not None:
        coordinator["extra"] = {"pod_template_file": str(deployment.pod_template)}
    wanted = [
        Option("sdk", "coordinators", {name: coordinator}),
        Option("sdk", "queue_to_coordinator", {deployment.queue: name}),
    ]
    if deployment.airflow != "3.3":
        wanted.append(Option("dag_processor", "dag_bundle_config_list", _dag_bundles(deployment)))
    return tuple(wanted)


def staging(deployment: Deployment) -> dict[str, object]:
    """What a pod needs to get the bundles: init container, volume and mount, under the names of the Helm chart's values."""
    mount = {"name": _VOLUME, "mountPath": _STAGED}
    container = {
        "name": "stage-bundles",
        "image": deployment.bundles_image,
        # A plain copy keeps the execute bit. -p would also date the volume itself, which only its owner may, and fail.
        "command": ["cp", "-R", f"{_IN_IMAGE}/.", f"{_STAGED}/"],
        "volumeMounts": [mount],
    }
    return {
        "extraInitContainers": [container],
        "extraVolumes": [{"name": _VOLUME, "emptyDir": {}}],
        "extraVolumeMounts": [{"name": _VOLUME, "mountPath": str(deployment.root), "readOnly": True}],
    }


def pod_template(deployment: Deployment, variables: dict[str, str]) -> dict[str, object]:
    """The pod that the Kubernetes executor starts for a task of the queue.

    Args:
        deployment: for the executor ``kubernetes``.
        variables: the environment of the worker's container.
    """
    staged = staging(deployment)
    worker = {
        "name": "base",  # the name by which the executor knows the container that runs the task
        "image": deployment.worker_image,
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "volumeMounts": staged["extraVolumeMounts"],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "outboard-worker"},
        "spec": {
            "restartPolicy": "Never",
            "securityContext": {"runAsUser": _AIRFLOW_USER, "fsGroup": _AIRFLOW_GROUP},
            "initContainers": staged["extraInitContainers"],
            "containers": [worker],
            "volumes": staged["extraVolumes"],
        },
    }


def _dag_bundles(deployment: Deployment) -> list[dict[str, object]]:
    ours = {"path": str(deployment.root)}
    return [
        {"name": DAGS_FOLDER_BUNDLE, "classpath": LOCAL_DAG_BUNDLE_CLASS, "kwargs": {}},
        {"name": deployment.name, "classpath": LOCAL_DAG_BUNDLE_CLASS, "kwargs": ours},
    ]


def _check_path(option: str, path: PurePosixPath) -> None:
    if not path.is_absolute():
        raise UsageError(f"{option} {path}: give an absolute path; Airflow's processes run in different folders")
    if "$" in str(path):
        raise UsageError(f"{option} {path}: Airflow would take the $ for a variable; use a path without one")
