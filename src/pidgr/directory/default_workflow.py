"""The workflow that a new organization offers its authors to start from.

Source: SEMANTICS section 11, decision 45. Clients copy it into campaigns; the server never applies
it by itself.
"""

import json
from typing import Final

from pidgr.contract.v1.common_pb import WorkflowDefinition

_STEPS: Final = (
    {
        "id": "send",
        "type": "STEP_TYPE_SEND_NOTIFICATION",
        "sendNotification": {"type": "push", "actionType": "ACTION_TYPE_ACK"},
        "transitions": {"completed": "wait"},
    },
    {
        "id": "wait",
        "type": "STEP_TYPE_DEADLINE_CHECK",
        "deadlineCheck": {"delay": "72h"},
        "transitions": {"completed": "remind"},
    },
    {
        "id": "remind",
        "type": "STEP_TYPE_SEND_REMINDER",
        "sendReminder": {"type": "push"},
        "transitions": {"completed": "last_wait"},
    },
    {
        "id": "last_wait",
        "type": "STEP_TYPE_DEADLINE_CHECK",
        "deadlineCheck": {"delay": "48h"},
        "transitions": {"completed": "mark_missed"},
    },
    {"id": "mark_missed", "type": "STEP_TYPE_MARK_MISSED"},
)
DEFAULT_WORKFLOW: Final = WorkflowDefinition.from_json(json.dumps({"steps": _STEPS}))
