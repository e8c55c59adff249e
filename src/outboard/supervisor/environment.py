"""What a task's process finds in its environment: a short list of what every program needs, and what the caller adds.

An allow-list, since the host's environment is where database URLs, tokens and signing keys live. It guards against
accident (a dump of the environment in a log), not against an author: a task runs with its user's rights. This module
reads no environment itself; the caller hands one in.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ("PASSED_NAMES", "PASSED_PREFIXES", "SCRATCH_NAMES", "child_environment")

PASSED_NAMES = frozenset(
    {
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "TZ", "LANG", "LANGUAGE",
        # Where an installed library may live (Nix, conda, CUDA), and what it may use.
        "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
        # How the outside world is reached.
        "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
        "http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
        # Where a bundle unpacks its dependencies, and how much of that is kept.
        "OUTBOARD_CACHE_DIR", "OUTBOARD_CACHE_SIZE",
        # The two that a runtime reads to filter its records.
        "AIRFLOW__LOGGING__LOGGING_LEVEL", "AIRFLOW__LOGGING__NAMESPACE_LEVELS",
    }
)  # fmt: skip

PASSED_PREFIXES = ("LC_", "XDG_")

# All three are in use; the first is the one that POSIX names.
SCRATCH_NAMES = ("TMPDIR", "TEMP", "TMP")


def child_environment(host: Mapping[str, str], additions: Mapping[str, str], scratch: str) -> dict[str, str]:
    """Return the whole environment of a task's process.

    Args:
        host: the supervisor's own environment, of which only the names of the allow-list pass.
        additions: what the caller adds, or overrides; it wins over everything.
        scratch: the process's private temporary directory.
    """
    passed = {name: value for name, value in host.items() if name in PASSED_NAMES or name.startswith(PASSED_PREFIXES)}
    return {**passed, **dict.fromkeys(SCRATCH_NAMES, scratch), **additions}
