from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from outboard.bundle.journal import DEPLOYED, FOUND, ROLLED_BACK, Entry
from outboard.bundle.version_choice import digests, earlier, latest_first, matching


def story(*steps: str) -> list[Entry]:
    """Entries from words: ``A`` deploys, ``<A`` rolls back to it, ``?A`` found it, ``?`` found nothing."""
    entries: list[Entry] = []
    present: str | None = None
    for step in steps:
        action = {"<": ROLLED_BACK, "?": FOUND}.get(step[0], DEPLOYED)
        version = step.lstrip("<?") or None
        digest = f"d{version}" if version and action != FOUND else None
        entries.append(Entry(at="", by="", action=action, name="b", sha256=version, digest=digest, replaced=present))
        present = version
    return entries


def back(*steps: str, kept: str) -> str | None:
    entries = story(*steps)
    return earlier(entries, set(kept), entries[-1].sha256)


def test_the_version_before_is_the_one_that_was_deployed_over() -> None:
    assert back("A", "B", kept="A") == "A"
    assert back("A", "B", "C", kept="AB") == "B"


def test_a_second_rollback_goes_further_back_and_never_forward_again() -> None:
    assert back("A", "B", "C", "<B", kept="AC") == "A"
    assert back("A", "B", "C", "<B", "<A", kept="BC") is None


def test_a_version_that_was_left_and_had_again_is_the_newest_once_more() -> None:
    assert back("A", "B", "C", "<A", "<C", kept="AB") == "A"


def test_a_version_that_was_deployed_twice_has_two_places_in_the_line() -> None:
    assert back("A", "B", "A", kept="B") == "B"
    assert back("A", "B", "A", "<B", kept="A") == "A"


def test_what_is_not_kept_is_passed_over() -> None:
    assert back("A", "B", "C", kept="A") == "A"
    assert back("A", "B", "C", kept="") is None


def test_what_somebody_else_put_there_counts_and_a_file_that_is_gone_does_not() -> None:
    assert back("A", "?X", "B", kept="AX") == "X"
    assert back("A", "B", "?B", "C", kept="AB") == "B"
    assert back("A", "B", "?A", kept="B") is None
    assert back("A", "B", "?", kept="A") == "A"
    assert back("A", "B", "?", kept="AB") == "B"


def test_without_a_record_there_is_nothing_to_go_back_to() -> None:
    assert earlier([], {"A"}, None) is None


def test_versions_are_found_by_the_start_of_either_digest_latest_first() -> None:
    entries = story("aa1", "aa2", "b")
    assert matching(entries, {"aa1", "aa2"}, "aa") == ["aa2", "aa1"]
    assert matching(entries, {"aa1", "aa2"}, "daa1") == ["aa1"]
    assert matching(entries, {"aa1"}, "aa2") == []
    assert matching([], {"aa1"}, "aa") == ["aa1"]


def test_a_version_is_as_late_as_it_was_last_in_place() -> None:
    assert latest_first(story("A", "B", "C", "<A", "D"), set("ABC")) == ["A", "C", "B"]
    assert latest_first(story("A"), set("AXY")) == ["A", "X", "Y"]


def test_a_file_that_is_no_sound_bundle_has_no_digest() -> None:
    assert digests(story("A", "?X", "?")) == {"A": "dA"}


@given(
    steps=st.lists(st.sampled_from(["A", "B", "C", "<A", "<B", "<C", "?X", "?"]), min_size=1),
    kept=st.sets(st.sampled_from("ABCX")),
)
def test_going_back_again_and_again_comes_to_an_end(steps: list[str], kept: set[str]) -> None:
    """Each rollback is one step down a line that no rollback makes longer."""
    entries = story(*steps)
    present = entries[-1].sha256
    rounds = 0
    while (found := earlier(entries, kept, present)) is not None:
        assert found in kept
        assert found != present
        entries.append(Entry(at="", by="", action=ROLLED_BACK, name="b", sha256=found, digest=None, replaced=present))
        kept = (kept - {found}) | ({present} if present else set())
        present = found
        rounds += 1
        assert rounds <= len(steps)
