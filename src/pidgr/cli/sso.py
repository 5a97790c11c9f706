"""``pidgr admin sso-domain``: whose domain it is, where name servers cannot tell or are wrong."""

from typing import Annotated

import typer

from pidgr.cli.terminal import Json, print_json, say
from pidgr.settings import Settings


def sso_domain(
    organization_id: Annotated[str, typer.Option(help="Whose identity provider.")],
    *,
    vouch: Annotated[
        bool, typer.Option("--vouch", help="Take the domain for proved, without a record.")
    ] = False,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Take it for unproved; single sign-on stops.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the domain of an organization's single sign-on and the record that proves it."""
    from pidgr import operations  # noqa: PLC0415

    if vouch and withdraw:
        raise typer.BadParameter("--vouch and --withdraw exclude each other")
    verified = True if vouch else False if withdraw else None
    claim = operations.sso_domain(Settings(), organization_id, verified=verified)
    if as_json:
        print_json(
            {
                "domain": claim.domain,
                "verified": claim.verified,
                "record_name": claim.record_name,
                "record_value": claim.record_value,
            }
        )
        return
    say(f"Domain  {claim.domain}  ({'proved' if claim.verified else 'not proved'})")
    say(f"Record  {claim.record_name}  TXT  {claim.record_value}")
