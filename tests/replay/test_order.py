"""The order of new nodes, against trees that are taken apart as rrweb does it."""

from hypothesis import given
from hypothesis import strategies as st

from pidgr.replay.order import Place, document_order

OLD = 0
"""The parent that was there before."""


def named_by_rrweb(parents: list[int]) -> tuple[list[Place], list[int]]:
    """Return the new nodes of a tree in rrweb's order, and their ids in the document's."""
    children: dict[int, list[int]] = {}
    for number, parent in enumerate(parents, start=1):
        children.setdefault(parent % number, []).append(number)
    places: list[Place] = []
    read: list[int] = []

    def visit(node: int) -> None:
        if node != OLD:
            read.append(node)
        for child in children.get(node, []):
            visit(child)

    def name(node: int) -> None:
        following = None
        for child in reversed(children.get(node, [])):
            places.append(Place(child, node, following))
            name(child)
            following = child

    visit(OLD)
    name(OLD)
    return places, read


@given(st.lists(st.integers(0, 30), max_size=30))
def test_new_nodes_are_found_in_the_order_of_the_page(parents: list[int]) -> None:
    places, read = named_by_rrweb(parents)
    found = document_order(places)
    assert len(found) == bool(parents)
    assert [places[index].node for order in found for index in order] == read


def test_nodes_of_different_parents_are_apart() -> None:
    places = [Place(5, 1, None), Place(6, 2, 9), Place(7, 2, 6)]
    assert document_order(places) == [[0], [2, 1]]


@given(
    st.lists(
        st.builds(Place, st.integers(0, 5), st.integers(0, 5), st.none() | st.integers(0, 5)),
        max_size=12,
    )
)
def test_what_no_page_can_be_is_sorted_too(places: list[Place]) -> None:
    found = [index for order in document_order(places) for index in order]
    assert len(found) == len(set(found))
