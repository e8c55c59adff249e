"""Which tasks go to which coordinator, and where that one looks for bundles, as an Airflow's configuration has it.

Knows the options of ``[sdk]`` and what Airflow makes of each mistake in them. Must not know what is in the folders.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from outboard.airflow.configuration import Configuration
from outboard.airflow.finding import Finding
from outboard.airflow.settings import COORDINATOR_CLASS, DAGS_FOLDER_BUNDLE, LOCAL_DAG_BUNDLE_CLASS

__all__ = ("DEFAULT_STARTUP_TIMEOUT", "Coordination", "Scope", "read_coordination")

DEFAULT_STARTUP_TIMEOUT = 10.0
"""Seconds that a bundle has to connect, unless a coordinator is given another time."""

_OURS = (COORDINATOR_CLASS, "airflow.sdk.coordinators.executable.coordinator.ExecutableCoordinator")
_ROOTS, _BUNDLE, _TIMEOUT = "executables_root", "task_handler_bundle_name", "task_startup_timeout"

# What else Airflow ships, by the package: other languages' coordinators, which are no business of ours.
_OTHERS = {
    "3.3": ("airflow.sdk.coordinators.java.",),
    "3.4": ("airflow.sdk.coordinators.java.", "airflow.sdk.coordinators.node."),
}
_KEYWORDS = {"3.3": (_ROOTS, _TIMEOUT), "3.4": (_BUNDLE, _TIMEOUT)}

_AS_PRINTED = "write it as `outboard airflow config` prints it"


@attrs.frozen(kw_only=True)
class Scope:
    """One coordinator that runs bundles, with the folders that it looks into.

    Attributes:
        name: the coordinator's.
        where: the setting that says so, for a person.
        roots: the folders, in order; empty if they are not on this machine.
        timeout: seconds that a bundle has to connect.
        queues: the queues that are routed to it.
    """

    name: str
    where: str
    roots: tuple[Path, ...]
    timeout: float = DEFAULT_STARTUP_TIMEOUT
    queues: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Coordination:
    """All that the configuration says.

    Attributes:
        is_configured: whether there is any coordinator at all.
        scopes: the coordinators that run bundles.
        routes: each queue's coordinator.
        findings: what is wrong.
    """

    is_configured: bool
    scopes: tuple[Scope, ...] = ()
    routes: Mapping[str, str] = attrs.field(factory=dict)
    findings: tuple[Finding, ...] = ()


class _Mistake(ValueError):
    """Something in the configuration that Airflow cannot work with: code, what, remedy."""

    def __init__(self, code: str, what: str, remedy: str = _AS_PRINTED) -> None:
        super().__init__(what)
        self.finding = (code, what, remedy)


def read_coordination(configuration: Configuration, airflow: str) -> Coordination:
    """Read ``[sdk] coordinators`` and ``queue_to_coordinator`` as that version of Airflow does."""
    where = configuration.where("sdk", "coordinators")
    findings: list[Finding] = []
    try:
        specs = _mapping(configuration, "coordinators", "coordinators")
    except _Mistake as mistake:
        return Coordination(is_configured=True, findings=(_finding(where, mistake),))
    if not specs:
        return Coordination(is_configured=False)
    routes: dict[str, str] | None
    try:
        routes = _routes(configuration, specs)
    except _Mistake as mistake:
        findings.append(_finding(configuration.where("sdk", "queue_to_coordinator"), mistake))
        routes = None
    scopes: list[Scope] = []
    for name, spec in specs.items():
        try:
            scopes += _scopes(name, spec, routes, configuration, airflow, findings)
        except _Mistake as mistake:
            findings.append(_finding(f"{where}, coordinator {name!r}", mistake))
    return Coordination(is_configured=True, scopes=tuple(scopes), routes=routes or {}, findings=tuple(findings))


def _finding(where: str, mistake: _Mistake) -> Finding:
    code, what, remedy = mistake.finding
    return Finding(code=code, where=where, what=what, remedy=remedy)


def _mapping(configuration: Configuration, key: str, code: str) -> dict[str, Any]:
    try:
        found = configuration.get_json("sdk", key)
    except ValueError as error:
        raise _Mistake(code, f"{error}, and no task runs") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise _Mistake(code, f"it is a JSON {type(found).__name__} and not an object, and no task runs")
    return found


def _routes(configuration: Configuration, specs: Mapping[str, Any]) -> dict[str, str]:
    routes = _mapping(configuration, "queue_to_coordinator", "routes")
    for queue, name in routes.items():
        if name not in specs:
            known = ", ".join(map(repr, specs))
            raise _Mistake(
                "routes",
                f"it routes the queue {queue!r} to {name!r}, which is no coordinator, and no task of any queue runs",
                f"route it to one of these: {known}",
            )
    return routes


# ── one coordinator ───────────────────────────────────────────────────────────────────────────────────────────────


def _scopes(
    name: str,
    spec: Any,
    routes: Mapping[str, str] | None,
    configuration: Configuration,
    airflow: str,
    findings: list[Finding],
) -> Iterator[Scope]:
    where = f"{configuration.where('sdk', 'coordinators')}, coordinator {name!r}"
    if not isinstance(spec, dict) or not isinstance(spec.get("classpath"), str):
        raise _Mistake("coordinators", "it has no classpath, and no task of any queue runs")
    if not _is_ours(spec["classpath"], airflow, where, findings):
        return
    kwargs = spec.get("kwargs", {})
    if not isinstance(kwargs, dict):
        raise _Mistake("kwargs", "its kwargs are no JSON object, and no task of any queue runs")
    _check_keywords(kwargs, airflow)
    queues = tuple(queue for queue, target in (routes or {}).items() if target == name)
    if not queues and routes is not None:
        mistake = _Mistake(
            "queue-not-routed",
            "no queue is routed to it, so no task reaches it",
            "add its queue to queue_to_coordinator",
        )
        findings.append(_finding(where, mistake))
    timeout = _timeout(kwargs.get(_TIMEOUT, DEFAULT_STARTUP_TIMEOUT))
    if airflow == "3.3":
        roots = tuple(_root(configuration, text) for text in _texts(kwargs[_ROOTS]))
        yield Scope(name=name, where=where, roots=roots, timeout=timeout, queues=queues)
        return
    for bundle, folder in _dag_bundles(configuration, kwargs.get(_BUNDLE), where, findings):
        roots = () if folder is None else (folder,)
        told = f"{configuration.where('dag_processor', 'dag_bundle_config_list')}, Dag bundle {bundle!r}"
        yield Scope(name=name, where=told, roots=roots, timeout=timeout, queues=queues)


def _is_ours(classpath: str, airflow: str, where: str, findings: list[Finding]) -> bool:
    if classpath in _OURS:
        return True
    if classpath.startswith(_OTHERS[airflow]):
        return False
    if classpath.startswith("airflow."):
        raise _Mistake(
            "classpath",
            f"Airflow {airflow} has no class {classpath}, and no task of its queues runs",
            f"write {COORDINATOR_CLASS}",
        )
    what = f"{classpath} is a class of your own, whose settings are not known here"
    findings.append(
        Finding(code="classpath", severity="note", where=where, what=what, remedy="check its folder with --root")
    )
    return False


def _check_keywords(kwargs: Mapping[str, Any], airflow: str) -> None:
    """What its class refuses: Airflow then says only that it cannot instantiate the coordinator."""
    for keyword in kwargs:
        if keyword not in _KEYWORDS[airflow]:
            other = next((version for version, known in _KEYWORDS.items() if keyword in known), None)
            hint = f" (that is Airflow {other}'s)" if other else ""
            raise _Mistake(
                "kwargs", f"Airflow {airflow} knows no {keyword}{hint}, and no task of its queues runs", _AS_PRINTED
            )
    if airflow != "3.3":
        return
    if not kwargs.get(_ROOTS):
        raise _Mistake("kwargs", f"it has no {_ROOTS}, and no task of its queues runs", f"give it {_ROOTS}: [FOLDER]")
    if not _texts(kwargs[_ROOTS]):
        raise _Mistake("kwargs", f"its {_ROOTS} is no list of folders, and no task of its queues runs")


def _texts(value: Any) -> list[str]:
    """The folders that Airflow takes from ``executables_root``; empty if it can't."""
    items = value if isinstance(value, list) else [value]
    return items if all(isinstance(item, str) for item in items) else []


