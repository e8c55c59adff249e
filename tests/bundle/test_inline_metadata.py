from __future__ import annotations

import pytest

from outboard.bundle.inline_metadata import InlineMetadata, merge, read
from outboard.errors import UsageError

BLOCK = """\
# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "pandas==2.3.3",
#
#   "vega_datasets",  # real data
# ]
# ///
import pandas
"""


def test_a_block_gives_its_interpreter_and_its_requirements_in_order() -> None:
    assert read(BLOCK, "weather.py") == InlineMetadata(
        requires_python=">=3.11", dependencies=("pandas==2.3.3", "vega_datasets")
    )


def test_line_ends_of_windows_make_no_difference() -> None:
    assert read(BLOCK.replace("\n", "\r\n"), "weather.py") == read(BLOCK, "weather.py")


def test_a_mark_of_the_byte_order_before_it_is_no_part_of_it() -> None:
    assert read("\ufeff" + BLOCK, "weather.py") == read(BLOCK, "weather.py")


def test_a_block_may_stand_below_other_text() -> None:
    assert read('"""A Dag."""\n' + BLOCK, "weather.py") == read(BLOCK, "weather.py")


def test_an_empty_block_asks_for_an_environment_with_nothing_in_it() -> None:
    assert read("# /// script\n# ///\n", "weather.py") is None  # the standard's grammar wants one line at least
    assert read("# /// script\n#\n# ///\n", "weather.py") == InlineMetadata()


@pytest.mark.parametrize(
    "text",
    ["", "import pandas\n", "# /// script\n# dependencies = []\n", "# /// other\n# dependencies = 3\n# ///\n"],
    ids=["empty", "plain", "never closed", "another kind"],
)
def test_a_file_without_a_script_block_has_no_metadata(text: str) -> None:
    assert read(text, "weather.py") is None


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("# dependencies = [", "not TOML"),
        ("# dependencies = 'pandas'", "must be a list"),
        ("# dependencies = [3]", "3 is not a requirement"),
        ("# dependencies = ['--index-url=x']", "is not a requirement"),
        ("# requires-python = 3.11", "must be text"),
    ],
)
def test_a_block_that_says_something_else_is_refused_with_the_files_name(block: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        read(f"# /// script\n{block}\n# ///\n", "weather.py")
    assert str(caught.value).startswith("weather.py")


def test_two_blocks_are_refused() -> None:
    with pytest.raises(UsageError, match="2 blocks"):
        read(BLOCK + BLOCK, "weather.py")


@pytest.mark.parametrize(
    "line",
    [
        "# dependencies = ['a @ https://me:s3cret@host/a.whl']",
        "# dependencies = ['a @ https://t0ken@host/a.whl']",
        "#\n# [[tool.uv.index]]\n# url = 'https://me:s3cret@host/simple'",
    ],
    ids=["a password", "a token", "an index"],
)
def test_credentials_are_refused_unseen_since_the_text_gets_into_the_bundle(line: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(f"# /// script\n{line}\n# ///\n", "weather.py")
    assert str(caught.value).startswith("weather.py: its script metadata holds a credential")
    assert not {"s3cret", "t0ken"} & set(str(caught.value).replace(":", " ").replace("@", " ").split())


def test_variables_in_their_place_are_not() -> None:
    block = "# /// script\n# dependencies = ['a @ https://${NAME}:${PASSWORD}@host/a.whl']\n# ///\n"
    assert read(block, "weather.py") == InlineMetadata(dependencies=("a @ https://${NAME}:${PASSWORD}@host/a.whl",))


def test_several_files_ask_for_all_that_each_asks_for() -> None:
    one = InlineMetadata(requires_python=">=3.11", dependencies=("a", "b==1"))
    other = InlineMetadata(dependencies=("c", "a"))
    third = InlineMetadata(requires_python="<3.13", dependencies=("a>2",))
    assert merge([one, other, third, one]) == InlineMetadata(
        requires_python=">=3.11,<3.13", dependencies=("a", "b==1", "c", "a>2")
    )
    assert merge([]) == InlineMetadata()
    assert merge([other]) == other
