"""Sign-in with its parts in the test's hands: the clock, the outbox, the engine's tasks."""

import re
from typing import Any

from pidgr.engine import schema as engine_schema
from pidgr.engine.dbos_engine import DbosEngine
from pidgr.identity import signing_keys
from pidgr.identity.code_mail import CodeMail
from pidgr.identity.door_limits import DoorLimits
from pidgr.identity.failures import Failures
from pidgr.identity.one_time_codes import Codes
from pidgr.identity.passkeys.enrolment import Enrolment
from pidgr.identity.passkeys.passkey_mail import PasskeyMail
from pidgr.identity.passkeys.passkey_sign_in import PasskeySignIn
from pidgr.identity.passkeys.relying_party import RelyingParty
from pidgr.identity.sessions import Sessions
from pidgr.identity.sign_in import SignIn
from pidgr.identity.tokens import TokenSigner
from pidgr.outreach.mail import Mail
from pidgr.secrets import MasterKey
from pidgr.storage.sql import Statement
from support.organization import Installation, Tenant
from support.outbox import Outbox

# Made once: a pair costs more than everything else a test does.
PAIR = signing_keys.new_pair()
UNSENT = Statement("select key from sign_in_attempt where sealed_code is not null order by key")
INCIDENTS = Statement("select kind from security_incident order by key")
DISABLE_OTP = Statement("update organization set otp_disabled = true where id = :id")
SET_STATUS = Statement("update member set status = :status where id = :id")


class Desk:
    """Everything a sign-in needs, on an installation whose clock stands still."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.database, self.clock = installation.database, installation.clock
        self.master_key = MasterKey("a master key for tests, long enough")
        installation.write(
            lambda unit: signing_keys.insert_first(
                unit, self.master_key, PAIR, self.clock.now() // 1_000_000 * 1_000_000
            )
        )
        self.signer = self.new_signer()
        engine_schema.migrate(self.database)
        self.engine = DbosEngine(self.database, run_handlers=False)
        self.outbox = Outbox()
        self.sessions = Sessions(self.database, self.signer, self.clock, self.master_key)
        self.mail = CodeMail(self.database, self.engine, self.master_key, self.outbox, self.clock)
        limits = DoorLimits(self.master_key)
        failures = Failures(limits, self.clock)
        self.sign_in = SignIn(
            self.database,
            Codes(self.master_key),
            limits,
            failures,
            self.mail,
            self.sessions,
            self.clock,
        )

        party = RelyingParty(self.signer.issuer)
        self.passkey_mail = PasskeyMail(
            self.database, self.engine, self.outbox, "https://pidgr.example/passkeys"
        )
        self.passkeys = Enrolment(self.database, party, self.passkey_mail, self.clock)
        self.passkey_sign_in = PasskeySignIn(
            self.database, party, failures, self.sessions, self.clock
        )

    def new_signer(self) -> TokenSigner:
        """What another process of the same installation has."""
        signer = TokenSigner(
            self.database, self.master_key, self.clock, "https://pidgr.example", "pidgr"
        )
        signer.ensure_key()
        return signer

    def unsent(self) -> list[int]:
        return [key for (key,) in self.installation.read(lambda unit: unit.rows(UNSENT))]

    def post(self) -> list[Mail]:
        """Do what the engine does with the waiting tasks; return the new mail."""
        before = len(self.outbox.sent)
        for key in self.unsent():
            self.mail.send(key)
        return self.outbox.sent[before:]

    async def ask(self, email: str) -> tuple[str, str]:
        """Ask for a code; return the attempt's id and the code, empty if no mail was sent."""
        requested = await self.sign_in.request_code(email)
        return requested.attempt_id, "".join(code_in(mail) for mail in self.post())

    async def enter(self, email: str, organization_id: str = "") -> Any:
        attempt_id, code = await self.ask(email)
        return await self.sign_in.verify_code(attempt_id, code, organization_id)

    def incidents(self) -> list[str]:
        """Return the kinds of incidents, of every organization."""
        return [kind for (kind,) in self.installation.read(lambda unit: unit.rows(INCIDENTS))]

    def disable_otp(self, tenant: Tenant) -> None:
        self.installation.write(lambda unit: unit.execute(DISABLE_OTP, {"id": tenant.id}))

    def set_status(self, member_id: str, status: int) -> None:
        parameters = {"id": member_id, "status": int(status)}
        self.installation.write(lambda unit: unit.execute(SET_STATUS, parameters))


def code_in(mail: Mail) -> str:
    found = re.findall(r"(?<!\d)\d{6}(?!\d)", mail.text)
    assert len(found) == 1
    return str(found[0])


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"
