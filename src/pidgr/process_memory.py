"""How a process that runs for months keeps its memory small (docs/decisions/0034)."""

import ctypes
import gc
from typing import Final

# From glibc's malloc.h.
_M_ARENA_MAX: Final = -8

# Of objects that may be part of cycles: how many more there are than at the last look, before the
# next. Twenty times as many made a fan-out of a million 8 MB larger and no faster.
_NEW_OBJECTS: Final = 5_000
_LOOKS_BEFORE_OLDER_ONES: Final = 20
_LOOKS_BEFORE_OLDEST: Final = 50


def share_one_heap() -> None:
    """Let all threads allocate from one heap of the C library; before threads start.

    glibc gives each new thread one of its own and keeps there what the thread has freed, although
    most of Python's allocations take turns anyway. Other C libraries have one, and no ``mallopt``.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


def tune_garbage_collector() -> None:
    """Take what start-up made out of the collector's sight and let it run less often.

    The cyclic collector otherwise walks all imported modules again and again under load, and every
    batch of a fan-out while it is being read. Only for a process that does nothing but serve: it
    changes the whole interpreter.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, _LOOKS_BEFORE_OLDER_ONES, _LOOKS_BEFORE_OLDEST)
