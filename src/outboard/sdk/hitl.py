"""Tasks that ask a human: a question with options, perhaps a form, and perhaps a time after which a default counts.

Such a task leaves its process while it waits. What is asked goes to the supervisor first; the answer comes as the event with
which another process goes on, in Airflow's form for it: ``chosen_options``, ``params_input``, ``responded_at``,
``responded_by_user`` and ``timedout``, or ``error`` and ``error_type``.
"""

from __future__ import annotations

from outboard.sdk.branch import BranchMixIn
from outboard.sdk.client import current
from outboard.sdk.exceptions import AirflowException, TaskAwaitingInput
from outboard.sdk.operator import BaseOperator
from outboard.sdk.skip_mixin import SkipMixin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime, timedelta
    from typing import Any, TypedDict

    from outboard.sdk.context import Context
    from outboard.sdk.params import ParamsDict
    from outboard.sdk.task_instance import TaskInstance

    Notifier = Callable[[Context], Any]

    class HITLUser(TypedDict):
        """Somebody who may answer, or has answered: the id and the name under which the deployment knows them."""

        id: str
        name: str

    class Answer(TypedDict):
        """The result of a task that has asked."""

        chosen_options: list[str]
        params_input: dict[str, Any]
        responded_at: datetime
        responded_by_user: HITLUser | None

else:

    class HITLUser(dict):
        """Somebody who may answer, or has answered: a dict with their ``id`` and ``name`` in the deployment."""

        __slots__ = ()


__all__ = (
    "ApprovalOperator",
    "HITLBranchOperator",
    "HITLEntryOperator",
    "HITLOperator",
    "HITLRejectException",
    "HITLTimeoutError",
    "HITLTriggerEventError",
    "HITLUser",
)


class HITLTriggerEventError(Exception):
    """There was no answer, or none that counts. Its argument is the event."""


class HITLTimeoutError(HITLTriggerEventError):
    """Nobody has answered in time, and there is no default."""


class HITLRejectException(AirflowException):
    """What was to be approved has been rejected, and that is to be a failure."""


