"""The arguments that every operator has, ``@task`` too: their defaults and their checks.

An argument is listed here only if something honours it. The others that Airflow knows are named too, so that the error for
using one can say that it is a matter of outboard and not of spelling.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from outboard.sdk.trigger_rule import TriggerRule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TypeAlias, TypedDict

    from outboard.sdk.assets import BaseAsset
    from outboard.sdk.context import Context
    from outboard.sdk.dag import DAG

    RetryPolicy: TypeAlias = Any
    Assets: TypeAlias = "BaseAsset | Sequence[BaseAsset] | None"
    Callbacks: TypeAlias = "Callable[[Context], Any] | Sequence[Callable[[Context], Any]] | None"

    class TaskArguments(TypedDict, total=False):
        """What ``@task(...)``, `.override(...)` and ``default_args`` accept."""

        task_id: str
        dag: DAG
        retries: int
        retry_delay: timedelta | float
        retry_exponential_backoff: float
        max_retry_delay: timedelta | float | None
        params: Mapping[str, Any] | None
        trigger_rule: str
        multiple_outputs: bool | None
        do_xcom_push: bool
        queue: str
        pool: str | None
        pool_slots: int
        priority_weight: int
        start_date: datetime | None
        end_date: datetime | None
        owner: str
        doc_md: str | None
        task_display_name: str | None
        inlets: Assets
        outlets: Assets
        execution_timeout: timedelta | None
        retry_policy: RetryPolicy | None
        pre_execute: Callable[[Context], Any] | None
        post_execute: Callable[[Context, Any], Any] | None
        on_execute_callback: Callbacks
        on_success_callback: Callbacks
        on_failure_callback: Callbacks
        on_retry_callback: Callbacks
        on_skipped_callback: Callbacks


__all__ = ("CALLBACKS", "DEFAULTS", "UNSUPPORTED", "asks_for_nothing", "check_argument", "check_key", "is_unsupported")

# What is called when a task comes into a state, by the name of the argument.
CALLBACKS = (
    "on_execute_callback",
    "on_success_callback",
    "on_failure_callback",
    "on_retry_callback",
    "on_skipped_callback",
)

# Airflow's own defaults, for deployments that configure nothing else.
DEFAULTS: dict[str, Any] = {
    "retries": 0,
    "retry_delay": timedelta(seconds=300),
    "retry_exponential_backoff": 0,
    "max_retry_delay": None,
    "params": None,
    "trigger_rule": TriggerRule.ALL_SUCCESS,
    "retry_policy": None,
    "execution_timeout": None,
    "multiple_outputs": False,
    "do_xcom_push": True,
    "queue": "default",
    "pool": "default_pool",
    "pool_slots": 1,
    "priority_weight": 1,
    "start_date": None,
    "end_date": None,
    "owner": "airflow",
    "doc_md": None,
    "task_display_name": None,
    "inlets": (),
    "outlets": (),
    **dict.fromkeys(CALLBACKS, ()),
}

# Arguments of Airflow's that nothing here honours yet.
UNSUPPORTED = frozenset(
    (
        "allow_nested_operators",
        "depends_on_past",
        "doc",
        "doc_json",
        "doc_rst",
        "doc_yaml",
        "email",
        "email_on_failure",
        "email_on_retry",
        "executor",
        "executor_config",
        "ignore_first_depends_on_past",
        "logger_name",
        "map_index_template",
        "max_active_tis_per_dag",
        "max_active_tis_per_dagrun",
        "on_failure_fail_dagrun",
        "render_template_as_native_obj",
        "resources",
        "run_as_user",
        "show_return_value_in_logs",
        "sla",
        "task_group",
        "templates_exts",
        "wait_for_downstream",
        "wait_for_past_depends_before_skipping",
        "weight_rule",
    )
)

# Those of them that switch something off when they are False.
_ON_BY_DEFAULT = ("allow_nested_operators", "show_return_value_in_logs")

# Airflow stores ids in columns of this width.
MAX_KEY_LENGTH = 250


def check_key(kind: str, key: object) -> str:
    """An id as Airflow accepts it.

    Args:
        kind: what it identifies, for the error.
        key: the id.

    Raises:
        TypeError: it is no string.
        ValueError: it is empty, too long, or holds a character other than letters, digits, ``_``, ``-`` and ``.``.
    """
    if not isinstance(key, str):
        raise TypeError(f"a {kind} is a string, not {key!r}")
    if not key or len(key) > MAX_KEY_LENGTH:
        raise ValueError(f"a {kind} has 1 to {MAX_KEY_LENGTH} characters, and {key!r} has {len(key)}")
    if not all(character.isalnum() or character in "_-." for character in key):
        raise ValueError(f"the {kind} {key!r} may hold letters, digits, dashes, dots and underscores only")
    return key


def is_unsupported(name: str) -> bool:
    """Whether it is an argument of Airflow's that nothing here honours yet."""
    return name in UNSUPPORTED


