"""How a delivery's status is read.

A delivery is written once, as pending, and not again when its push is accepted: a pending one
that the lane's push cursor has passed is a sent one.
"""

from typing import Final

from pidgr.contract.v1.common_pb import DeliveryStatus

# Columns of ``delivery d`` joined by LANE_OF_DELIVERY.
EFFECTIVE_STATUS: Final = f"""
    case when d.status = {int(DeliveryStatus.PENDING)} and d.ordinal < l.pushed_upto
         then {int(DeliveryStatus.SENT)} else d.status end
"""
LANE_OF_DELIVERY: Final = """
    join step_run r on r.key = d.step_run_key
    join lane l on l.step_run_key = d.step_run_key and l.number = d.ordinal / r.lane_size
"""
