"""Chooses the channels beside push that the settings ask for."""

from collections.abc import Callable

from pydantic import SecretStr

from pidgr.channel_settings import ChannelSettings
from pidgr.clock import Clock
from pidgr.contract.v1.channel_events_pb import ChannelName
from pidgr.errors import SetupError
from pidgr.outreach.address_guard import AddressGuard
from pidgr.outreach.channels import Channel
from pidgr.outreach.email_channel import EmailChannel
from pidgr.outreach.mail import BulkMailer
from pidgr.outreach.slack_channel import SlackChannel
from pidgr.outreach.sms_channel import SmsChannel
from pidgr.outreach.teams_channel import TeamsBot, TeamsChannel
from pidgr.outreach.webhook_channel import WebhookChannel
from pidgr.outreach.whatsapp_channel import WhatsAppChannel, WhatsAppSender


def build_channels(
    settings: ChannelSettings,
    mailer: BulkMailer | None,
    guard: AddressGuard,
    secret_of: Callable[[int], str],
    clock: Clock,
    telegram: Channel | None = None,
) -> dict[int, Channel]:
    """Return what is set up, by the contract's number of the channel.

    Args:
        settings: of the installation.
        mailer: sends mail, if anything does.
        guard: judges where services may be.
        secret_of: returns an organization's webhook secret.
        clock: tells when access tokens end.
        telegram: writes to those who have opened a chat, if there is a bot.

    Raises:
        SetupError: settings that lack others.
    """
    channels: dict[int, Channel] = {}
    if mailer is not None:
        channels[ChannelName.EMAIL] = EmailChannel(mailer)
    if telegram is not None:
        channels[ChannelName.TELEGRAM] = telegram
    if settings.nudge_webhook_url:
        channels[ChannelName.WEBHOOK] = WebhookChannel(settings.nudge_webhook_url, guard, secret_of)
    if _has(settings, "slack_bot_token"):
        channels[ChannelName.SLACK] = SlackChannel(
            settings.slack_bot_token.get_secret_value(), settings.slack_url, guard
        )
    if _has(settings, "sms_token", "sms_account", "sms_sender"):
        channels[ChannelName.SMS] = SmsChannel(
            account=settings.sms_account,
            token=settings.sms_token.get_secret_value(),
            sender=settings.sms_sender,
            url=settings.sms_url,
            guard=guard,
        )
    if _has(settings, "teams_secret", "teams_tenant", "teams_app_id"):
        bot = TeamsBot(
            tenant=settings.teams_tenant,
            app_id=settings.teams_app_id,
            secret=settings.teams_secret.get_secret_value(),
            login_url=settings.teams_login_url,
            graph_url=settings.teams_graph_url,
            connector_url=settings.teams_bot_url,
        )
        channels[ChannelName.MICROSOFT_TEAMS] = TeamsChannel(bot, guard, clock)
    if _has(settings, "whatsapp_token", "whatsapp_phone_number_id", "whatsapp_template"):
        sender = WhatsAppSender(
            phone_number_id=settings.whatsapp_phone_number_id,
            token=settings.whatsapp_token.get_secret_value(),
            template=settings.whatsapp_template,
            languages=settings.whatsapp_languages,
            url=settings.whatsapp_url,
        )
        channels[ChannelName.WHATSAPP] = WhatsAppChannel(sender, guard)
    return channels


def _has(settings: ChannelSettings, secret: str, *others: str) -> bool:
    """Tell whether a channel's secret is set.

    Raises:
        SetupError: without the settings it needs.
    """
    value: SecretStr = getattr(settings, secret)
    if not value.get_secret_value():
        return False
    if not all(getattr(settings, name) for name in others):
        needed = " and ".join(f"PIDGR_{name.upper()}" for name in others)
        raise SetupError(f"PIDGR_{secret.upper()} needs {needed}")
    return True
