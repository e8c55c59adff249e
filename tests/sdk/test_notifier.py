"""Notifiers: callbacks that are classes of the author's."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from outboard import BaseNotifier, BaseOperator, Context


class Mails(BaseNotifier):
    template_fields = ("subject",)

    def __init__(self, subject: str = "done", context: Any = None) -> None:
        super().__init__(context)
        self.subject = subject
        self.sent: list[Any] = []

    def notify(self, context: Context) -> None:
        self.sent.append(dict(context))

    async def async_notify(self, context: Context) -> None:
        self.sent.append(dict(context))


def test_a_notifier_is_a_callback() -> None:
    mails = Mails()
    task = BaseOperator(task_id="x", on_success_callback=mails, on_failure_callback=[mails, mails])
    for callback in (*task.on_success_callback, *task.on_failure_callback):
        callback(Context(run_id="r1"))
    assert mails.sent == [{"run_id": "r1", "subject": "done"}] * 3


def test_a_notifier_can_be_awaited_with_the_context_that_it_was_made_with() -> None:
    async def awaited() -> list[Any]:
        mails = Mails(context={"run_id": "r1"})
        await mails
        return mails.sent

    assert anyio.run(awaited) == [{"run_id": "r1", "subject": "done"}]


def test_a_missed_deadline_comes_with_four_arguments() -> None:
    mails = Mails()
    mails("d", [1], [2], [3])
    assert mails.sent[0]["blocking_tis"] == [3]
    with pytest.raises(
        TypeError, match="Mails is called with the context of a task, or with four arguments, not with 2"
    ):
        mails("d", [1])


def test_a_template_is_not_sent_as_it_is() -> None:
    mails = Mails("{{ ds }} is done")
    with pytest.raises(
        ValueError, match=r"does not render templates yet, so subject would be sent as '\{\{ ds \}\} is done'"
    ):
        mails(Context())
    assert mails.sent == []


def test_a_notifier_without_a_message_says_so() -> None:
    with pytest.raises(NotImplementedError, match=r"BaseNotifier has no notify\(\) of its own"):
        BaseNotifier()(Context())

    async def awaited() -> None:
        await BaseNotifier()

    with pytest.raises(NotImplementedError, match=r"BaseNotifier has no async_notify\(\) of its own"):
        anyio.run(awaited)


def test_a_notifier_logs_under_the_name_of_its_class() -> None:
    assert Mails().log.name == "tests.sdk.test_notifier.Mails"
