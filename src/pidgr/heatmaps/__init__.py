"""Heatmaps: where people touch the screens of the app, without telling who (SEMANTICS 2.6, 8).

A touch loses its person at the door and becomes eight bytes in a batch (``ingestion``). Minutes
later a task packs batches into blocks and adds them to grids (``packing``). A question is answered
from grids where whole days are asked for, from blocks where a day is cut, and from the batches
that are not packed yet (``answering``). Why: docs/decisions/0015-heatmaps.md.
"""
