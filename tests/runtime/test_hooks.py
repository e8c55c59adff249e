"""What the author has called around the body and after its end, in a real process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from outboard.protocol import messages as m
from tests.runtime.child import Child, startup
from tests.runtime.test_task_runner import run

OPERATOR = """
import sys
from datetime import timedelta
from outboard import DAG, BaseOperator, Variable, get_current_context, task
from outboard.sdk.exceptions import *

class Trigger:
    def serialize(self):
        return "author.Trigger", {}

def says(name):
    def hook(context, *result):
        print(name, *result, type(context.get("exception")).__name__, get_current_context() is context)
    return hook

def raises(context, *result):
    raise ValueError("no such hook")

def leaves(context):
    sys.exit(3)

class Works(BaseOperator):
    %(methods)s
    def execute(self, context):
        print("body")
        %(body)s

with DAG("example"):
    Works(task_id="body", **%(arguments)s)
"""


def operator(body: str = "return 7", methods: str = "", arguments: str = "{}") -> str:
    return OPERATOR % {"body": body, "methods": methods, "arguments": arguments}


def said(child: Child) -> list[str]:
    return [record["event"] for record in child.said()]


# ── hooks ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

METHODS = """
    def pre_execute(self, context):
        print("pre_execute of the class")

    def post_execute(self, context, result=None):
        print("post_execute of the class", result)
"""
HOOKS = (
    "{'pre_execute': says('pre_execute'), 'post_execute': says('post_execute'), 'on_execute_callback': says('called')}"
)


def test_hooks_stand_around_the_body_in_groups_of_their_own(tmp_path: Path) -> None:
    report, child = run(tmp_path, operator(methods=METHODS, arguments=HOOKS))
    assert report.state == "success"
    assert said(child) == [
        "::group::Pre Execute",
        "pre_execute NoneType True",
        "pre_execute of the class",
        "called NoneType True",
        "::endgroup::",
        "body",
        "::group::Post Execute",
        "post_execute 7 NoneType True",
        "post_execute of the class 7",
        "::endgroup::",
    ]


def test_a_task_without_hooks_has_no_groups(tmp_path: Path) -> None:
    _, child = run(tmp_path, operator())
    assert said(child) == ["body"]


def test_hooks_stand_around_a_method_that_goes_on_after_a_wait(tmp_path: Path) -> None:
    methods = "\n    def go_on(self, context, event=None):\n        print('goes on')\n"
    text = operator(methods=methods, arguments=HOOKS)
    _, child = run(tmp_path, text, next_method="go_on", next_kwargs={"event": 1})
    assert "pre_execute NoneType True" in said(child)
    assert "post_execute None NoneType True" in said(child)


def test_a_decorated_function_takes_hooks_too(tmp_path: Path) -> None:
    text = operator() + (
        "\n    @task(pre_execute=says('before'), post_execute=says('after'))"
        "\n    async def other():\n        return 5\n    other()\n"
    )
    with Child(tmp_path, text) as child:
        child.run("other")
    assert [event for event in said(child) if "::" not in event] == ["before NoneType True", "after 5 NoneType True"]


@pytest.mark.parametrize(
    ("arguments", "methods", "began"),
    [
        ("{'pre_execute': raises}", "", False),
        ("{}", METHODS.replace('print("pre_execute of the class")', "raises(context)"), False),
        ("{'post_execute': raises}", "", True),
        ("{}", METHODS.replace('print("post_execute of the class", result)', "raises(context)"), True),
    ],
)
def test_a_hook_that_raises_fails_the_task_and_closes_its_group(
    tmp_path: Path, arguments: str, methods: str, began: bool
) -> None:
    report, child = run(tmp_path, operator(arguments=arguments, methods=methods), should_retry=True)
    assert report.state == "up_for_retry"
    assert not [request for request in child.requests if isinstance(request, m.SetXCom)]
    assert ("body" in said(child)) == began
    assert said(child).count("::endgroup::") == sum("::group::" in event for event in said(child)) > 0
    assert "no such hook" in repr(child.said()[-1])


def test_a_hook_that_skips_skips(tmp_path: Path) -> None:
    methods = "\n    def pre_execute(self, context):\n        raise AirflowSkipException('nothing to do')\n"
    report, child = run(tmp_path, operator(methods=methods))
    assert report.state == "skipped"
    assert "skipped: nothing to do" in said(child)


def test_authors_groups_pass_as_they_are(tmp_path: Path) -> None:
    body = "print('::group::mine'); print('inside'); print('::endgroup::')"
    _, child = run(tmp_path, operator(body, arguments="{'pre_execute': says('pre')}"))
    assert said(child)[-3:] == ["::group::mine", "inside", "::endgroup::"]


def test_what_is_said_without_an_end_of_line_is_said_in_its_group(tmp_path: Path) -> None:
    methods = "\n    def pre_execute(self, context):\n        sys.stdout.write('half a line')\n"
    _, child = run(tmp_path, operator(methods=methods))
    assert said(child) == ["::group::Pre Execute", "half a line", "::endgroup::", "body"]


# ── callbacks ─────────────────────────────────────────────────────────────────────────────────────────────────────────

CALLBACKS = ("on_success_callback", "on_failure_callback", "on_retry_callback", "on_skipped_callback")
ALL = "{" + ", ".join(f"'{name}': [says('{name}'), says('and another')]" for name in CALLBACKS) + "}"


@pytest.mark.parametrize(
    ("body", "should_retry", "called", "exception"),
    [
        ("return 7", False, "on_success_callback", "NoneType"),
        ("raise DownstreamTasksSkipped(tasks=['other'])", False, "on_success_callback", "NoneType"),
        ("raise ValueError('x')", False, "on_failure_callback", "ValueError"),
        ("raise AirflowFailException('x')", True, "on_failure_callback", "AirflowFailException"),
        ("sys.exit(0)", False, "on_failure_callback", "SystemExit"),
        ("return object()", False, "on_failure_callback", "SerializationError"),
        ("raise ValueError('x')", True, "on_retry_callback", "ValueError"),
        ("raise AirflowSkipException('x')", True, "on_skipped_callback", "NoneType"),
        ("self.defer(trigger=Trigger(), method_name='m')", True, None, None),
    ],
)
def test_the_callbacks_for_the_state_are_called_after_the_report(
    tmp_path: Path, body: str, should_retry: bool, called: str | None, exception: str | None
) -> None:
    report, child = run(tmp_path, operator(body, arguments=ALL), should_retry=should_retry)
    expected = [f"{name} {exception} True" for name in (called, "and another")] if called else []
    assert child.logged("task.stdout")[1:] == expected
    assert child.requests[-1] is report


def test_a_callback_may_ask_the_supervisor_which_has_the_report_by_then(tmp_path: Path) -> None:
    text = operator(arguments="{'on_success_callback': lambda context: print(Variable.get('address'))}")
    answers: dict[str, Any] = {"GetVariable": lambda _: m.VariableResult(key="address", value="somebody")}
    _, child = run(tmp_path, text, answers)
    assert [type(request).__name__ for request in child.requests] == ["SetXCom", "SucceedTask", "GetVariable"]
    assert said(child)[-1] == "somebody"
    assert child.process.returncode == 0


@pytest.mark.parametrize("raising", ["raises", "leaves"])
@pytest.mark.parametrize(("body", "state"), [("return 7", "success"), ("raise OSError", "failed")])
def test_a_callback_that_raises_changes_nothing_and_the_others_are_called(
    tmp_path: Path, raising: str, body: str, state: str
) -> None:
    name = "on_success_callback" if state == "success" else "on_failure_callback"
    report, child = run(tmp_path, operator(body, arguments=f"{{'{name}': [{raising}, says('next')]}}"))
    assert report.state == state
    assert f"the {name} '{raising}' raised an exception" in said(child)
    assert said(child)[-1].startswith("next")
    assert child.process.returncode == 0


def test_a_callback_before_the_body_that_raises_changes_nothing(tmp_path: Path) -> None:
    text = operator(arguments="{'on_execute_callback': [raises, says('next')]}")
    report, child = run(tmp_path, text)
    assert report.state == "success"
    assert "the on_execute_callback 'raises' raised an exception" in said(child)
    assert "next NoneType True" in said(child)


def test_a_callback_before_the_body_that_leaves_fails_the_task(tmp_path: Path) -> None:
    report, child = run(tmp_path, operator(arguments="{'on_execute_callback': leaves}"))
    assert report.state == "failed"
    assert "body" not in said(child)


def test_callbacks_of_the_default_args_are_called(tmp_path: Path) -> None:
    text = operator().replace('DAG("example")', "DAG('example', default_args={'on_success_callback': says('default')})")
    _, child = run(tmp_path, text)
    assert said(child)[-1] == "default NoneType True"


def test_nothing_is_called_where_the_supervisor_has_gone(tmp_path: Path) -> None:
    with Child(tmp_path, operator(arguments=ALL)) as child:
        child.greet(startup("body"))
        pushing = child.next_event()
        assert pushing is not None
        assert child.process.stdin is not None
        child.process.stdin.close()
        assert child.process.wait(30) == 74
        while child.next_event() is not None:
            pass
    assert not [event for event in said(child) if "callback" in event]


def test_a_condition_skips_the_task_before_its_body(tmp_path: Path) -> None:
    text = """
