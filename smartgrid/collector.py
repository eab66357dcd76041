"""How often Python looks for cycles of garbage in a process that streams."""

import gc


def look_for_cycles_rarely() -> None:
    """Micro-batches make ten thousands of objects that die by their reference counts, and no cycles.

    At the default threshold each batch is looked through a dozen times. Call it once the process
    has imported what it needs.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)
