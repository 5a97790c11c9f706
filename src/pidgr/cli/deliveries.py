"""``pidgr explain``: what has become of one delivery."""

from typing import Annotated, Final

import typer

from pidgr.cli.terminal import Json, print_json, say
from pidgr.clock import to_datetime
from pidgr.contract.v1.campaign_pb import Delivery
from pidgr.contract.v1.common_pb import DeliveryStatus
from pidgr.settings import Settings

_HUMAN: Final = "%Y-%m-%d %H:%M:%S"
_EXACT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"


def explain(
    delivery_id: Annotated[str, typer.Argument(help="The delivery.")], *, as_json: Json = False
) -> None:
    """Tell what has become of a delivery, and why.

    Changes nothing, and tells no text, address or push token. Times are UTC; of a push only the
    span is known in which it was sent.
    """
    from pidgr import reports  # noqa: PLC0415

    explained = reports.explain_delivery(Settings(), delivery_id)
    facts = explained.history.delivery
    status, kind = DeliveryStatus(facts.status).name, Delivery.Kind(facts.kind).name
    if as_json:
        print_json(
            {
                "delivery_id": delivery_id.lower(),
                "campaign_id": facts.campaign_id,
                "user_id": facts.member_id,
                "kind": kind,
                "status": status,
                "events": [
                    {
                        "at": f"{to_datetime(one.at):{_EXACT}}",
                        "until": f"{to_datetime(one.until):{_EXACT}}" if one.until else None,
                        "event": one.event,
                        "step_id": one.step_id or None,
                        "device_id": one.device_id or None,
                        "detail": one.detail,
                    }
                    for one in explained.happenings
                ],
            }
        )
        return
    say(f"{kind} delivery to {facts.member_id or 'a person erased since'}: {status}")
    say(f"campaign {facts.campaign_id}")
    for one in explained.happenings:
        moment = f"{to_datetime(one.at):{_HUMAN}}"
        if one.until is not None and one.until > one.at:
            end = f"{to_datetime(one.until):{_HUMAN}}"
            moment += "" if end == moment else f" to {end}"
        step = f" ({one.step_id})" if one.step_id else ""
        say(f"  {moment}  {one.event.replace('_', ' ')}{step}: {one.detail}")
