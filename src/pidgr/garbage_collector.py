"""How often a process that runs for months looks for cyclic garbage."""

import gc


def tune_garbage_collector() -> None:
    """Take what start-up made out of the collector's sight and let it run less often.

    The cyclic collector otherwise walks all imported modules again and again under load, and every
    batch of a fan-out while it is being read. Only for a process that does nothing but serve: it
    changes the whole interpreter.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
