"""A user function that is called again when it raises."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from penstock.block import Block
from penstock.faults import FaultCounts, Retry
from penstock.node import Purity
from penstock.vectorize.function import ElementFunction, Replay


class RetriedFunction(ElementFunction):
    """An `ElementFunction` whose failed calls are made again, on the element as it was, before the next one's.

    Args:
        retry: How often, and with what pauses.
        faults: Where further calls are counted.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        transformation: str,
        origin: str,
        vectorize: bool,
        purity: Purity | None,
        retry: Retry,
        faults: FaultCounts,
    ) -> None:
        super().__init__(function, transformation, origin, vectorize, purity)
        self._retry = retry
        self.faults = faults

    def __reduce__(self) -> Any:
        _, arguments = super().__reduce__()
        return RetriedFunction, (*arguments, self._retry, self.faults)

    def _call_again(self, error: Exception, row: Block, last: Callable[[], Any] | None) -> tuple[Exception | None, Any]:
        for attempt in range(self._retry.times):
            # `close` waits for it, as for any function that is being called.
            time.sleep(self._retry.pause_seconds(attempt))
            self.faults.add(retried=1)
            try:
                return None, Replay(self, row, last)()
            except StopIteration:
                error = RuntimeError("the function raised StopIteration, which would end the data; raise another error")
            except Exception as again:
                error = again
        error.add_note(f"the last of {self._retry.times + 1} calls")
        return error, None
