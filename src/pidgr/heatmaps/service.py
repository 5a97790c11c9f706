"""HeatmapService: takes touches, and tells where they were (SEMANTICS 2.6, section 8)."""

import math
from typing import TYPE_CHECKING, Final

from protobuf.wkt import Timestamp

from pidgr.clock import MINUTE, Clock
from pidgr.contract.v1.heatmap_pb import (
    HeatmapMode,
    IngestTouchEventsRequest,
    IngestTouchEventsResponse,
    ListScreenshotsRequest,
    ListScreenshotsResponse,
    QueryHeatmapDataRequest,
    ScreenScreenshot,
    UploadScreenshotRequest,
    UploadScreenshotResponse,
)
from pidgr.directory.privacy import BEHAVIORAL_ANALYTICS
from pidgr.errors import Violations, invalid_field
from pidgr.heatmaps import ingest_store, screenshot_store, upkeep_store
from pidgr.heatmaps.cohorts import Cohorts
from pidgr.heatmaps.ingestion import MOST_EVENTS, batches, well_formed
from pidgr.heatmaps.question import Question
from pidgr.heatmaps.screenshot_store import Screenshot
from pidgr.heatmaps.screenshots import Screenshots
from pidgr.heatmaps.touches import MINUTES_PER_DAY, units
from pidgr.heatmaps.upkeep import Upkeep
from pidgr.identity.caller import Caller
from pidgr.storage.transaction import Reader, Transaction
from pidgr.validation import (
    NAME_LENGTH,
    check_enum,
    check_text,
    require_moment,
    require_uuid,
)

if TYPE_CHECKING:
    from pidgr.heatmaps.columnar import ColumnarHeatmap

_MOST_SCREENS: Final = 10_000
_USUAL_RESOLUTION: Final = 0.02
_FINEST: Final = 0.005
_COARSEST: Final = 0.1
# Later than any touch: those are never later than now.
_FOREVER: Final = 10_000_000 * MINUTES_PER_DAY
_NO_CAMPAIGN: Final = -2
"""The key of a campaign that the organization does not have; its touches are none."""


