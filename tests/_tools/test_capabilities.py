"""The capability manifest is complete, says nothing that it may not, and names tests that there are."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from outboard._tools import capabilities, gen_capabilities, gen_protocol_tables, located_yaml
from outboard._tools.capabilities import OFF_THE_MATRIX, PROVERS, Capability, Manifest, Proof, Status, problems, read
from outboard._tools.located_yaml import LocatedYamlError
from outboard.protocol.messages import SCHEMA_DATES

ROOT = Path(__file__).parents[2]
MANIFEST = read()
BY_ID = {row.id: row for row in MANIFEST.capabilities}

# Airflow's conformance matrix of language SDKs: each dimension with its tier; the last ones count only for SDKs in which
# whole Dags are written.
MATRIX = {
    "state-success": "MUST",
    "state-failed": "MUST",
    "state-up-for-retry": "MUST",
    "state-skipped": "SHOULD",
    "state-deferred": "MAY",
    "state-up-for-reschedule": "MAY",
    "state-awaiting-input": "MAY",
    "state-removed": "MAY",
    "mixed-lang-stub-target": "MUST",
    "taskflow-binding": "MUST",
    "task-logging": "MUST",
    "xcom-read-write": "MUST",
    "connection-read": "MUST",
    "variable-read-write": "MUST",
    "self-contained-bundle": "MUST",
    "retry-policy": "MAY",
    "task-state-store": "MAY",
    "asset-state-store": "MAY",
    "asset-event-emit": "MAY",
    "asset-event-read": "MAY",
    "native-dag-authoring": "SHOULD",
}
OF_NATIVE_DAGS = {
    "task-args": "MUST",
    "dag-params": "MUST",
    "taskflow-dependencies": "MUST",
    "branching": "SHOULD",
    "dag-test": "SHOULD",
    "task-group": "MAY",
    "dynamic-task-mapping": "MAY",
    "asset-inlets-outlets": "MAY",
    "asset-scheduling": "MAY",
    "object-store": "MAY",
}

# What Airflow's own runner does, or its schema has, that the matrix has no row for.
OFF_MATRIX = (
    *("fail-without-retry", "load-failure", "lost-process", "refused-report", "termination", "downstream-skips"),
    *("sensor-poke", "sensor-reschedule", "sensor-soft-fail", "deferral-resume", "deferral-failure", "own-triggers"),
    *("human-input", "human-input-timeout", "human-input-assigned", "human-input-detail"),
    *("trigger-dag-run", "trigger-dag-run-wait", "retry-delay", "retry-reason", "failure-reason"),
    *("task-context", "coroutine-tasks", "params-of-a-run", "context-environment", "execution-timeout"),
    *("execution-timeout-told", "on-kill", "task-callbacks", "execute-hooks", "log-groups", "resend-logging-fd"),
    *("secret-masking", "automatic-masking", "masking-over-writes", "masked-fields", "workers-secrets"),
    *("xcoms-cleared", "xcom-pull", "xcom-prior-dates", "xcom-map-indexes", "xcom-sequences", "xcom-multiple-outputs"),
    *("xcom-mapped-length", "xcom-delete", "xcom-types", "xcom-own-classes", "xcom-backend"),
    *("variable-keys", "variable-json", "connection-uri", "connection-adapters", "provider-hooks"),
    *("asset-alias-events", "asset-partition-keys", "asset-event-filters", "asset-lookup", "asset-validation"),
    *("store-retention", "templates", "rendered-fields", "map-index-label"),
    *("dag-info", "dag-run-state", "previous-runs", "previous-task-instance", "counts", "task-states"),
    *("task-breadcrumbs", "run-note", "loops", "trace-context", "trace-spans"),
    *("dag-file-parse", "parse-isolation", "parsed-definitions", "dag-source", "parse-callbacks", "task-handler-parse"),
    *("serialization", "dag-arguments", "trigger-rules", "setup-teardown", "run-if-skip-if", "edge-labels"),
    *("timetables", "deadlines", "own-operators", "task-environments", "unmodified-files"),
)


# ── the manifest ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_it_says_nothing_that_it_may_not() -> None:
    assert problems(MANIFEST) == []


def test_each_dimension_of_the_matrix_has_its_row_with_its_tier_and_no_other_row_has_one() -> None:
    found = {row.id: (row.tier, row.needs) for row in MANIFEST.capabilities if row.tier != OFF_THE_MATRIX}
    required = {name: (tier, None) for name, tier in MATRIX.items()}
    required |= {name: (tier, "native-dag-authoring") for name, tier in OF_NATIVE_DAGS.items()}
    assert found == required


def test_the_rows_with_a_tier_are_those_that_come_from_the_matrix() -> None:
    assert all((row.source == "matrix") is (row.tier != OFF_THE_MATRIX) for row in MANIFEST.capabilities)


@pytest.mark.parametrize("name", OFF_MATRIX)
def test_what_the_matrix_leaves_out_has_a_row(name: str) -> None:
    assert BY_ID[name].tier == OFF_THE_MATRIX


@pytest.mark.parametrize(
    "message",
    [
        *gen_protocol_tables.GREETINGS,
        *gen_protocol_tables.REPLIES,
        *gen_protocol_tables.REPORTS,
        *gen_protocol_tables.PARTS_OF_A_PARSE_REQUEST,
    ],
)
def test_each_message_that_begins_something_belongs_to_a_row(message: str) -> None:
    assert [row.id for row in MANIFEST.capabilities if message in row.messages]


@pytest.mark.parametrize("name", BY_ID)
def test_each_proof_is_a_test_that_there_is(name: str) -> None:
    for test in (test for proof in BY_ID[name].proof.values() for test in proof.tests):
        file, _, function = test.partition("::")
        assert function.partition("[")[0] in functions(ROOT / file), f"{BY_ID[name].place}: there is no {test}"


def functions(path: Path) -> set[str]:
    """The functions on the top level of a file, as text that is not run."""
    tree = ast.parse(path.read_text()) if path.is_file() else ast.Module([], [])
    return {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


# ── what a manifest may not say ───────────────────────────────────────────────────────────────────────────────────

LIVE = Proof(tests=("tests/live/test_it.py::test_it",))
OURS = Proof(tests=("tests/cli/test_it.py::test_it",))


def statuses(first: Status, second: Status | None = None) -> dict[str, Status]:
    return dict(zip(SCHEMA_DATES, (first, second or first), strict=True))


SUPPORTED, PLANNED = Status(level="supported"), Status(level="no", reason="planned")
GOOD = Capability(
    place="here", area="An area", id="a-row", title="A row", tier="MUST", needs=None, source="matrix", messages=(),
    status=statuses(SUPPORTED), proof={"airflow": LIVE, "outboard": OURS},
)  # fmt: skip


def said(**changes: Any) -> list[str]:
    row = attrs.evolve(GOOD, **changes)
    return problems(Manifest(sources={"matrix": "the matrix"}, capabilities=(row,)))


def test_a_row_that_is_proved_under_both_supervisors_is_a_good_one() -> None:
    assert said() == []
    assert said(status=statuses(PLANNED), proof={}) == []
    assert said(proof={"airflow-3.3": LIVE, "airflow-3.4": LIVE, "outboard": OURS}) == []
    assert said(proof={"airflow": Proof(reason="it has no part in this"), "outboard": OURS}) == []
    newer = statuses(Status(level="not-applicable", reason="the message came later"), SUPPORTED)
    assert said(status=newer, messages=("SetExecutionTimeout",)) == []


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"proof": {}}, "is supported on 2026-06-16 without a proof by Airflow's supervisor"),
        ({"proof": {}}, "is supported on 2026-10-30 without a proof by our own supervisor"),
        ({"proof": {"airflow": LIVE}}, "is supported on 2026-06-16 without a proof by our own supervisor"),
        ({"proof": {"outboard": OURS}}, "is supported on 2026-10-30 without a proof by Airflow's supervisor"),
        ({"proof": {"airflow": Proof(), "outboard": OURS}}, "without a proof by Airflow's supervisor"),
        ({"proof": {"airflow-3.4": LIVE, "outboard": OURS}}, "is supported on 2026-06-16 without a proof by Airflow's"),
        (
            {"proof": {"airflow": Proof(reason="no"), "outboard": Proof(reason="no")}},
            "is supported on 2026-06-16 without any test that proves it",
        ),
        ({"proof": {"airflow": OURS, "outboard": OURS}}, "by airflow, but Airflow runs in tests/live/ only"),
        ({"proof": {"airlfow": LIVE}}, "has a proof by airlfow; there is airflow, airflow-3.3, airflow-3.4, outboard"),
        ({"proof": {"airflow": LIVE, "outboard": Proof(tests=OURS.tests * 2)}}, "names a proof by outboard twice"),
        (
            {"proof": {"airflow": LIVE, "outboard": Proof(tests=("tests/cli/test_it.py",))}},
            "tests/cli/test_it.py, which is no id of a test",
        ),
        ({"status": statuses(PLANNED)}, "is proved by airflow, but on 2026-06-16 and 2026-10-30 there is nothing to"),
        (
            {"status": statuses(SUPPORTED, PLANNED), "proof": {"airflow-3.4": LIVE}},
            "is proved by airflow-3.4, but on 2026-10-30 there is nothing to prove",
        ),
        ({"status": {}}, "has a status for ; it needs one for each of 2026-06-16, 2026-10-30"),
        (
            {"status": statuses(Status(level="maybe"))},
            "has the status maybe on 2026-06-16; there is supported, partial",
        ),
        ({"status": statuses(Status(level="no"))}, "is no on 2026-06-16, which needs a reason"),
        ({"status": statuses(Status(level="partial"))}, "is partial on 2026-06-16, which needs a reason"),
        (
            {"status": statuses(Status(level="supported", reason="it is"))},
            "is supported on 2026-06-16, which takes no reason",
        ),
        (
            {"messages": ("SetExecutionTimeout",)},
            "is supported on 2026-06-16, when none of its messages was there yet; that is not-applicable",
        ),
        ({"messages": ("GetWeather",)}, "names GetWeather, which no schema has"),
        ({"tier": "OUGHT"}, "has the tier OUGHT; there is MUST, SHOULD, MAY, none"),
        ({"source": "rumour"}, "has the source rumour, which is not among the sources"),
        ({"needs": "another-row"}, "needs another-row, which is no row"),
        ({"id": "A row"}, "is no id: small letters, digits and hyphens"),
    ],
)
def test_what_a_row_may_not_say(changes: dict[str, Any], text: str) -> None:
    assert [line for line in said(**changes) if text in line], said(**changes)


def test_an_id_is_there_once() -> None:
    manifest = Manifest(sources={"matrix": "the matrix"}, capabilities=(GOOD, attrs.evolve(GOOD, place="there")))
    assert problems(manifest) == [
        "here: a-row is there more than once",
        "there: a-row is there more than once",
    ]


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────

HEAD = "sources: {matrix: The matrix.}\ncapabilities:\n  An area:\n"
WRITTEN = f"""{HEAD}
    - id: a-row
      title: A row
      tier: MUST
      source: matrix
      status:
        2026-06-16: {{no: planned}}
        2026-10-30: supported
      proof:
        airflow-3.4: [tests/live/test_it.py::test_it]
        outboard: it has no part in this
