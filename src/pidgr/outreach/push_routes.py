"""Sends each push to the provider of its device's platform, or of its browser."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from pidgr.errors import UnavailableError
from pidgr.outreach.answer_memory import AnswerMemory, name_of
from pidgr.outreach.departure import Departure
from pidgr.outreach.push import NOT_STARTED, Answer, Outcome, Push, Pusher


class PushRoutes:
    """A ``Pusher`` made of others, by platform unless ``route_of`` tells otherwise.

    One provider that is away does not keep the others' pushes back, and they are not sent again
    when it comes back.
    """

    def __init__(
        self,
        routes: Mapping[str, Pusher],
        route_of: Callable[[Push], str] = lambda push: push.platform,
    ) -> None:
        self._routes = routes
        self._route_of = route_of
        self._memory = AnswerMemory()

    def send(
        self, pushes: Sequence[Push], idempotency_key: str, departure: Departure
    ) -> list[Answer]:
        """Send a batch.

        Raises:
            UnavailableError: a provider wants its part later; the next call sends only that.
        """
        answers = self._memory.of(idempotency_key)
        batch = list(pushes)
        parts: dict[str, list[Push]] = defaultdict(list)
        for push in batch:
            if name_of(push) not in answers:
                parts[self._route_of(push)].append(push)
        away: UnavailableError | None = None
        for route, part in parts.items():
            try:
                found = self._part(route, part, idempotency_key, departure)
            except UnavailableError as error:
                away = error
                continue
            # What has not started may start yet, when the batch is sent again.
            answers.update(
                (name_of(push), answer)
                for push, answer in zip(part, found, strict=True)
                if answer != NOT_STARTED
            )
        if away is not None:
            raise away
        return [answers.get(name_of(push), NOT_STARTED) for push in batch]

    def _part(
        self, route: str, part: list[Push], idempotency_key: str, departure: Departure
    ) -> list[Answer]:
        pusher = self._routes.get(route)
        if pusher is None:
            reason = f"no push provider for {route or part[0].platform} is set up"
            return [Answer(Outcome.REFUSED, reason)] * len(part)
        return pusher.send(part, f"{idempotency_key}:{route}", departure)

    def close(self) -> None:
        """Close every provider once."""
        for pusher in {id(one): one for one in self._routes.values()}.values():
            pusher.close()
