"""What of a recorded page decides how later changes are masked; they only name ids of nodes."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class PageTree:
    """Which nodes are masked because of where they stand, and which stand in which.

    Nodes change what they are while they are watched: a click makes a paragraph editable, and what
    is typed then comes as changes of texts that were there before.
    """

    masked: set[int] = field(default_factory=set)
    """Ids of nodes whose text is masked because of where they stand."""
    children: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    batches: int = 0
    """How many batches of the recording it has seen."""

    def clear(self) -> None:
        """Begin with another page."""
        self.masked.clear()
        self.children.clear()

    def place(self, node: int | None, parent: int | None) -> None:
        """Put a node into another."""
        if node is not None and parent is not None:
            self.children[parent].add(node)

    def take_out(self, node: int | None, parent: int | None) -> None:
        """Take a node out of another; what is in it stays there, for it may be put elsewhere."""
        if node is not None and parent is not None and parent in self.children:
            self.children[parent].discard(node)

    def forget_below(self, roots: Iterable[int]) -> None:
        """Forget what is in nodes that have gone."""
        for node in self._below(roots):
            self.children.pop(node, None)

    def mask_below(self, root: int) -> None:
        """Mask a node and all that is in it."""
        self.masked |= self._below([root])

    def _below(self, roots: Iterable[int]) -> set[int]:
        found: set[int] = set()
        waiting = list(roots)
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                waiting += self.children.get(node, ())
        return found

    def encode(self) -> bytes:
        """Return the page as JSON, the same for equal pages."""
        children = {node: sorted(inner) for node, inner in sorted(self.children.items()) if inner}
        stored = {"masked": sorted(self.masked), "children": children, "batches": self.batches}
        return json.dumps(stored).encode()


def decode(content: bytes) -> PageTree:
    """Return an encoded page."""
    stored = json.loads(content)
    page = PageTree(set(stored["masked"]), batches=stored["batches"])
    for node, inner in stored["children"].items():
        page.children[int(node)] |= set(inner)
    return page