class HeatmapService:
    """Keeps touches without people, and adds them up."""

    def __init__(
        self, clock: Clock, cohorts: Cohorts, upkeep: Upkeep, screenshots: Screenshots
    ) -> None:
        self._clock = clock
        self._cohorts = cohorts
        self._upkeep = upkeep
        self._screenshots = screenshots

    def ingest_touch_events(
        self, request: IngestTouchEventsRequest, caller: Caller, unit: Transaction
    ) -> IngestTouchEventsResponse:
        """Store a person's touches in their cohort, or none when they or the organization wish so.

        Raises:
            PermissionDeniedError: the caller is an API key.
            InvalidArgumentError: more than 100 events.
        """
        person = caller.member()
        if len(request.events) > MOST_EVENTS:
            told = f"must have at most {MOST_EVENTS} entries, has {len(request.events):,}"
            raise invalid_field("events", told)
        organization_key = caller.organization_key
        door = ingest_store.door(unit, organization_key, person.key, BEHAVIORAL_ANALYTICS)
        if door is None or door.shut:
            return IngestTouchEventsResponse()
        first_day = self._upkeep.first_day(door.expired_before or 0)
        events = list(well_formed(request.events, caller, self._clock.now(), first_day))
        ids = (event.campaign_id for event in events if event.campaign_id)
        campaigns = ingest_store.campaign_keys(unit, organization_key, ids)
        events = [one for one in events if not one.campaign_id or one.campaign_id in campaigns]
        if not events:
            return IngestTouchEventsResponse()
        names = (event.screen_name for event in events)
        screens = ingest_store.screen_keys(unit, organization_key, names, _MOST_SCREENS)
        bucket = self._cohorts.bucket(door.salt, person.id, door.bucket_count)
        stored = batches(events, bucket, screens, campaigns)
        if stored:
            ingest_store.insert_batches(unit, organization_key, stored)
            self._upkeep.plan_packing(unit, organization_key, door.packing_due)
        return IngestTouchEventsResponse(ingested_count=sum(len(batch.touches) for batch in stored))

    def query_heatmap_data(
        self, request: QueryHeatmapDataRequest, caller: Caller, unit: Reader
    ) -> "ColumnarHeatmap":
        """Return how often the cells of a screen were touched.

        Raises:
            InvalidArgumentError: a missing or malformed field.
        """
        # Not before it is needed: numpy takes 16 MB, and not every installation has heatmaps.
        from pidgr.heatmaps.answering import answer  # noqa: PLC0415
        from pidgr.heatmaps.columnar import ColumnarHeatmap  # noqa: PLC0415

        question = self._question(request, caller, unit)
        found = answer(unit, caller.organization_key, question)
        return ColumnarHeatmap(
            found.x,
            found.y,
            found.value,
            cohort_enabled=found.cohort_enabled,
            screenshot_url=self._screenshots.newest_url(
                unit, caller.organization_key, request.screen_name
            ),
        )

    def list_screenshots(
        self, request: ListScreenshotsRequest, caller: Caller, reader: Reader
    ) -> ListScreenshotsResponse:
        """Return every picture of the organization, by screen and version."""
        del request
        found = screenshot_store.screenshots(reader, caller.organization_key)
        return ListScreenshotsResponse(
            screenshots=[
                ScreenScreenshot(
                    screen_name=one.screen_name,
                    url=self._screenshots.url(one),
                    app_version=one.app_version,
                )
                for one in found
            ]
        )

    async def prepare_upload_screenshot(
        self, request: UploadScreenshotRequest, caller: Caller
    ) -> str:
        """Check a picture and put it where no transaction has to wait for it.

        Raises:
            InvalidArgumentError: a missing or malformed field.
        """
        violations = Violations()
        check_text(violations, "screen_name", request.screen_name, NAME_LENGTH, required=True)
        check_text(violations, "app_version", request.app_version, NAME_LENGTH)
        violations.raise_if_any()
        return await self._screenshots.upload(caller, request.image_data)

    def upload_screenshot(
        self, request: UploadScreenshotRequest, caller: Caller, unit: Transaction, blob_name: str
    ) -> UploadScreenshotResponse:
        """Make the picture the one of its screen and version.

        Raises:
            ResourceExhaustedError: the organization has too many.
        """
        picture = Screenshot(request.screen_name, request.app_version, blob_name)
        url = self._screenshots.store(unit, caller.organization_key, picture)
        return UploadScreenshotResponse(url=url)

    def _question(self, request: QueryHeatmapDataRequest, caller: Caller, unit: Reader) -> Question:
        violations = Violations()
        check_text(violations, "screen_name", request.screen_name, NAME_LENGTH, required=True)
        check_enum(violations, "mode", request.mode)
        for index, event_type in enumerate(request.event_types):
            check_enum(violations, f"event_types[{index}]", event_type, required=True)
        violations.raise_if_any()
        organization_key = caller.organization_key
        campaign_key = None
        if request.campaign_id:
            campaign_id = require_uuid("campaign_id", request.campaign_id)
            keys = ingest_store.campaign_keys(unit, organization_key, [campaign_id])
            campaign_key = keys.get(campaign_id, _NO_CAMPAIGN)
        first_day = self._upkeep.first_day(upkeep_store.expired_before(unit, organization_key))
        first = _minute("date_from", request.date_from, 0)
        last = _minute("date_to", request.date_to, _FOREVER)
        if request.date_from is not None and request.date_to is not None and last < first:
            raise invalid_field("date_to", "must not be before date_from")
        return Question(
            request.screen_name,
            request.mode or HeatmapMode.TOTAL,
            _cell(request.grid_resolution),
            max(first, first_day * MINUTES_PER_DAY),
            min(last, _FOREVER),
            frozenset(int(one) for one in request.event_types),
            campaign_key,
        )


def _minute(path: str, given: Timestamp | None, otherwise: int) -> int:
    return otherwise if given is None else require_moment(path, given) // MINUTE


def _cell(resolution: float) -> int:
    """Return the side of a cell in ten-thousandths of the screen."""
    if not math.isfinite(resolution):
        raise invalid_field("grid_resolution", f"must be 0 or {_FINEST} to {_COARSEST}")
    cell = units(resolution or _USUAL_RESOLUTION)
    if not units(_FINEST) <= cell <= units(_COARSEST):
        raise invalid_field("grid_resolution", f"must be 0 or {_FINEST} to {_COARSEST}")
    return cell
