"""Chooses the push adapters that the settings ask for."""

from typing import Final

from pidgr.clock import Clock
from pidgr.contract.v1.common_pb import Platform
from pidgr.errors import SetupError
from pidgr.outreach.apns import Apns
from pidgr.outreach.device_pusher import DevicePusher
from pidgr.outreach.fcm import Fcm
from pidgr.outreach.google_account import ServiceAccount
from pidgr.outreach.http_push import HttpPusher
from pidgr.outreach.push import LogPusher, Pusher
from pidgr.outreach.push_routes import PushRoutes
from pidgr.outreach.vapid import Vapid
from pidgr.outreach.web_push import PushServices, WebPush
from pidgr.settings import Settings

_IOS: Final = Platform.IOS.name
_ANDROID: Final = Platform.ANDROID.name


def build_pusher(settings: Settings, clock: Clock) -> Pusher:
    """Return what sends pushes: providers by platform, one gateway for all, or the log.

    APNs takes what goes to iOS. FCM takes Android, and iOS where there is no APNs.

    Raises:
        SetupError: settings that contradict each other or cannot be read.
    """
    routes: dict[str, Pusher] = {}
    credentials = settings.fcm_credentials.get_secret_value()
    if credentials:
        fcm = Fcm(
            ServiceAccount.from_json(credentials, "PIDGR_FCM_CREDENTIALS"), settings.fcm_url, clock
        )
        pusher = DevicePusher(fcm, settings.push_rate_per_second)
        routes = {_ANDROID: pusher, _IOS: pusher}
    key = settings.apns_key.get_secret_value()
    if key:
        apns = Apns(
            key=key,
            key_id=settings.apns_key_id,
            team_id=settings.apns_team_id,
            topic=settings.apns_topic,
            url=settings.apns_url,
            clock=clock,
        )
        routes[_IOS] = DevicePusher(apns, settings.push_rate_per_second)
    if routes and settings.push_url:
        raise SetupError(
            "PIDGR_PUSH_URL takes every push: give it, or PIDGR_APNS_KEY and PIDGR_FCM_CREDENTIALS"
        )
    if routes:
        return PushRoutes(routes)
    return HttpPusher(settings.push_url) if settings.push_url else LogPusher()


def build_browser_pusher(settings: Settings, services: PushServices, vapid: Vapid) -> Pusher:
    """Return what pushes to browsers: each service at its own pace, or one gateway for all."""
    if settings.push_url:
        return HttpPusher(settings.push_url)
    provider = WebPush(vapid)
    routes = {
        name: DevicePusher(provider, settings.push_rate_per_second) for name in services.names
    }
    return PushRoutes(routes, services.of_push)
