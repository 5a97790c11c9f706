"""What a CALL_WEBHOOK step must be like: form first, then where its URL leads."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from pidgr.contract.v1.common_pb import CallWebhookConfig, WorkflowDefinition, WorkflowStep
from pidgr.errors import Violations
from pidgr.outreach.address_guard import LOOKUP_SECONDS, AddressGuard, AddressRefusedError, parse
from pidgr.outreach.webhook import header_problem
from pidgr.validation import check_text

_NAME: Final = 200
_URL: Final = 2_048
_HEADERS: Final = 20
_HEADER_NAME: Final = 200
_HEADER_VALUE: Final = 2_000


def check(config: CallWebhookConfig, path: str, violations: Violations) -> None:
    """Note everything that is wrong with a step's config as it stands."""
    check_text(violations, f"{path}.name", config.name, _NAME)
    _check_url(config.url, f"{path}.url", violations)
    if len(config.headers) > _HEADERS:
        violations.add(f"{path}.headers", f"must be at most {_HEADERS}")
        return
    seen: set[str] = set()
    for name, value in config.headers.items():
        here = f"{path}.headers[{name}]"
        check_text(violations, f"{path}.headers", name, _HEADER_NAME, required=True)
        check_text(violations, here, value, _HEADER_VALUE)
        problem = header_problem(name, value)
        if problem is not None:
            violations.add(here, problem)
        elif name.lower() in seen:
            violations.add(here, "is given twice in different letter case")
        seen.add(name.lower())


def _check_url(url: str, path: str, violations: Violations) -> None:
    found = len(violations.found)
    check_text(violations, path, url, _URL, required=True)
    if len(violations.found) > found:
        return
    try:
        parse(url)
    except AddressRefusedError as error:
        violations.add(path, str(error))


async def vet(
    definition: WorkflowDefinition | None,
    path: str,
    guard: AddressGuard,
    validate: Callable[[], None],
) -> None:
    """Check where the URLs of a workflow lead that is to be stored, if it has any.

    Args:
        definition: the workflow, if there is one.
        path: of its field.
        guard: judges the URLs.
        validate: checks everything else of the request, before names are looked up.

    Raises:
        InvalidArgumentError: naming every URL that this server does not call.
    """
    if definition is None or not calls_webhook(definition):
        return

    def work() -> None:
        validate()
        _vet_addresses(definition, path, guard)

    await asyncio.to_thread(work)


def calls_webhook(definition: WorkflowDefinition) -> bool:
    """Tell whether any step calls a webhook."""
    return any(_config(step) is not None for step in definition.steps)


def webhook_config(step: WorkflowStep) -> CallWebhookConfig:
    """Return the config of a valid CALL_WEBHOOK step."""
    config = _config(step)
    assert config is not None  # noqa: S101 - validated
    return config


def _vet_addresses(definition: WorkflowDefinition, path: str, guard: AddressGuard) -> None:
    """Check where the URLs of a valid workflow lead. Looks names up, so it blocks.

    Raises:
        InvalidArgumentError: naming every URL that this server does not call.
    """
    violations = Violations()
    # All of them share the time of one, or a hundred dead names would hold the caller for minutes.
    deadline = time.monotonic() + LOOKUP_SECONDS
    for index, step in enumerate(definition.steps):
        config = _config(step)
        if config is None:
            continue
        try:
            guard.vet(config.url, max(0.0, deadline - time.monotonic()))
        except AddressRefusedError as error:
            violations.add(f"{path}.steps[{index}].call_webhook.url", str(error))
    violations.raise_if_any()


def _config(step: WorkflowStep) -> CallWebhookConfig | None:
    config = step.config.value if step.config is not None else None
    return config if isinstance(config, CallWebhookConfig) else None
