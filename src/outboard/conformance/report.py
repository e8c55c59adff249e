"""What came of a run of checks, for programs: one JSON document, or one JUnit file. Pure: it returns what others write."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

from outboard.conformance.check import FAILED, NOT_OFFERED, PASSED, TIERS, Result

__all__ = ("counts", "json_document", "junit_document")

# What XML cannot hold.
_UNPRINTABLE = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def counts(results: Sequence[Result]) -> dict[str, dict[str, int]]:
    """How many checks of each tier have each verdict."""
    return {
        tier: {
            verdict: sum(result.check.tier == tier and result.verdict == verdict for result in results)
            for verdict in (PASSED, FAILED, NOT_OFFERED)
        }
        for tier in TIERS
    }


def json_document(results: Sequence[Result], about: Mapping[str, object]) -> dict[str, object]:
    """The run as a JSON document.

    Args:
        results: in the order of the checks.
        about: what was judged, and how.
    """
    return {
        **about,
        "counts": counts(results),
        "checks": [
            {
                "id": result.check.id,
                "tier": result.check.tier,
                "idea": result.check.idea,
                "source": result.check.source,
                "verdict": result.verdict,
                "reason": result.reason or None,
                "seconds": round(result.seconds, 3),
                "transcript": list(result.transcript),
            }
            for result in results
        ],
    }


def junit_document(results: Sequence[Result], name: str) -> bytes:
    """The run as JUnit's XML, where what is not offered is skipped. ``name`` is that of the suite."""
    suite = ElementTree.Element(
        "testsuite",
        name=name,
        tests=str(len(results)),
        failures=str(sum(result.verdict == FAILED for result in results)),
        errors="0",
        skipped=str(sum(result.verdict == NOT_OFFERED for result in results)),
        time=f"{sum(result.seconds for result in results):.3f}",
    )
    for result in results:
        check = result.check
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"{name}.{check.tier}", name=check.id, time=f"{result.seconds:.3f}"
        )
        if result.verdict == FAILED:
            failure = ElementTree.SubElement(case, "failure", message=_printable(result.reason))
            failure.text = _printable("\n".join((check.idea, check.source, *result.transcript)))
        elif result.verdict == NOT_OFFERED:
            ElementTree.SubElement(case, "skipped", message=_printable(result.reason))
    return bytes(ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True))


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub("�", text)
