"""Params, and retry policies, as an author writes them."""

from datetime import timedelta

from outboard import ExceptionRetryPolicy, Param, RetryAction, RetryRule, dag, task
from outboard.sdk.log import mask_secret

LIMIT = Param(3, type="integer", minimum=1)


@task(params={"place": Param("here", enum=["here", "there"])})
def returns_its_params(limit, params):
    return {"limit": limit, "params": params}


@task(
    retry_delay=timedelta(minutes=7),
    retry_policy=ExceptionRetryPolicy(
        [
            RetryRule("json.decoder.JSONDecodeError", RetryAction.FAIL, reason="no JSON will come of it"),
            RetryRule([ConnectionError, TimeoutError], retry_delay=timedelta(seconds=90), reason="busy"),
            RetryRule(KeyError, reason="r" * 495 + "tell no one" + "r" * 95),
            RetryRule(PermissionError, RetryAction.RESCHEDULE, reason="not yet", max_reschedules=2),
        ]
    ),
)
def raises(params):
    import json

    mask_secret("tell no one")
    kinds = {
        "malformed": lambda: json.JSONDecodeError("m", "{", 1),
        "refused": ConnectionRefusedError,
        "forbidden": PermissionError,
        "secret": KeyError,
        "wrong": ValueError,
    }
    raise kinds[params["kind"]]()


@dag(params={"day": Param("2024-01-31", format="date"), "code": Param("ab", pattern="^a")})
def choices(limit=LIMIT):
    returns_its_params(limit)
    raises()


choices()
