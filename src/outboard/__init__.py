"""The author API: what a file of tasks imports, under the names of ``airflow.sdk``.

    from outboard import dag, task

    @task(retries=2)
    def extract():
        return [3, 1, 2]

    @task
    def report(rows, ds=None):
        print(ds, sum(rows))

    @dag(schedule="@daily")
    def sales():
        report(extract())

    sales()

A name is imported when it is first used, so that a task pays for what its file asks for and no more. Exceptions are in
`outboard.sdk.exceptions`; what outboard itself raises is in `outboard.errors`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from outboard.sdk.allowed_classes import allow_class
    from outboard.sdk.assets import Asset, AssetAlias, AssetAll, AssetAny, Metadata
    from outboard.sdk.async_operator import BaseAsyncOperator
    from outboard.sdk.branch import BaseBranchOperator, BranchMixIn, BranchPythonOperator, ShortCircuitOperator
    from outboard.sdk.connection import Connection
    from outboard.sdk.context import Context, get_current_context
    from outboard.sdk.dag import DAG, dag
    from outboard.sdk.dependencies import chain
    from outboard.sdk.hitl import ApprovalOperator, HITLBranchOperator, HITLEntryOperator, HITLOperator, HITLUser
    from outboard.sdk.hook import BaseHook
    from outboard.sdk.notifier import BaseNotifier
    from outboard.sdk.operator import BaseOperator
    from outboard.sdk.param import Param
    from outboard.sdk.python_operator import PythonOperator
    from outboard.sdk.registry import TaskRegistry
    from outboard.sdk.retry_decision import RetryAction, RetryDecision
    from outboard.sdk.retry_policy import ChainRetryPolicy, ExceptionRetryPolicy, RetryPolicy, RetryRule
    from outboard.sdk.sensor import BaseSensorOperator, PokeReturnValue, PythonSensor
    from outboard.sdk.skip_mixin import SkipMixin
    from outboard.sdk.state_stores import NEVER_EXPIRE
    from outboard.sdk.states import DagRunState, TaskInstanceState
    from outboard.sdk.task import task
    from outboard.sdk.task_instance import TaskInstance
    from outboard.sdk.trigger_dag_run import TriggerDagRunOperator
    from outboard.sdk.trigger_rule import TriggerRule
    from outboard.sdk.triggers import BaseTrigger, DateTimeTrigger, NamedTrigger, TimeDeltaTrigger, TriggerEvent
    from outboard.sdk.variable import Variable
    from outboard.sdk.xcom import BaseXCom
    from outboard.sdk.xcom_arg import XComArg
    from outboard.sdk.xcom_sequence import LazyXComSequence

__all__ = (
    "DAG",
    "NEVER_EXPIRE",
    "ApprovalOperator",
    "Asset",
    "AssetAlias",
    "AssetAll",
    "AssetAny",
    "BaseAsyncOperator",
    "BaseBranchOperator",
    "BaseHook",
    "BaseNotifier",
    "BaseOperator",
    "BaseSensorOperator",
    "BaseTrigger",
    "BaseXCom",
    "BranchMixIn",
    "BranchPythonOperator",
    "ChainRetryPolicy",
    "Connection",
    "Context",
    "DagRunState",
    "DateTimeTrigger",
    "ExceptionRetryPolicy",
    "HITLBranchOperator",
    "HITLEntryOperator",
    "HITLOperator",
    "HITLUser",
    "LazyXComSequence",
    "Metadata",
    "NamedTrigger",
    "Param",
    "PokeReturnValue",
    "PythonOperator",
    "PythonSensor",
    "RetryAction",
    "RetryDecision",
    "RetryPolicy",
    "RetryRule",
    "ShortCircuitOperator",
    "SkipMixin",
    "TaskInstance",
    "TaskInstanceState",
    "TaskRegistry",
    "TimeDeltaTrigger",
    "TriggerDagRunOperator",
    "TriggerEvent",
    "TriggerRule",
    "Variable",
    "XComArg",
    "allow_class",
    "chain",
    "dag",
    "get_current_context",
    "task",
)

_HOMES = {
    "ApprovalOperator": "hitl",
    "Asset": "assets",
    "AssetAlias": "assets",
    "AssetAll": "assets",
    "AssetAny": "assets",
    "BaseAsyncOperator": "async_operator",
    "BaseBranchOperator": "branch",
    "BaseHook": "hook",
    "BaseNotifier": "notifier",
    "BaseOperator": "operator",
    "BaseSensorOperator": "sensor",
    "BaseTrigger": "triggers",
    "BaseXCom": "xcom",
    "BranchMixIn": "branch",
    "BranchPythonOperator": "branch",
    "ChainRetryPolicy": "retry_policy",
    "Connection": "connection",
    "Context": "context",
    "DAG": "dag",
    "DagRunState": "states",
    "DateTimeTrigger": "triggers",
    "ExceptionRetryPolicy": "retry_policy",
    "HITLBranchOperator": "hitl",
    "HITLEntryOperator": "hitl",
    "HITLOperator": "hitl",
    "HITLUser": "hitl",
    "LazyXComSequence": "xcom_sequence",
    "Metadata": "assets",
    "NEVER_EXPIRE": "state_stores",
    "NamedTrigger": "triggers",
    "Param": "param",
    "PokeReturnValue": "sensor",
    "PythonOperator": "python_operator",
    "PythonSensor": "sensor",
    "RetryAction": "retry_decision",
    "RetryDecision": "retry_decision",
    "RetryPolicy": "retry_policy",
    "RetryRule": "retry_policy",
    "ShortCircuitOperator": "branch",
    "SkipMixin": "skip_mixin",
    "TaskInstance": "task_instance",
    "TaskInstanceState": "states",
    "TaskRegistry": "registry",
    "TimeDeltaTrigger": "triggers",
    "TriggerDagRunOperator": "trigger_dag_run",
    "TriggerEvent": "triggers",
    "TriggerRule": "trigger_rule",
    "Variable": "variable",
    "XComArg": "xcom_arg",
    "allow_class": "allowed_classes",
    "chain": "dependencies",
    "dag": "dag",
    "get_current_context": "context",
    "task": "task",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'outboard' has no attribute {name!r}")
    value: object = getattr(__import__(f"outboard.sdk.{home}", fromlist=(name,)), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
