"""How Python is set up in a process that serves for months (docs/decisions/0034, 0035).

What is here changes the whole interpreter: only for a process that does nothing else.
"""

import ctypes
import gc
import sys
from typing import Final

# From glibc's malloc.h.
_M_ARENA_MAX: Final = -8

# Of objects that may be part of cycles: how many more there are than at the last look, before the
# next. Twenty times as many made a fan-out of a million 8 MB larger and no faster.
_NEW_OBJECTS: Final = 5_000
_LOOKS_BEFORE_OLDER_ONES: Final = 20
_LOOKS_BEFORE_OLDEST: Final = 50

# Python's own 5 ms are as long as a batch of pushes takes.
_SHORT_TURN_SECONDS: Final = 0.0005


def share_one_heap() -> None:
    """Let all threads allocate from one heap of the C library; before threads start.

    glibc gives each new thread one of its own and keeps there what the thread has freed, although
    most of Python's allocations take turns anyway. Other C libraries have one, and no ``mallopt``.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


def take_short_turns() -> None:
    """Let a thread that has the database's answer not wait long for one that computes.

    The database waits with it. For a process that answers no requests: of SubmitAction it would
    answer a tenth less a second, as threads change more often.
    """
    sys.setswitchinterval(_SHORT_TURN_SECONDS)


def tune_garbage_collector() -> None:
    """Take what start-up made out of the collector's sight and let it run less often.

    The cyclic collector otherwise walks all imported modules again and again under load, and every
    batch of a fan-out while it is being read.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, _LOOKS_BEFORE_OLDER_ONES, _LOOKS_BEFORE_OLDEST)
