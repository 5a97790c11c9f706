"""A question about touches, as checked numbers."""

from dataclasses import dataclass

from pidgr.contract.v1.heatmap_pb import HeatmapMode


@dataclass(frozen=True, slots=True)
class Question:
    """What QueryHeatmapData and the command line ask.

    Minutes count from 1970 and are both included; ``cell`` is the side of a cell in
    ten-thousandths of the screen; no types means all; no campaign means all.
    """

    screen_name: str
    mode: HeatmapMode
    cell: int
    first_minute: int
    last_minute: int
    event_types: frozenset[int]
    campaign_key: int | None
