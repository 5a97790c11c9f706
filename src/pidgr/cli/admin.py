"""``pidgr admin``: what an operator may do without signing in."""

from typing import Annotated

import typer

from pidgr.cli.oauth_clients import oauth_clients
from pidgr.cli.quiet_hours import quiet_hours
from pidgr.cli.sso import sso_domain
from pidgr.cli.terminal import Json, print_json, say
from pidgr.clock import SECOND, to_datetime
from pidgr.settings import Settings

admin = typer.Typer(no_args_is_help=True, help="What an operator may do without signing in.")
admin.command("sso-domain")(sso_domain)
admin.command("quiet-hours")(quiet_hours)
admin.add_typer(oauth_clients, name="oauth-client")


@admin.command("create-org")
def create_org(
    name: Annotated[str, typer.Option(help="Name of the organization.")],
    admin_email: Annotated[str, typer.Option(help="E-mail of its first super admin.")],
    *,
    as_json: Json = False,
) -> None:
    """Create an organization, its first member, and an API key with every permission."""
    from pidgr import operations  # noqa: PLC0415

    created = operations.create_organization(Settings(), name, admin_email)
    if as_json:
        print_json(created)
        return
    say(f"Organization  {created['organization_id']}")
    say(f"Admin         {created['admin_user_id']}  ({admin_email})")
    say(f"API key       {created['api_key']}  (shown only now)")


@admin.command("token")
def token(
    user_id: Annotated[str, typer.Option(help="Whose token.")],
    ttl: Annotated[
        int, typer.Option(min=1, max=86_400, help="Seconds the token lives, a day at most.")
    ] = 3600,
) -> None:
    """Print an access token for a member; the operator vouches for who they are."""
    from pidgr import operations  # noqa: PLC0415

    say(operations.mint_token(Settings(), user_id, ttl * SECOND))


@admin.command("rotate-keys")
def rotate_keys() -> None:
    """Let a new key sign access tokens.

    It is published now and signs in ten minutes; the old one counts until the last token it signed
    has expired. Servers take up both without a restart.
    """
    from pidgr import operations  # noqa: PLC0415

    moment = to_datetime(operations.rotate_keys(Settings()))
    say(f"The new key signs from {moment:%Y-%m-%d %H:%M:%S} UTC on.")


@admin.command("rotate-link-key")
def rotate_link_key(
    organization_id: Annotated[str, typer.Option(help="Whose links.")],
) -> None:
    """Sign an organization's links with a new key; the old one is good for seven days more.

    Done twice, links signed before are void at once.
    """
    from pidgr import operations  # noqa: PLC0415

    version = operations.rotate_link_key(Settings(), organization_id)
    say(f"Links are signed with key {version} now.")


@admin.command("webhook-secret")
def webhook_secret(
    organization_id: Annotated[str, typer.Option(help="Whose webhooks.")],
    *,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Replace it; the old one signs nothing more.")
    ] = False,
) -> None:
    """Print the secret that an organization's webhooks are signed with."""
    from pidgr import operations  # noqa: PLC0415

    say(operations.webhook_secret(Settings(), organization_id, rotate=rotate))
