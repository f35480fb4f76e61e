"""What operators that work ahead of their reader say of themselves."""

from __future__ import annotations

import dataclasses

from penstock.record import record


@record(eq=True)
class QueueStatistics:
    """What an operator that works ahead of its reader says of its queue and its workers.

    Attributes:
        capacity: Rows that it may hold ready, or have in work.
        filled: Rows that are ready at this moment.
        waited_for_input_seconds: How long its reader waited here because no row was ready.
        waited_for_output_seconds: How long its thread, or its workers together, rested because enough was ready.
        busy_seconds: How long its workers computed, all together.
        workers: How many threads or processes compute its rows beside that of its reader.
        input_has_thread: Whether its input runs in a thread of its own; else it runs in that of the reader.
    """

    capacity: int
    filled: int
    waited_for_input_seconds: float
    waited_for_output_seconds: float
    busy_seconds: float = 0.0
    workers: int = 0
    input_has_thread: bool = False

    def after(self, earlier: QueueStatistics) -> QueueStatistics:
        """The same queue as it is now, with the times of `earlier`, which was closed, added."""
        return dataclasses.replace(
            self,
            waited_for_input_seconds=self.waited_for_input_seconds + earlier.waited_for_input_seconds,
            waited_for_output_seconds=self.waited_for_output_seconds + earlier.waited_for_output_seconds,
            busy_seconds=self.busy_seconds + earlier.busy_seconds,
        )
