"""Where browsers send what they record: ``/replay/...``, with a person's credential.

``POST /replay/recordings`` takes ``{"campaign_id"?}`` and answers ``{"recording"}``, a token that
is empty when nothing is to be recorded. ``POST /replay/recordings/TOKEN/NUMBER`` takes a JSON array
of rrweb events, gzip or not, as batch number NUMBER from 0, and answers ``{"next"}``, the number of
the batch that is wanted next: a higher one after a repeat, a lower one after a gap.
"""

from typing import Final

from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from pidgr.errors import InvalidArgumentError, invalid_field
from pidgr.replay.batch import LARGEST_BODY, inflate
from pidgr.rpc.doorkeeper import Doorkeeper
from pidgr.rpc.plain_http import Answer, Fields, Handler, door, read_body
from pidgr.system import System
from pidgr.validation import require_uuid

_DOOR: Final = "replay/recordings"
_MOST_DIGITS: Final = 9


def replay_doors(system: System, doorkeeper: Doorkeeper) -> list[BaseRoute]:
    """Return the routes."""
    batch = f"/{_DOOR}/{{token}}/{{number}}"
    return [
        Route(f"/{_DOOR}", door(_DOOR, None, _begin(system, doorkeeper)), methods=["POST"]),
        Route(batch, door(_DOOR, None, _add(system, doorkeeper)), methods=["POST"]),
    ]


def _begin(system: System, doorkeeper: Doorkeeper) -> Handler:
    async def handle(request: Request) -> Answer:
        caller = await doorkeeper.admit(request)
        campaign_id = (await Fields.of(request)).text("campaign_id", required=False)
        if campaign_id:
            campaign_id = require_uuid("campaign_id", campaign_id)
        return {"recording": await system.recorder.begin(caller, campaign_id)}

    return handle


def _add(system: System, doorkeeper: Doorkeeper) -> Handler:
    async def handle(request: Request) -> Answer:
        caller = await doorkeeper.admit(request)
        number = str(request.path_params["number"])
        if not (number.isascii() and number.isdecimal() and len(number) <= _MOST_DIGITS):
            raise invalid_field("number", "must be the number of a batch, from 0")
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise InvalidArgumentError("send JSON, with content-type application/json")
        body = await read_body(request, LARGEST_BODY)
        content = inflate(body, request.headers.get("content-encoding", ""))
        token = str(request.path_params["token"])
        return {"next": await system.recorder.add(caller, token, int(number), content)}

    return handle
