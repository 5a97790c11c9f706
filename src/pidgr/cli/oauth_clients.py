"""``pidgr admin oauth-client``: the applications that may ask people for access."""

from typing import Annotated

import typer

from pidgr.cli.terminal import Json, print_json, say
from pidgr.settings import Settings

oauth_clients = typer.Typer(
    no_args_is_help=True, help="Applications that may ask people to act for them (OAuth)."
)


@oauth_clients.command("add")
def add(
    name: Annotated[str, typer.Option(help="What people are asked to allow.")],
    redirect_uri: Annotated[
        list[str], typer.Option(help="Where answers may go; the port of 127.0.0.1 is free.")
    ],
    scope: Annotated[list[str], typer.Option(help="What it may ask for; repeat for more.")],
    *,
    as_json: Json = False,
) -> None:
    """Register an application and print its client id. It is public: it has no secret."""
    from pidgr import operations  # noqa: PLC0415

    client_id = operations.add_oauth_client(Settings(), name, tuple(redirect_uri), frozenset(scope))
    if as_json:
        print_json({"client_id": client_id})
    else:
        say(client_id)


@oauth_clients.command("list")
def list_clients(*, as_json: Json = False) -> None:
    """List the applications this installation knows."""
    from pidgr import operations  # noqa: PLC0415

    clients = operations.oauth_clients(Settings())
    if as_json:
        print_json(
            {
                "clients": [
                    {
                        "client_id": one.id,
                        "name": one.name,
                        "redirect_uris": list(one.redirect_uris),
                        "scopes": sorted(one.scopes),
                    }
                    for one in clients
                ]
            }
        )
        return
    for one in clients:
        say(f"{one.id}  {one.name}  {' '.join(one.redirect_uris)}  {' '.join(sorted(one.scopes))}")


@oauth_clients.command("remove")
def remove(client_id: Annotated[str, typer.Argument(help="As `list` prints it.")]) -> None:
    """Forget an application; what people have allowed it ends with its next call."""
    from pidgr import operations  # noqa: PLC0415

    operations.remove_oauth_client(Settings(), client_id)
    say("Removed.")
