"""Chooses the channels beside push that the settings ask for."""

from collections.abc import Callable

from pidgr.contract.v1.channel_events_pb import ChannelName
from pidgr.errors import SetupError
from pidgr.outreach.address_guard import AddressGuard
from pidgr.outreach.channels import Channel
from pidgr.outreach.email_channel import EmailChannel
from pidgr.outreach.mail import BulkMailer
from pidgr.outreach.slack_channel import SlackChannel
from pidgr.outreach.sms_channel import SmsChannel
from pidgr.outreach.webhook_channel import WebhookChannel
from pidgr.settings import Settings


def build_channels(
    settings: Settings,
    mailer: BulkMailer | None,
    guard: AddressGuard,
    secret_of: Callable[[int], str],
) -> dict[int, Channel]:
    """Return what is set up, by the contract's number of the channel.

    Args:
        settings: of the installation.
        mailer: sends mail, if anything does.
        guard: judges where services may be.
        secret_of: returns an organization's webhook secret.

    Raises:
        SetupError: settings that lack others.
    """
    channels: dict[int, Channel] = {}
    if mailer is not None:
        channels[ChannelName.EMAIL] = EmailChannel(mailer)
    if settings.nudge_webhook_url:
        channels[ChannelName.WEBHOOK] = WebhookChannel(settings.nudge_webhook_url, guard, secret_of)
    slack = settings.slack_bot_token.get_secret_value()
    if slack:
        channels[ChannelName.SLACK] = SlackChannel(slack, settings.slack_url, guard)
    sms = settings.sms_token.get_secret_value()
    if sms:
        if not (settings.sms_account and settings.sms_sender):
            raise SetupError("PIDGR_SMS_TOKEN needs PIDGR_SMS_ACCOUNT and PIDGR_SMS_SENDER")
        channels[ChannelName.SMS] = SmsChannel(
            account=settings.sms_account,
            token=sms,
            sender=settings.sms_sender,
            url=settings.sms_url,
            guard=guard,
        )
    return channels