def _root(configuration: Configuration, text: str) -> Path:
    return configuration.user_path(text)


def _timeout(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Mistake(
            "startup-timeout", f"its {_TIMEOUT} is {value!r} and not a number of seconds, and every task fails"
        )
    if value <= 0:
        raise _Mistake(
            "startup-timeout",
            f"its {_TIMEOUT} is {value:g} seconds, within which no bundle connects",
            f"leave it out: it is {DEFAULT_STARTUP_TIMEOUT:g} then",
        )
    return float(value)


# ── Dag bundles, where Airflow 3.4 looks ──────────────────────────────────────────────────────────────────────────


def _dag_bundles(
    configuration: Configuration, wanted: Any, where: str, findings: list[Finding]
) -> Iterator[tuple[str, Path | None]]:
    """The Dag bundles that hold a coordinator's files, by name, with their folder if it is on this machine.

    A coordinator that names none looks into the one that the task's Dag is from, which may be any.
    """
    entries = _dag_bundle_entries(configuration)
    if wanted is not None and (not isinstance(wanted, str) or wanted not in entries):
        known = ", ".join(map(repr, entries)) or "none"
        raise _Mistake(
            "dag-bundle",
            f"its {_BUNDLE} is {wanted!r}, which is no bundle in [dag_processor] dag_bundle_config_list, and no task runs",
            f"add it there (there are: {known})",
        )
    for name in entries if wanted is None else (wanted,):
        entry = entries[name]
        if entry["classpath"] != LOCAL_DAG_BUNDLE_CLASS:
            what = f"the Dag bundle {name!r} is a {entry['classpath'].rpartition('.')[2]}, whose files are not here"
            remedy = "check a copy of them with --root"
            findings.append(Finding(code="dag-bundle", severity="note", where=where, what=what, remedy=remedy))
            yield name, None
            continue
        path = entry["kwargs"].get("path")
        yield name, configuration.dags_folder if path is None else Path(path)


def _dag_bundle_entries(configuration: Configuration) -> dict[str, dict[str, Any]]:
    default = [{"name": DAGS_FOLDER_BUNDLE, "classpath": LOCAL_DAG_BUNDLE_CLASS, "kwargs": {}}]
    try:
        listed = configuration.get_json("dag_processor", "dag_bundle_config_list")
    except ValueError as error:
        raise _Mistake("dag-bundle", f"[dag_processor] dag_bundle_config_list: {error}") from error
    listed = default if listed is None else listed
    if not isinstance(listed, list) or not all(_is_entry(entry) for entry in listed):
        raise _Mistake(
            "dag-bundle", "[dag_processor] dag_bundle_config_list is no list of objects with name and classpath"
        )
    return {entry["name"]: {"kwargs": {}, **entry} for entry in listed}


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("name"), str)
        and isinstance(entry.get("classpath"), str)
        and isinstance(entry.get("kwargs", {}), dict)
    )
