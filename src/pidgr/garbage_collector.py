"""How often a process that runs for months looks for cyclic garbage."""

import gc
from typing import Final

# Of objects that may be part of cycles: how many more there are than at the last look, before the
# next. Twenty times as many made a fan-out of a million 8 MB larger and no faster.
_NEW_OBJECTS: Final = 5_000
_LOOKS_BEFORE_OLDER_ONES: Final = 20
_LOOKS_BEFORE_OLDEST: Final = 50


def tune_garbage_collector() -> None:
    """Take what start-up made out of the collector's sight and let it run less often.

    The cyclic collector otherwise walks all imported modules again and again under load, and every
    batch of a fan-out while it is being read. Only for a process that does nothing but serve: it
    changes the whole interpreter.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, _LOOKS_BEFORE_OLDER_ONES, _LOOKS_BEFORE_OLDEST)