def asks_for_nothing(name: str, value: object) -> bool:
    """Whether an unsupported argument is at a value that means what happens anyway, such as ``depends_on_past=False``."""
    if name in _ON_BY_DEFAULT:
        return value is True or value is None
    return value is None or value is False or value == {} or value == []


def check_argument(label: str, name: str, value: Any) -> Any:
    """The value of one argument as a task keeps it.

    Args:
        label: the task, for the error.
        name: the argument.
        value: what the author gave.

    Raises:
        TypeError: no such argument, or a value of the wrong type.
        ValueError: a value that makes no sense.
    """
    check = _CHECKS.get(name)
    if check is None:
        raise TypeError(f"{label}: {_unknown(name)}")
    try:
        return check(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{label}: {name} {error}") from None


def _unknown(name: str) -> str:
    if name in UNSUPPORTED:
        return f"outboard does not support the argument {name!r} yet; remove it"
    return f"there is no argument {name!r}; the arguments are task_id, dag, {', '.join(DEFAULTS)}"


def _date(value: Any) -> datetime:
    if not isinstance(value, datetime):
        raise TypeError(f"is a datetime, not {value!r}")
    return value


def _retries(value: Any) -> int:
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise TypeError(f"is a number, not {value!r}")
    number = int(value)
    if number < 0:
        raise ValueError(f"cannot be negative, as {value!r} is")
    return number


def _delay(value: Any) -> timedelta:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = timedelta(seconds=value)
    if not isinstance(value, timedelta):
        raise TypeError(f"is a timedelta or a number of seconds, not {value!r}")
    if value < timedelta():
        raise ValueError(f"cannot be negative, as {value!r} is")
    return value


def _backoff(value: Any) -> float:
    if not isinstance(value, (int, float)):
        raise TypeError(f"is the factor by which the delay grows, not {value!r}")
    if value < 0:
        raise ValueError(f"cannot be negative, as {value!r} is")
    return float(value)


def _rule(value: Any) -> TriggerRule:
    if not isinstance(value, str):
        raise TypeError(f"is a TriggerRule or its name, not {value!r}")
    try:
        return TriggerRule(value)
    except ValueError as error:
        raise ValueError(f"is wrong: {error}") from None


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"is True or False, not {value!r}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"is a string, not {value!r}")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"is an integer, not {value!r}")
    return value


def _slots(value: Any) -> int:
    if _whole(value) < 1:
        raise ValueError(f"is at least 1, not {value!r}")
    return int(value)


def _timeout(value: Any) -> timedelta:
    if not isinstance(value, timedelta):
        raise TypeError(f"is a timedelta, not {value!r}")
    return value


def _policy(value: Any) -> RetryPolicy:
    if not hasattr(value, "evaluate"):
        raise TypeError(f"is a RetryPolicy, not {value!r}")
    return value


def _callbacks(value: Any) -> tuple[Callable[[Any], Any], ...]:
    given = (value,) if callable(value) else tuple(value) if isinstance(value, (list, tuple, set)) else None
    if given is None or not all(map(callable, given)):
        raise TypeError(f"is a function that takes the context, or a list of such functions, not {value!r}")
    return given


def _assets(value: Any) -> tuple[Any, ...]:
    from outboard.sdk.assets import Asset, AssetAlias, AssetRef  # only files that declare assets have some

    given = (value,) if isinstance(value, (Asset, AssetAlias, AssetRef)) else value
    if isinstance(given, (str, dict)) or not hasattr(given, "__iter__"):
        raise TypeError(f"are assets, aliases or references, not {value!r}")
    for each in given:
        if not isinstance(each, (Asset, AssetAlias, AssetRef)):
            raise TypeError(f"are assets, aliases or references, not {each!r}")
    return tuple(given)


def _optional(check: Callable[[Any], Any], default: Any = None) -> Callable[[Any], Any]:
    return lambda value: default if value is None else check(value)


def _params(value: Any) -> Any:
    if value == {}:
        return None  # loads nothing
    from outboard.sdk.params import ParamsDict

    try:
        return ParamsDict(value)
    except ValueError as error:
        raise ValueError(f"are wrong: {error}") from None
    except TypeError:
        raise TypeError(f"are a mapping of names to values, not {value!r}") from None


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "retries": _retries,
    "retry_delay": _delay,
    "retry_exponential_backoff": _backoff,
    "max_retry_delay": _optional(_delay),
    "params": _optional(_params),
    "trigger_rule": _rule,
    "retry_policy": _optional(_policy),
    "execution_timeout": _optional(_timeout),
    "multiple_outputs": _optional(_flag, False),
    "do_xcom_push": _flag,
    "queue": _text,
    "pool": _optional(_text, DEFAULTS["pool"]),
    "pool_slots": _slots,
    "priority_weight": _whole,
    "start_date": _optional(_date),
    "end_date": _optional(_date),
    "owner": _text,
    "doc_md": _optional(_text),
    "task_display_name": _optional(_text),
    "inlets": _optional(_assets, ()),
    "outlets": _optional(_assets, ()),
    **dict.fromkeys(CALLBACKS, _optional(_callbacks, ())),
}
