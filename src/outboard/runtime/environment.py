"""What a worker's environment holds for itself and not for tasks: Airflow's own secrets.

Airflow starts a bundle with the worker's whole environment, and that is where deployments keep the database's URL, the
keys that sign tokens and the broker's password. They are dropped before the author's code is loaded, so that neither a
dump of the environment in a log nor a child process carries them on. That is a guard against accident, not against an
author, whose code runs with the worker's rights; docs/explanation/security.md says what it does not do.

Kept is what is there for tasks: ``AIRFLOW_CONN_…`` and ``AIRFLOW_VAR_…``, the credentials of clouds and of the author's own
services, and all of Airflow's configuration that is no secret.
"""

from __future__ import annotations

import posix
import sys

__all__ = ("SECRET_NAMES", "SECRET_OPTIONS", "SECRET_SECTIONS", "drop_secrets", "is_secret", "variable", "variables")

SECRET_NAMES = (
    "AIRFLOW_CONN_AIRFLOW_DB",  # Airflow's Helm chart puts the database's URL here as well
    "_AIRFLOW_WWW_USER_PASSWORD",  # the first administrator's, for Airflow's container image
)
"""Variables that are secrets under their own name."""

OPTION = "AIRFLOW__"
TEAM_END = "___"

SECRET_SECTIONS = (
    "API_AUTH__",
    "CELERY__",
    "CELERY_BROKER_TRANSPORT_OPTIONS__",
    "CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS__",
    "DATABASE__",
    "SECRETS__",
    "WORKERS__SECRETS_BACKEND",
)
"""Beginnings of the options, behind ``AIRFLOW__``, that are all the worker's own: nothing there is of use to a task."""

SECRET_OPTIONS = (
    "API__SECRET_KEY",
    "ATLAS__PASSWORD",
    "CORE__ASSET_MANAGER_KWARGS",
    "CORE__FERNET_KEY",
    "CORE__SQL_ALCHEMY_CONN",
    "ELASTICSEARCH__HOST",  # a URL that usually has the password in it
    "KEYCLOAK_AUTH_MANAGER__CLIENT_SECRET",
    "LOGGING__REMOTE_TASK_HANDLER_KWARGS",
    "OPENLINEAGE__TRANSPORT",
    "OPENSEARCH__PASSWORD",
    "SENTRY__SENTRY_DSN",
    "SMTP__SMTP_PASSWORD",
    "WEBSERVER__SECRET_KEY",
)
"""The other options that Airflow and its providers declare sensitive, behind ``AIRFLOW__``."""

# An option can also come from a command's output, or by a key of a secrets backend.
INDIRECT = ("_CMD", "_SECRET")


# As `os` has it: bytes that are no text in the file system's encoding come through unharmed.
ENCODING, ERRORS = sys.getfilesystemencoding(), "surrogateescape"


def variables() -> dict[str, str]:
    """A copy of the process's environment. `os` would have to be loaded, which a plain task does without."""
    return {name.decode(ENCODING, ERRORS): value.decode(ENCODING, ERRORS) for name, value in posix.environ.items()}


def variable(name: str) -> str | None:
    """One variable of the process's environment."""
    value = posix.environ.get(name.encode(ENCODING, ERRORS))
    return None if value is None else value.decode(ENCODING, ERRORS)


def drop_secrets() -> list[str]:
    """Remove the secrets: `os.environ` has them no more, now or later, and child processes do not inherit them.

    Returns their names, sorted, never their values.
    """
    found = sorted([name for name in variables() if is_secret(name)])
    for name in found:
        encoded = name.encode(ENCODING, ERRORS)
        posix.unsetenv(encoded)
        del posix.environ[encoded]  # what `os.environ` is a view of
    return found


def is_secret(name: str) -> bool:
    """Whether a variable of this name is the worker's own secret."""
    if not name.startswith(OPTION):
        return name in SECRET_NAMES
    option = name[len(OPTION) :]
    team, end, of_team = option.partition(TEAM_END)
    if end and "__" not in team:  # AIRFLOW__<TEAM>___<SECTION>__<KEY>
        option = of_team
    if option.startswith(SECRET_SECTIONS):
        return True
    for ending in INDIRECT:
        if option.endswith(ending) and option[: -len(ending)] in SECRET_OPTIONS:
            return True
    return option in SECRET_OPTIONS
