"""Record what Airflow's retry policies decide, as a fixture for ours.

::

    AIRFLOW/bin/python src/outboard/_tools/record_retry_policies.py            # writes fixtures/sdk/retry_policies.json
    AIRFLOW/bin/python src/outboard/_tools/record_retry_policies.py --check    # exits 1 when a recording would differ

Runs inside an Airflow environment, which has no outboard: this file imports nothing of it. Airflow 3.4 writes the recording;
3.3, which can't put tasks off nor chain policies, agrees with it on all that it can do, and is asked for that only.

Policies, exceptions and questions are kept as source, so that the tests can evaluate the same text with our names.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parents[3] / "fixtures" / "sdk" / "retry_policies.json"

NAMES = ("ChainRetryPolicy", "ExceptionRetryPolicy", "RetryAction", "RetryDecision", "RetryPolicy", "RetryRule")
NEWER = ("ChainRetryPolicy", "RESCHEDULE", "reschedule", "list(RetryAction)", "repr(RetryDecision", "repr(RetryRule")
"""What only Airflow 3.4 has, or says in full."""

PRELUDE = """
import copy, json, pickle
from datetime import timedelta

class Refuses(RetryPolicy):
    def evaluate(self, exception, try_number, max_tries, context=None):
        raise LookupError("no opinion")

class Babbles(RetryPolicy):
    def evaluate(self, exception, try_number, max_tries, context=None):
        return "retry"

class Counts(RetryPolicy):
    def evaluate(self, exception, try_number, max_tries, context=None):
        return RetryDecision.retry(timedelta(seconds=try_number), reason=f"{try_number} of {max_tries}: {exception}")

class Shrugs(RetryPolicy):
    def evaluate(self, exception, try_number, max_tries, context=None):
        return RetryDecision(reason="whatever")

