"""The order in which new nodes stand on the page, which is not the one rrweb names them in.

rrweb names every new node by itself with its parent and the sibling that follows it: parents come
before their children, the last sibling comes first.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where a new node goes: before ``following`` under ``parent``; None where that is nowhere."""

    node: int
    parent: int | None
    following: int | None


def document_order(places: Sequence[Place]) -> list[list[int]]:
    """Return indexes of new nodes in the order they are read, one list for each old parent.

    Nodes that stand in each other, as none of a page do, are in no list. It takes time in
    proportion to the number of nodes, whatever they say.
    """
    new = {place.node for place in places}
    siblings = {(place.parent, place.node) for place in places}
    earlier: dict[tuple[int | None, int | None], list[int]] = {}
    last: dict[int | None, list[int]] = {}
    for index, place in enumerate(places):
        before = (place.parent, place.following)
        if before in siblings:
            earlier.setdefault(before, []).append(index)
        else:
            last.setdefault(place.parent, []).append(index)

    def last_first(parent: int | None) -> list[int]:
        found = []
        for end in last.pop(parent, []):
            chain = [end]
            while chain:
                index = chain.pop()
                found.append(index)
                chain += earlier.pop((parent, places[index].node), [])
        return found

    orders = []
    for parent in [parent for parent in last if parent not in new]:
        order = []
        waiting = last_first(parent)
        while waiting:
            index = waiting.pop()
            order.append(index)
            waiting += last_first(places[index].node)
        orders.append(order)
    return orders
