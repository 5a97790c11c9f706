"""Nudges as template messages by the Cloud API of WhatsApp, to the number of a person's profile.

Who has not written to a business lately gets nothing from it but approved templates:
https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/overview. Ours
has two parameters in its body, a name and a title, and a button whose URL ends in the link's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from pidgr.outreach.address_guard import AddressGuard
from pidgr.outreach.channels import Handed, Nudge, NudgeAnswer, NudgeOutcome
from pidgr.outreach.departure import Departure
from pidgr.outreach.nudge_http import NudgeHttp, not_taken, one_by_one
from pidgr.outreach.phone_number import international

_SETTINGS: Final = "PIDGR_WHATSAPP_..."
# How WhatsApp calls the languages whose names differ.
_LANGUAGES: Final = {"pt-BR": "pt_BR", "zh": "zh_CN"}
# https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
_NOT_NOW: Final = frozenset({"2", "4", "80007", "130429", "131016", "131048", "131057"})
_NOT_NOW_FOR_ONE: Final = frozenset({"131049", "131056"})
# Of the account, the number or the template: nothing gets through until somebody mends it.
_OURS: Final = frozenset(
    {
        *("0", "3", "10", "33", "190", "200", "368"),
        *("131005", "131031", "131042", "131045", "133010"),
        *("132000", "132001", "132012", "132015", "132016"),
    }
)
# What stands for a name that nobody has told: parameters must not be empty.
_NOBODY: Final = "–"  # noqa: RUF001 - a dash


@dataclass(frozen=True, slots=True)
class WhatsAppSender:
    """A business's number, and the template it may send; ``languages`` are those it exists in."""

    phone_number_id: str
    token: str = field(repr=False)
    template: str
    languages: tuple[str, ...]
    url: str


class WhatsAppChannel:
    """Sends one template from one number."""

    def __init__(self, sender: WhatsAppSender, guard: AddressGuard) -> None:
        self._sender = sender
        self._url = f"{sender.url.rstrip('/')}/{quote(sender.phone_number_id, safe='')}/messages"
        self._http = NudgeHttp("WhatsApp", guard)

    def send(self, nudges: Sequence[Nudge], departure: Departure) -> Handed:
        """Send a batch."""
        return one_by_one(nudges, self._send, departure)

    def _send(self, nudge: Nudge) -> NudgeAnswer:
        number = international(nudge.phone)
        if not number:
            return NudgeAnswer(NudgeOutcome.UNREACHABLE)
        message = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": number,
            "type": "template",
            "template": self._template(nudge),
        }
        reply = self._http.call("POST", self._url, message, token=self._sender.token)
        if reply.status == HTTPStatus.OK:
            return NudgeAnswer(NudgeOutcome.SENT)
        # The number of an error, never its words: they repeat the person's number.
        code = reply.code("error", "code")
        if code in _NOT_NOW:
            raise self._http.outage(f"it answered {code}")
        if code in _NOT_NOW_FOR_ONE:
            return NudgeAnswer(NudgeOutcome.LATER, code)
        if code in _OURS or reply.status == HTTPStatus.UNAUTHORIZED:
            raise self._http.outage(f"it answered {code or reply.status}: look at {_SETTINGS}")
        return not_taken(reply.status, code)

    def _template(self, nudge: Nudge) -> dict[str, object]:
        languages = self._sender.languages
        locale = nudge.locale if nudge.locale in languages else languages[0]
        return {
            "name": self._sender.template,
            "language": {"code": _LANGUAGES.get(locale, locale)},
            "components": [
                {"type": "body", "parameters": [_text(nudge.first_name), _text(nudge.title)]},
                {
                    "type": "button",
                    "sub_type": "url",
                    "index": "0",
                    # What follows the last slash; the rest is in the template.
                    "parameters": [_text(nudge.url.rpartition("/")[2])],
                },
            ],
        }


def _text(value: str) -> dict[str, str]:
    return {"type": "text", "text": value or _NOBODY}
