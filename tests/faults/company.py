"""A company with managers, a group and a role: whom a workflow's steps can name besides people."""

from collections.abc import Callable
from typing import Final

from faults.api import Api
from faults.deployment import PERSONAL, SHARED, Deployment, Person, Tenant
from faults.workflows import Places, Scenario, Step
from pidgr.directory import role_store
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction

# Places in the list of people. The last of the group has no device.
_USER: Final = 0
_GROUP: Final = (1, 9)
_ROLE: Final = (2, 3)
_MANAGERS: Final = (4, 5, 9)

# Of those whom no step names: their phones are gone, which the provider says when it is asked.
_LOST: Final = slice(12, None, 23)

_SET_MANAGER: Final = Statement(
    "update member set manager_id = :manager_id where id in (select value from json_each(:ids))",
    postgresql="update member set manager_id = :manager_id where id = any(:ids)",
)
_SET_ROLE: Final = Statement("update member set role_key = :role_key where id = :id")
_ORGANIZATION: Final = Statement("select key from organization where id = :id")


class Company:
    """An organization as a model knows it: who is told on whose account.

    The devices of those who have ``lost`` theirs are still active, and dead.
    """

    def __init__(self, deployment: Deployment, people: int) -> None:
        self.tenant: Tenant = deployment.found(people)
        self.people: dict[str, Person] = {person.id: person for person in self.tenant.people}
        self.lost: set[str] = set()
        self.dead_devices: set[str] = set()
        for person in self.tenant.people[_LOST]:
            self.lost.add(person.id)
            self.dead_devices.update(person.devices)
            person.devices = ()
        self._manager_of = {
            user_id: self.tenant.ids[_MANAGERS[number % len(_MANAGERS)]]
            for number, user_id in enumerate(self.tenant.ids)
            if number % 4
        }
        self._role_id = deployment.database.write_now(self._appoint)

    def _appoint(self, unit: Transaction) -> str:
        """Give people their managers, and some the role that steps name; return its id."""
        for manager_id in set(self._manager_of.values()):
            ids = [user for user, manager in self._manager_of.items() if manager == manager_id]
            unit.execute(_SET_MANAGER, {"manager_id": manager_id, "ids": unit.array(ids)})
        organization_key: int = unit.value(_ORGANIZATION, {"id": self.tenant.id})
        role = role_store.roles_by_slug(unit, organization_key)["manager"]
        for number in _ROLE:
            unit.execute(_SET_ROLE, {"role_key": role.key, "id": self.tenant.ids[number]})
        return role.id

    def equip(self, api: Api) -> Places:
        """Make the group and the templates; return what workflows name."""
        group = api("GroupService/CreateGroup", name="On call")["group"]
        members = [self.tenant.ids[number] for number in _GROUP]
        api("GroupService/AddGroupMembers", group_id=group["id"], user_ids=members)
        ids = {"USER": self.tenant.ids[_USER], "GROUP": group["id"], "ROLE": self._role_id}
        templates = {
            personal: api("TemplateService/CreateTemplate", **text)["template"]["id"]
            for personal, text in ((False, SHARED), (True, PERSONAL))
        }
        return Places(ids, templates)

    def audience(self, scenario: Scenario) -> list[str]:
        return self.tenant.ids[scenario.first : scenario.first + scenario.people]

    def told(self, step: Step, user_id: str) -> set[str]:
        """Whom a step tells on account of a person."""
        ids = self.tenant.ids
        named: dict[str, Callable[[], list[str]]] = {
            "USER": lambda: [ids[_USER]],
            "GROUP": lambda: [ids[number] for number in _GROUP],
            "ROLE": lambda: [ids[number] for number in _ROLE],
            "MANAGER": lambda: [self._manager_of[user_id]] if user_id in self._manager_of else [],
        }
        return {one for kind in step.targets for one in named[kind]()} - {user_id}
