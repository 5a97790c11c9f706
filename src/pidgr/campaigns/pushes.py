"""The pushes of a batch, made when they are looked at: an adapter may only want their number."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from operator import itemgetter
from typing import Final, overload

from pidgr.campaigns import push_store
from pidgr.campaigns.delivery_id import DeliveryIds
from pidgr.campaigns.push_batch import PushBatch
from pidgr.campaigns.push_store import PushText, Target, TargetRow
from pidgr.content.rendering import strip_markers
from pidgr.contract.v1.common_pb import Platform
from pidgr.outreach.push import BROWSER, Push
from pidgr.storage.database import Database

_CONTENT_KEY: Final = itemgetter(Target._fields.index("content_key"))


class PushTexts:
    """What a batch's pushes show, read from the database when the first of them is looked at."""

    def __init__(self, database: Database, batch: PushBatch, targets: Sequence[TargetRow]) -> None:
        self._database = database
        self._batch = batch
        self._targets = targets

    def of(self, target: Target) -> PushText:
        """Return what the push to a target shows.

        Raises:
            UnavailableError: the database cannot be reached.
        """
        if target.content_key is None:
            return self._own[target.ordinal]
        return self._shared[target.content_key]

    @cached_property
    def _own(self) -> Mapping[int, PushText]:
        batch = self._batch
        return self._database.read_now(
            lambda reader: push_store.own_texts(
                reader,
                batch.delivery_run_key,
                batch.since,
                batch.upto,
                are_primary=batch.is_primary,
            )
        )

    @cached_property
    def _shared(self) -> Mapping[int, PushText]:
        keys = set(map(_CONTENT_KEY, self._targets)) - {None}
        return self._database.read_now(lambda reader: push_store.shared_texts(reader, keys))


class Pushes(Sequence[Push]):
    """A batch's pushes to some targets."""

    def __init__(
        self,
        batch: PushBatch,
        targets: Sequence[TargetRow],
        texts: PushTexts,
        delivery_ids: DeliveryIds,
    ) -> None:
        self._batch = batch
        self._targets = targets
        self._texts = texts
        self._delivery_ids = delivery_ids

    def __len__(self) -> int:
        return len(self._targets)

    @overload
    def __getitem__(self, index: int) -> Push: ...

    @overload
    def __getitem__(self, index: slice) -> list[Push]: ...

    def __getitem__(self, index: int | slice) -> Push | list[Push]:
        if isinstance(index, slice):
            return [self._push(target) for target in self._targets[index]]
        return self._push(self._targets[index])

    def _push(self, row: TargetRow) -> Push:
        campaign = self._batch.campaign
        target = Target._make(row)
        title, summary = self._texts.of(target)
        return Push(
            delivery_id=self._delivery_ids.encode(self._batch.delivery_run_key, target.ordinal),
            campaign_id=campaign.id,
            device_id=target.device_id,
            platform=platform_name(target.platform),
            push_token=target.push_token,
            title=strip_markers(title),
            summary=summary,
            critical=bool(campaign.critical),
        )


def platform_name(platform: int) -> str:
    """Return what providers are chosen by: the contract's name of a platform, or a browser's."""
    return BROWSER if platform == push_store.BROWSER else Platform(platform).name
