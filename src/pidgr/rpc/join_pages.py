"""Where an invite link leads: who comes by it proves an address at the sign-in page, and is in."""

import html
from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from pidgr.directory.invite_links import PATH
from pidgr.errors import AlreadyExistsError, NotFoundError, PermissionDeniedError
from pidgr.identity import identity_store
from pidgr.identity.caller import Caller
from pidgr.identity.proof import Proof
from pidgr.rpc.html_pages import BrokenPageError, alert, guarded, html_page
from pidgr.rpc.join_texts import ROWS
from pidgr.rpc.languages import texts
from pidgr.rpc.limits import Limits
from pidgr.rpc.sign_in_steps import Destination, SignInSteps, Visit
from pidgr.storage.transaction import Transaction
from pidgr.system import System

_NAME: Final = "join"
_TOKEN: Final = "token"  # noqa: S105 - the name of a field


def join_pages(system: System, limits: Limits, steps: SignInSteps) -> list[BaseRoute]:
    """Return the route."""
    pages = _JoinPages(system, steps)
    # A provider speaks for the people its organization has invited already.
    steps.lead_to(Destination(_NAME, pages.welcome, takes_provider=False, takes_in=pages.open_to))
    show = guarded(PATH, limits.sign_in, pages.show, ROWS)
    return [Route(f"{PATH}/{{{_TOKEN}}}", show, methods=["GET"])]


class _Page:
    """What is said in the reader's language."""

    def __init__(self, request: Request) -> None:
        self._language, self._words = texts(ROWS, request.headers.get("accept-language", ""))

    def text(self, name: str, organization: str = "") -> str:
        return self._words[name].format(
            organization=f"<strong>{html.escape(organization)}</strong>"
        )

    def show(self, body: str, status: int = 200) -> Response:
        return html_page(self._language, self._words["title"], body, status)

    def problem(self, name: str, status: int) -> Response:
        return self.show(alert(self._words[name]), status)


class _JoinPages:
    def __init__(self, system: System, steps: SignInSteps) -> None:
        self._system = system
        self._links = system.invite_links
        self._home = system.settings.home_url
        self._steps = steps

    async def show(self, request: Request) -> Response:
        """Say where the link leads, and begin."""
        token, page = request.path_params[_TOKEN], _Page(request)
        try:
            intro = page.text("intro", await self._organization(token))
        except NotFoundError:
            return page.problem("broken", 404)
        return self._steps.begin(request, Visit(_NAME, intro, {_TOKEN: token}))

    async def open_to(self, kept: Mapping[str, str], email: str) -> None:
        """Let an address that nobody knows be proved, while the link is good."""
        try:
            await self._system.database.write(
                lambda transaction: self._links.open_to(transaction, kept[_TOKEN], email)
            )
        except NotFoundError as error:
            raise BrokenPageError from error

    async def welcome(self, request: Request, kept: Mapping[str, str], proof: Proof) -> Response:
        """Make who has signed in a member."""
        token, page = kept[_TOKEN], _Page(request)

        def redeem(transaction: Transaction) -> None:
            address = identity_store.address_of_subject(transaction, proof.subject)
            caller = Caller(subject=proof.subject, email=address)
            self._links.redeem(transaction, caller, token)

        outcome = "joined"
        try:
            organization = await self._organization(token)
            await self._system.database.write(redeem)
        except AlreadyExistsError:
            # Among them who was invited: proving the address has taken the invitation up.
            outcome = "already"
        except NotFoundError:
            return page.problem("broken", 404)
        except PermissionDeniedError:
            return page.problem("ended", 403)
        said = page.text(outcome, organization)
        home = f'<p><a href="{html.escape(self._home)}">{page.text("open")}</a></p>'
        return page.show(f'<p role="status">{said}</p>{home}')

    async def _organization(self, token: str) -> str:
        """Return the name of the organization a link leads into.

        Raises:
            NotFoundError: it lets nobody in.
        """
        link = await self._system.database.read(lambda reader: self._links.look(reader, token))
        return link.organization_name