from outboard import dag, task
@dag
def example():
    @task.skip_if(lambda context: context["try_number"] == 1, "not at first")
    @task
    def body():
        print("body")
    body()
example()
"""
    report, child = run(tmp_path, text)
    assert (report.state, said(child)[1]) == ("skipped", "::endgroup::")
    assert said(child)[-1] == "skipped: not at first"
    assert run(tmp_path, text, try_number=2)[0].state == "success"


def test_a_notifier_is_called_as_a_callback(tmp_path: Path) -> None:
    text = operator("raise ValueError('no rows')", arguments="{'on_failure_callback': Mails('failed')}").replace(
        "class Works",
        """from outboard import BaseNotifier

class Mails(BaseNotifier):
    template_fields = ("subject",)

    def __init__(self, subject):
        super().__init__()
        self.subject = subject

    def notify(self, context):
        print(context["subject"], context["exception"], context["ti"].task_id)

class Works""",
    )
    _, child = run(tmp_path, text)
    assert said(child)[-1] == "failed no rows body"


def test_a_handler_of_a_stub_task_has_limits_and_callbacks_of_its_own(tmp_path: Path) -> None:
    text = """
from datetime import timedelta
from outboard import TaskRegistry, task
registry = TaskRegistry()

@registry.task("example")
@task(
    execution_timeout=timedelta(seconds=0.1),
    on_failure_callback=lambda context: print(type(context["exception"]).__name__),
)
def body():
    while True:
        pass
"""
    report, child = run(tmp_path, text)
    assert report.state == "failed"
    assert said(child)[-1] == "AirflowTaskTimeout"
