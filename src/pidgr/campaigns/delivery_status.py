"""How a delivery's status is read.

A delivery is written once, as pending, and not again when its push is accepted: a pending one
that the lane's push cursor has passed is a sent one, unless the cursor held its push back.
"""

from typing import Final

from pidgr.contract.v1.common_pb import DeliveryStatus

# Conditions on ``delivery d`` joined by LANE_OF_DELIVERY. A lane that holds nothing back, as nearly
# all do, is not looked up; "offset 0" keeps PostgreSQL from reading all that is held for one row.
IS_HELD: Final = """
    (l.held > 0 and exists
      (select 1 from held_push h
       where h.step_run_key = d.step_run_key and h.ordinal = d.ordinal
         and h.pushing_run_key = d.step_run_key and h.settled_at is null limit 1 offset 0))
"""
EFFECTIVE_STATUS: Final = f"""
    case when d.status = {int(DeliveryStatus.PENDING)} and d.ordinal < l.pushed_upto
          and not {IS_HELD}
         then {int(DeliveryStatus.SENT)} else d.status end
"""
LANE_OF_DELIVERY: Final = """
    join step_run r on r.key = d.step_run_key
    join lane l on l.step_run_key = d.step_run_key and l.number = d.ordinal / r.lane_size
"""