rules = [
    RetryRule(ConnectionRefusedError, RetryAction.FAIL, reason="nobody there"),
    RetryRule(ConnectionError, retry_delay=timedelta(minutes=1)),
    RetryRule(["json.decoder.JSONDecodeError", KeyError], RetryAction.RETRY, timedelta(seconds=2.5), "odd data"),
    RetryRule(LookupError, RetryAction.FAIL, match_subclasses=False),
    RetryRule("builtins.ArithmeticError", RetryAction.DEFAULT, reason="as usual"),
    RetryRule("no.such.module.Error", RetryAction.FAIL),
    RetryRule("json.NoSuchError", RetryAction.FAIL),
]
by_exception = ExceptionRetryPolicy(rules)
"""

EXCEPTIONS = [
    *("ConnectionRefusedError()", "ConnectionResetError()", "json.JSONDecodeError('m', 'd', 0)", "KeyError('k')"),
    *("IndexError()", "LookupError()", "ZeroDivisionError()", "ValueError('x')", "TimeoutError()", "Exception()"),
    *("KeyboardInterrupt()", "SystemExit(0)"),
]

POLICIES = [
    "by_exception",
    "ExceptionRetryPolicy([])",
    "ExceptionRetryPolicy(rules=[], default=RetryAction.FAIL)",
    "ExceptionRetryPolicy(rules[:2], RetryAction.RETRY)",
    "ExceptionRetryPolicy([RetryRule(Exception, reason='')])",
    "ExceptionRetryPolicy([RetryRule(BaseException, RetryAction.FAIL)])",
    "ExceptionRetryPolicy.deserialize(json.loads(json.dumps(by_exception.serialize())))",
    "Counts()",
    "ExceptionRetryPolicy([RetryRule(ValueError, RetryAction.RESCHEDULE, timedelta(1), 'later', max_reschedules=3)])",
    "ExceptionRetryPolicy([RetryRule(ValueError, RetryAction.RESCHEDULE, reschedule_timeout=timedelta(hours=2))])",
    "ChainRetryPolicy([by_exception, Counts()])",
    "ChainRetryPolicy([Refuses(), Babbles(), Shrugs(), by_exception])",
    "ChainRetryPolicy([ExceptionRetryPolicy([RetryRule(KeyError, RetryAction.RESCHEDULE, max_reschedules=1)]), Counts()])",
]

ANSWERS = [
    *("str(RetryAction.RETRY)", "repr(RetryAction.FAIL)", "f'{RetryAction.DEFAULT}'", "RetryAction.RETRY.name"),
    *("RetryAction.RETRY.value", "RetryAction('fail') is RetryAction.FAIL", "RetryAction['DEFAULT'].value"),
    *("RetryAction(RetryAction.FAIL) is RetryAction.FAIL", "isinstance(RetryAction.RETRY, RetryAction)"),
    *("RetryAction.RETRY == 'retry'", "RetryAction.RETRY == RetryAction.FAIL", "RetryAction.RETRY in RetryAction"),
    "[action.value for action in list(RetryAction)]",
    "{RetryAction.RETRY: 1}[RetryAction.RETRY]",
    "copy.deepcopy(RetryAction.RETRY) is RetryAction.RETRY",
    "pickle.loads(pickle.dumps(RetryAction.RETRY)) is RetryAction.RETRY",
    "RetryDecision() == RetryDecision.default() == RetryDecision(RetryAction.DEFAULT, None, None)",
    "RetryDecision.fail('r') == RetryDecision(action=RetryAction.FAIL, reason='r')",
    "RetryDecision.fail() == RetryDecision.retry()",
    "RetryDecision.retry(timedelta(1), 'r') == RetryDecision(RetryAction.RETRY, retry_delay=timedelta(1), reason='r')",
    "hash(RetryDecision.fail('r')) == hash(RetryDecision.fail('r'))",
    "copy.deepcopy(RetryDecision.fail('r')) == RetryDecision.fail('r')",
    "pickle.loads(pickle.dumps(RetryDecision.fail('r'))) == RetryDecision.fail('r')",
    "repr(RetryDecision.fail('r'))",
    "repr(RetryRule(KeyError, match_subclasses=False))",
    "RetryDecision.reschedule(timedelta(1), max_reschedules=2, reason='r').max_reschedules",
    "RetryRule(KeyError) == RetryRule(KeyError, RetryAction.RETRY)",
    "RetryRule(KeyError) == RetryRule(IndexError)",
    "[rule.exception_path for rule in rules]",
    "[rule.serialize() for rule in rules]",
    "[RetryRule.deserialize(rule.serialize()).serialize() for rule in rules]",
    "RetryRule(KeyError, RetryAction.RESCHEDULE, max_reschedules=2, reschedule_timeout=timedelta(hours=1)).serialize()",
    "by_exception.serialize()",
    "ExceptionRetryPolicy([], RetryAction.FAIL).serialize()",
]

ERRORS = [
    *(
        "RetryAction('later')",
        "RetryAction['LATER']",
        "RetryPolicy()",
        "Counts().serialize()",
        "Counts.deserialize({})",
    ),
    *("RetryRule('ValueError')", "RetryRule('')", "RetryRule(['ValueError'])", "hash(RetryRule(KeyError))"),
    "setattr(RetryDecision(), 'reason', 'r')",
    "delattr(RetryDecision(), 'reason')",
    *(
        "RetryDecision(RetryAction.RESCHEDULE)",
        "RetryDecision.reschedule()",
        "RetryRule(KeyError, RetryAction.RESCHEDULE)",
    ),
    "RetryDecision(RetryAction.RETRY, max_reschedules=1, reason='RESCHEDULE only')",
    "RetryDecision.reschedule(max_reschedules=0)",
    "RetryDecision.reschedule(reschedule_timeout=timedelta(0))",
    "ExceptionRetryPolicy([], RetryAction.RESCHEDULE)",
    *("ChainRetryPolicy([])", "ChainRetryPolicy(Counts())", "ChainRetryPolicy([3])"),
]


def main() -> int:
    """Write the recording, or compare it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare only")
    options = parser.parse_args()
    sdk: Any = importlib.import_module("airflow.sdk.definitions.retry_policy")
    is_newer = hasattr(sdk, "ChainRetryPolicy")
    if not is_newer and not options.check:
        parser.error("Airflow 3.4 writes the recording; of this version it can only be checked")
    recorded = _recorded({name: getattr(sdk, name) for name in NAMES if hasattr(sdk, name)}, is_newer)
    if not options.check:
        TARGET.write_text(json.dumps(recorded, indent=1) + "\n")
        return 0
    kept = json.loads(TARGET.read_text())
    expected = {
        name: {source: told for source, told in entries.items() if is_newer or not _is_new(source)}
        for name, entries in kept.items()
        if name not in ("prelude", "exceptions")
    }
    if expected != {name: recorded[name] for name in expected}:
        print(f"{TARGET.name} differs from a new recording", file=sys.stderr)
        return 1
    return 0


def _is_new(source: str) -> bool:
    return any(word in source for word in NEWER)


def _recorded(names: dict[str, Any], is_newer: bool) -> dict[str, Any]:
    module = sys.modules["author_file"] = type(sys)("author_file")
    vars(module).update(names)
    exec(compile(PRELUDE, "author_file.py", "exec"), vars(module))

    def evaluated(source: str) -> Any:
        return eval(source, vars(module))

    def decisions(source: str) -> list[Any]:
        policy = evaluated(source)
        return [_parts(policy.evaluate(evaluated(each), 2, 5, None)) for each in EXCEPTIONS]

    def refused(source: str) -> str:
        try:
            evaluated(source)
        except Exception as error:
            # A subclass of it is as good.
            return next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins")
        return ""

    def each(sources: list[str], answer: Any) -> dict[str, Any]:
        return {source: answer(source) for source in sources if is_newer or not _is_new(source)}

    return {
        "prelude": PRELUDE,
        "exceptions": EXCEPTIONS,
        "policies": each(POLICIES, decisions),
        "answers": each(ANSWERS, evaluated),
        "errors": each(ERRORS, refused),
    }


def _parts(decision: Any) -> list[Any]:
    delay, timeout = decision.retry_delay, getattr(decision, "reschedule_timeout", None)
    return [
        decision.action.value,
        None if delay is None else delay.total_seconds(),
        decision.reason,
        getattr(decision, "max_reschedules", None),
        None if timeout is None else timeout.total_seconds(),
    ]


if __name__ == "__main__":
    sys.exit(main())