"""


@pytest.fixture
def read_text(tmp_path: Path) -> Callable[[str], Manifest]:
    def read_it(text: str) -> Manifest:
        path = tmp_path / "manifest.yaml"
        path.write_text(text)
        return read(path)

    return read_it


def test_a_row_is_read_as_it_is_written(read_text: Callable[[str], Manifest]) -> None:
    manifest = read_text(WRITTEN)
    assert manifest.sources == {"matrix": "The matrix."}
    assert manifest.capabilities == (
        Capability(
            place="manifest.yaml, line 5", area="An area", id="a-row", title="A row", tier="MUST", needs=None,
            source="matrix", messages=(),
            status={"2026-06-16": PLANNED, "2026-10-30": SUPPORTED},
            proof={"airflow-3.4": LIVE, "outboard": Proof(reason="it has no part in this")},
        ),
    )  # fmt: skip


def test_one_status_is_for_all_dates(read_text: Callable[[str], Manifest]) -> None:
    row = "    - {id: a-row, title: A row, tier: MUST, source: matrix, status: %s}\n"
    assert read_text(HEAD + row % "{no: planned}").capabilities[0].status == statuses(PLANNED)
    assert read_text(HEAD + row % "supported").capabilities[0].status == statuses(SUPPORTED)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("sources: [", "^manifest.yaml is no YAML: "),
        ("- a list", "^manifest.yaml holds no mapping$"),
        ("sources: {a: b}\nmore: {}", r"line 1: the mapping does not know more; it may have sources, capabilities$"),
        ("sources: {a: b}", r"line 1: the mapping needs a mapping under capabilities$"),
        ("sources: {a: b, a: c}\n", r"line 1: the mapping has a twice, again on line 1$"),
        ("? [a]\n: b\n", r"line 1: the mapping has a key that is no text$"),
        ("sources: {a: []}\ncapabilities: {}", r"line 1: the mapping needs a text under a$"),
        (HEAD + "    - id: a-row\n", r"line 4: the mapping needs a text under title$"),
        (HEAD + "    id: a-row\n", r"line 3: the mapping needs a list under An area$"),
        (HEAD + "    - a-row\n", r"line 3: the mapping needs a list of mappings under An area$"),
        (WRITTEN.replace("tier", "teir"), r"line 5: the mapping does not know teir; it may have id, title, tier"),
        (WRITTEN.replace("status:", "messages: x\n      status:"), r"needs a list of texts under messages$"),
        (
            WRITTEN.replace("{no: planned}", "[no]"),
            r"line 5: the mapping needs a status: a level, or \{level: reason\}",
        ),
        (WRITTEN.replace("{no: planned}", "{no: }"), r"line 10: the mapping needs a text under no$"),
        (WRITTEN.replace("it has no part in this", "{a: b}"), r"line 13: the mapping needs a list of texts under outb"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(
    read_text: Callable[[str], Manifest], text: str, error: str
) -> None:
    with pytest.raises(LocatedYamlError, match=error):
        read_text(text)


def test_yaml_makes_no_dates_and_no_booleans_of_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("2026-06-16: no\n~: [1, yes]\n")
    assert located_yaml.read(path).entries == {"2026-06-16": "no", "~": ["1", "yes"]}


# ── proving and showing ───────────────────────────────────────────────────────────────────────────────────────────


def test_which_tests_prove_it_depends_on_the_version_that_runs() -> None:
    proof = {prover: Proof(tests=(prover,)) for prover in PROVERS}
    row = attrs.evolve(GOOD, proof=proof)
    assert row.tests("3.3.2") == ["airflow", "airflow-3.3", "outboard"]
    assert row.tests("3.4.0b2") == ["airflow", "airflow-3.4", "outboard"]


def test_the_tables_show_marks_reasons_and_proofs() -> None:
    partly = Status(level="partial", reason="not a|b yet")
    newer = Proof(tests=("tests/live/test_it.py::test_it_holds[one case]",))
    row = attrs.evolve(
        GOOD,
        needs="another",
        messages=("DeferTask",),
        status=statuses(partly, SUPPORTED),
        proof={"outboard": OURS, "airflow-3.4": newer},
    )
    off = attrs.evolve(GOOD, id="off", title="Off", tier=OFF_THE_MATRIX, status=statuses(PLANNED), proof={})
    manifest = Manifest(sources={"matrix": "The matrix."}, capabilities=(row, off))
    assert gen_capabilities.summary(manifest).splitlines() == [
        "Of the rows of the matrix that apply, outboard has 0 of 1 with Airflow 3.3 and 1 of 1 with Airflow 3.4.",
        "",
        "| capability | tier | 3.3 | 3.4 |",
        "|---|---|---|---|",
        "| A row | MUST † | partly | ✔ |",
    ]
    whole = gen_capabilities.whole(manifest).splitlines()
    assert (
        whole[0]
        == "Of the rows of this page that apply, outboard has 0 of 2 with Airflow 3.3 and 1 of 2 with Airflow 3.4."
    )
    assert whole[2:7] == [
        "## An area",
        "",
        "| capability | tier | 3.3 | 3.4 | shown by |",
        "|---|---|---|---|---|",
        (
            "| **A row**<br>`a-row`, of `matrix`<br>`DeferTask` | MUST † | partly: not a&#124;b yet | ✔ "
            "| Airflow 3.4: [it holds (one case)](../../tests/live/test_it.py)<br>outboard: [it](../../tests/cli/test_it.py) |"
        ),
    ]
    assert whole[7] == "| **Off**<br>`off`, of `matrix` | – | no: planned | no: planned | – |"


def test_a_manifest_that_says_what_it_may_not_is_written_nowhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = Manifest(sources={"matrix": "the matrix"}, capabilities=(attrs.evolve(GOOD, proof={}),))
    monkeypatch.setattr(capabilities, "read", lambda: bad)
    monkeypatch.setattr(gen_capabilities.generated_block, "main", lambda *_: pytest.fail("something was written"))
    assert gen_capabilities.main([]) == 1
    assert "here: a-row is supported on 2026-06-16 without a proof" in capsys.readouterr().err
