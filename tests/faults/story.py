"""What has become of a campaign: its runs and deliveries as stored, and what its peers received."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from faults.deployment import Deployment
from faults.gateway import Accepted
from pidgr.campaigns.delivery_id import DeliveryIds
from pidgr.contract.v1.campaign_pb import Delivery
from pidgr.contract.v1.common_pb import DeliveryStatus
from pidgr.storage.sql import Statement

_RUNS: Final = Statement("""
    select key, step_id, iteration, finished_at is not null from step_run
    where campaign_key = :campaign_key order by key
""")
_DELIVERIES: Final = Statement("""
    select d.step_run_key, d.ordinal, d.kind, d.status, m.id, d.parent_run_key, d.parent_ordinal
    from step_run r
    join delivery d on d.step_run_key = r.key
    join member m on m.key = d.member_key
    where r.campaign_key = :campaign_key order by d.step_run_key, d.ordinal
""")


@dataclass(frozen=True)
class Run:
    key: int
    step_id: str
    round: int
    finished: bool


@dataclass(frozen=True)
class Made:
    """A delivery; ``status`` is the stored one, in which sent ones are pending."""

    id: str
    run: Run
    kind: Delivery.Kind
    status: DeliveryStatus
    user_id: str
    parent_id: str | None


@dataclass(frozen=True)
class Call:
    """What a webhook's receiver was told."""

    step_id: str
    key: str
    delivery_ids: list[str]


@dataclass
class Story:
    runs: list[Run]
    made: list[Made]
    pushes: dict[int, Counter[tuple[str, str]]]
    """How often a run pushed to each device, by delivery and device; alerts have no delivery."""
    repeats: Counter[str]
    """How many batches were sent again, by lane, or by key where there are no lanes."""
    calls: list[Call]

    def of_step(self, step_id: str) -> list[Run]:
        return [run for run in self.runs if run.step_id == step_id]

    def of_kind(self, kind: Delivery.Kind) -> list[Made]:
        return [one for one in self.made if one.kind == kind]


def read_story(
    deployment: Deployment, ids: DeliveryIds, campaign_id: str, calls: list[Call]
) -> Story:
    """Read what there is of a campaign."""
    parameters = {"campaign_key": deployment.campaign_key(campaign_id)}
    runs = {
        key: Run(key, step_id, iteration, bool(finished))
        for key, step_id, iteration, finished in deployment.database.read_now(
            lambda reader: reader.rows(_RUNS, parameters)
        )
    }
    made = [
        Made(
            ids.encode(run_key, ordinal),
            runs[run_key],
            Delivery.Kind(kind),
            DeliveryStatus(status),
            user_id,
            None if parent_run is None else ids.encode(parent_run, parent_ordinal),
        )
        for run_key, ordinal, kind, status, user_id, parent_run, parent_ordinal in (
            deployment.database.read_now(lambda reader: reader.rows(_DELIVERIES, parameters))
        )
    ]
    accepted = [one for one in deployment.gateway.snapshot() if _run_key(one.batch.key) in runs]
    return Story(list(runs.values()), made, _pushes(accepted), _repeats(accepted), calls)


def _run_key(batch_key: str) -> int:
    """The run whose pushes a batch is of: ``RUN:LANE:SINCE``, or ``nudge-RUN-MEMBER``."""
    if batch_key.startswith("nudge-"):
        return int(batch_key.split("-")[1])
    return int(batch_key.split(":", maxsplit=1)[0])


def _pushes(accepted: Iterable[Accepted]) -> dict[int, Counter[tuple[str, str]]]:
    found: dict[int, Counter[tuple[str, str]]] = {}
    for one in accepted:
        found.setdefault(_run_key(one.batch.key), Counter()).update(one.reached())
    return found


def _repeats(accepted: Iterable[Accepted]) -> Counter[str]:
    repeats: Counter[str] = Counter()
    for key, times in Counter(one.batch.key for one in accepted).items():
        repeats[key.rpartition(":")[0] or key] += times - 1
    return repeats
