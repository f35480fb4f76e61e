"""Tracebacks as far as they are the user's code: where an error was raised, without how it was called."""

from __future__ import annotations

import importlib
import traceback
from types import FrameType

from penstock import calls


def user_traceback(error: BaseException) -> traceback.TracebackException:
    """The traceback without frames of penstock and of what imports modules."""
    report = traceback.TracebackException.from_exception(error)
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    theirs = [said for said, frame in zip(report.stack, frames, strict=True) if not _is_machinery(frame)]
    report.stack = traceback.StackSummary.from_list(theirs)
    return report


def _is_machinery(frame: FrameType) -> bool:
    name = frame.f_code.co_filename
    return calls.is_ours(frame) or name.startswith("<frozen importlib") or name == importlib.__file__
