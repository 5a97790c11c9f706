"""Prometheus metrics of the front door. Label values come from the contract, never from callers."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

REQUESTS: Final = Counter(
    "pidgr_rpc_requests_total", "RPCs answered, by method and status code.", ["method", "code"]
)
DURATION: Final = Histogram(
    "pidgr_rpc_duration_seconds",
    "Time from the arrival of the headers to the last byte of the answer.",
    ["method"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
OPEN: Final = Gauge("pidgr_rpc_open", "RPCs being answered now.")