class HITLOperator(BaseOperator):
    """Asks a human, and returns the answer.

    Args:
        subject: the question, in a line.
        options: what can be chosen.
        body: what else to know for an answer, in Markdown.
        defaults: the option, or the options, that count when nobody has answered in time.
        multiple: whether several options can be chosen.
        params: the fields of a form, by name: values, or `Param` with a schema that the answer must fit.
        notifiers: what is called with the context once the question is asked.
        assigned_users: who may answer; anybody who may see the Dag unless given.
        response_timeout: how long to wait; as long as it takes unless given.

    Raises:
        TypeError, ValueError: an argument of the wrong type, no options, a default that is no option, or too many of them.
    """

    template_fields: Sequence[str] = ("subject", "body")

    def __init__(
        self,
        *,
        subject: str,
        options: list[str],
        body: str | None = None,
        defaults: str | list[str] | None = None,
        multiple: bool = False,
        params: ParamsDict | Mapping[str, Any] | None = None,
        notifiers: Sequence[Notifier] | Notifier | None = None,
        assigned_users: HITLUser | list[HITLUser] | None = None,
        response_timeout: timedelta | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(params=params, **kwargs)
        self.subject = subject
        self.body = body
        self.options: Sequence[Any] = options
        self.defaults = [defaults] if isinstance(defaults, str) else defaults
        self.multiple = multiple
        self.notifiers = [notifiers] if callable(notifiers) else list(notifiers or ())
        self.assigned_users = [assigned_users] if isinstance(assigned_users, dict) else assigned_users
        self.response_timeout = response_timeout
        if self.execution_timeout is not None and response_timeout is None:
            self._wait_for_an_answer_only()
        self.validate_options()
        self.validate_params()
        self.validate_defaults()
        self._check_users()

    def _wait_for_an_answer_only(self) -> None:
        import warnings

        warnings.warn(
            f"{self.label}: execution_timeout is how long a process may run, and none does while a human thinks; it is taken "
            "for response_timeout, which says how long to wait for an answer",
            DeprecationWarning,
            stacklevel=5,
        )
        self.response_timeout, self.execution_timeout = self.execution_timeout, None

    def validate_options(self) -> None:
        """Raise ValueError or TypeError unless there are options, and all of them texts."""
        if not self.options:
            raise ValueError(f"{self.label}: options cannot be empty: there must be something to choose")
        if isinstance(self.options, str) or not all(isinstance(option, str) for option in self.options):
            raise TypeError(f"{self.label}: options are a list of texts, not {self.options!r}")

    def validate_params(self) -> None:
        """Raise ValueError if a field has the name under which the form sends the options.

        Values are not looked at: they are for the human to give.
        """
        if self.params and "_options" in self.params:
            raise ValueError(f"{self.label}: no field of the form can be called '_options'")

    def validate_defaults(self) -> None:
        """Raise ValueError unless all defaults are options, and not more of them than can be chosen."""
        if self.defaults is None:
            return
        strangers = sorted(map(repr, set(self.defaults) - set(self.options)))
        if strangers:
            raise ValueError(
                f"{self.label}: the defaults {', '.join(strangers)} are none of the options {self.options}"
            )
        if not self.multiple and len(self.defaults) > 1:
            raise ValueError(
                f"{self.label}: there are {len(self.defaults)} defaults, and one can be chosen: multiple=False"
            )

    def _check_users(self) -> None:
        users: Sequence[Any] = self.assigned_users or ()
        for user in users:
            if not isinstance(user, dict) or not all(isinstance(user.get(key), str) for key in ("id", "name")):
                raise TypeError(
                    f"{self.label}: assigned_users have an id and a name, as HITLUser has them, not {user!r}"
                )

    # ── asking ────────────────────────────────────────────────────────────────────────────────────────────────────

    def context_params(self) -> Mapping[str, Any] | None:
        """The fields of the form that have a value by themselves; the others are for the human to fill."""
        form: Mapping[str, Any] = self.params or {}
        return {name: param for name, param in form.items() if param.resolve(suppress_exception=True) is not None}

    @property
    def serialized_params(self) -> dict[str, dict[str, Any]]:
        """The fields of the form as pages know them: value, description, JSON schema and source."""
        described = {name: param.dump() for name, param in (self.params or {}).items()}
        return {
            name: {
                "value": field["value"],
                "description": field["description"],
                "schema": field["schema"],
                "source": field["source"] or "task",
            }
            for name, field in described.items()
        }

    def execute(self, context: Context) -> Any:
        """Ask, and leave.

        Raises:
            TaskAwaitingInput: the question is asked.
        """
        current().create_hitl_detail(
            context["ti"].id,
            options=list(self.options),
            subject=self.subject,
            body=self.body,
            defaults=self.defaults,
            multiple=self.multiple,
            params=self.serialized_params,
            assigned_users=self.assigned_users or (),
        )
        current().say("info", f"asks: {self.subject}")
        for notifier in self.notifiers:
            notifier(context)
        raise TaskAwaitingInput(method_name="execute_complete", timeout=self.response_timeout)

    # ── the answer ────────────────────────────────────────────────────────────────────────────────────────────────

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Check the answer.

        Returns:
            What was chosen and entered, when and by whom, in a dict; nobody has answered where a default counts.

        Raises:
            HITLTimeoutError: nobody has answered in time.
            HITLTriggerEventError: something else went wrong, or the event is no answer.
            ValueError, ParamValidationError: the answer is none of those that were asked for.
        """
        if not isinstance(event, dict):
            raise HITLTriggerEventError(f"the event is no answer: {event!r}")
        if "error" in event:
            self.process_trigger_event_error(event)
        if "chosen_options" not in event:
            raise HITLTriggerEventError(f"the event is no answer: {event!r}")
        chosen, entered = event["chosen_options"], event.get("params_input") or {}
        self.validate_chosen_options(chosen)
        self.validate_params_input(entered)
        answer: Answer = {
            "chosen_options": chosen,
            "params_input": entered,
            "responded_at": event.get("responded_at") or current().now(),
            "responded_by_user": event.get("responded_by_user"),
        }
        who = answer["responded_by_user"]
        current().say("info", f"{who['name'] if who else 'the default'} says: {', '.join(chosen)}")
        return answer

    def process_trigger_event_error(self, event: dict[str, Any]) -> None:
        """Raise what an event with an error stands for."""
        kind = HITLTimeoutError if event.get("error_type") == "timeout" else HITLTriggerEventError
        raise kind(event)

    def validate_chosen_options(self, chosen_options: list[str]) -> None:
        """Raise ValueError unless all that was chosen could be chosen."""
        strangers = [option for option in chosen_options if option not in self.options]
        if strangers:
            raise ValueError(f"{self.label}: {strangers} was chosen, and the options are {self.options}")

    def validate_params_input(self, params_input: Mapping[str, Any]) -> None:
        """Raise ValueError unless the fields of the form were filled, and ParamValidationError where a value does not fit."""
        form = self.params
        if not form or not params_input:
            return
        if set(form) != set(params_input):
            raise ValueError(
                f"{self.label}: the form has the fields {sorted(form)}, and {sorted(params_input)} were filled"
            )
        for name, value in params_input.items():
            form[name] = value

    # ── where to answer ───────────────────────────────────────────────────────────────────────────────────────────

    def generate_link_to_ui(
        self,
        *,
        task_instance: TaskInstance,
        base_url: str | None = None,
        options: str | list[str] | None = None,
        params_input: Mapping[str, Any] | None = None,
    ) -> str:
        """The URL of the page where the question is answered, for a notifier's message.

        Args:
            task_instance: the running task, ``context["ti"]``.
            base_url: of the deployment's pages; what the deployment says unless given.
            options: what is chosen already on that page.
            params_input: what is entered already.

        Raises:
            ValueError: an option or a field that there is not, or no URL to begin with.
        """
        from urllib.parse import quote, urlencode, urlsplit

        chosen = [options] if isinstance(options, str) else list(options or ())
        self.validate_chosen_options(chosen)
        strangers = sorted(set(params_input or ()) - set(self.params or ()))
        if strangers:
            raise ValueError(f"{self.label}: {strangers} are none of the form's fields {sorted(self.params or ())}")
        base = base_url or current().option("api", "base_url", "")
        if "://" not in base:
            raise ValueError(
                f"{self.label}: where the deployment's pages are is not known here; give it as base_url, "
                "or to workers as AIRFLOW__API__BASE_URL"
            )
        place = ("dags", task_instance.dag_id, "runs", task_instance.run_id, "tasks", task_instance.task_id)
        query = {
            **({"_options": chosen} if chosen else {}),
            **(params_input or {}),
            "map_index": task_instance.map_index,
        }
        parts = urlsplit(base)
        path = "/".join([parts.path.rstrip("/"), *(quote(part, safe="") for part in place), "required_actions"])
        return f"{parts.scheme}://{parts.netloc}{path}?{urlencode(query)}"

    @staticmethod
    def generate_link_to_ui_from_context(
        *,
        context: Context,
        base_url: str | None = None,
        options: list[str] | None = None,
        params_input: Mapping[str, Any] | None = None,
    ) -> str:
        """See `generate_link_to_ui`; the task is that of the context.

        Raises:
            ValueError: the task asks nobody.
        """
        task = context["task"]
        if not isinstance(task, HITLOperator):
            raise ValueError(f"{task.label} asks nobody, so there is no page for an answer")
        return task.generate_link_to_ui(
            task_instance=context["ti"], base_url=base_url, options=options, params_input=params_input
        )


class ApprovalOperator(SkipMixin, HITLOperator):
    """Asks whether to go on. A rejection skips what is behind the task, which is a success all the same.

    Args:
        ignore_downstream_trigger_rules: whether a rejection skips all that is behind, or only the tasks right behind it, so
            that the trigger rules of the next ones decide.
        fail_on_reject: whether a rejection is a failure instead.

    Raises:
        ValueError: among other things where options are given: they are Approve and Reject.
    """

    inherits_from_skipmixin = True

    FIXED_ARGS = ("options", "multiple")
    APPROVE = "Approve"
    REJECT = "Reject"

    def __init__(
        self, *, ignore_downstream_trigger_rules: bool = False, fail_on_reject: bool = False, **kwargs: Any
    ) -> None:
        for name in self.FIXED_ARGS:
            if name in kwargs:
                raise ValueError(f"ApprovalOperator takes no {name}: one can approve or reject")
        super().__init__(options=[self.APPROVE, self.REJECT], multiple=False, **kwargs)
        self.ignore_downstream_trigger_rules = ignore_downstream_trigger_rules
        self.fail_on_reject = fail_on_reject

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Go on, or skip what is behind; see `HITLOperator.execute_complete`.

        Raises:
            HITLRejectException: it was rejected, and that is to be a failure.
        """
        answer = super().execute_complete(context, event)
        if answer["chosen_options"][:1] == [self.APPROVE]:
            return answer
        if self.fail_on_reject:
            raise HITLRejectException(f"{self.label} was rejected")
        behind = self.get_flat_relative_ids() if self.ignore_downstream_trigger_rules else self.downstream_task_ids
        self.skip(context["ti"], sorted(behind))
        return answer


class HITLBranchOperator(BranchMixIn, HITLOperator):
    """Asks with which of the tasks behind it to go on: those whose ids are chosen.

    Args:
        options_mapping: the ids of the tasks that options stand for, where an option is no id itself.

    Raises:
        ValueError: it maps something that is no option, or to something that is no id.
    """

    inherits_from_skipmixin = True

    def __init__(self, *, options_mapping: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.options_mapping: dict[str, Any] = dict(options_mapping or {})
        self.validate_options_mapping()

    def validate_options_mapping(self) -> None:
        """Raise ValueError unless options are mapped, and to ids."""
        strangers = sorted(map(repr, set(self.options_mapping) - set(self.options)))
        if strangers:
            raise ValueError(
                f"{self.label}: options_mapping has {', '.join(strangers)}, and the options are {self.options}"
            )
        wrong = {option: value for option, value in self.options_mapping.items() if not isinstance(value, str)}
        if wrong:
            raise ValueError(f"{self.label}: options_mapping leads to ids of tasks, and {wrong} does not")

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Go on with what was chosen, and skip the others; see `HITLOperator.execute_complete`."""
        answer = super().execute_complete(context, event)
        chosen = [self.options_mapping.get(option, option) for option in answer["chosen_options"]]
        return self.do_branch(context, chosen)


class HITLEntryOperator(HITLOperator):
    """Asks for the fields of a form: there is one option, OK, unless others are given."""

    OK = "OK"

    def __init__(self, **kwargs: Any) -> None:
        if "options" not in kwargs:
            kwargs["options"] = [self.OK]
            kwargs.setdefault("defaults", [self.OK])
        super().__init__(**kwargs)
