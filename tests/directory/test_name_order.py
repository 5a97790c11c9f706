from hypothesis import given
from hypothesis import strategies as st

from pidgr.directory.name_order import from_position, to_position

names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200)


@given(names)
def test_a_position_gives_its_name_back(name: str) -> None:
    assert from_position(to_position(name)) == name


def test_the_first_page_begins_before_every_name() -> None:
    assert from_position(()) == ""
