"""An exception as what can travel to another process: its type, arguments, notes, causes, and traceback as text."""

from __future__ import annotations

import contextlib
import os
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from penstock import calls
from penstock.engine.pickles import dumps_for_parent, loads_as_parent
from penstock.vectorize.function import ElementFunction, Replay

_MOST_CAUSES = 8


@dataclass(frozen=True, slots=True)
class PackedError:
    """One exception.

    Attributes:
        pickled: Exceptions that say the same, the best first; the last one can be read anywhere.
        notes: Notes beyond its own.
        cause: What it was raised from.
        context: What was handled when it was raised.
        hides_context: Whether it was raised `from` something, None included.
        members: Of a group of exceptions, those in it; what is pickled of the group is without them.
    """

    pickled: tuple[bytes, ...]
    notes: tuple[str, ...]
    cause: PackedError | None
    context: PackedError | None
    hides_context: bool
    members: tuple[PackedError, ...] = ()


def pack_error(error: BaseException, causes: int = _MOST_CAUSES) -> PackedError:
    """`error` with at most so many causes; it loses what only its own process can use."""
    text = calls.traceback_text(error.__traceback__)
    notes = (f"traceback in worker process {os.getpid()}:\n{text}",) if text else ()
    cause, context = (
        None if each is None or not causes else pack_error(each, causes - 1)
        for each in (error.__cause__, error.__context__ if error.__context__ is not error.__cause__ else None)
    )
    members: tuple[PackedError, ...] = ()
    if isinstance(error, BaseExceptionGroup):
        members = tuple(pack_error(each, max(0, causes - 1)) for each in error.exceptions)
    return PackedError(_pickled(error), notes, cause, context, error.__suppress_context__, members)


def unpack_error(packed: PackedError) -> BaseException:
    """The exception that `packed` was made of, as like it as this process can make it."""
    error = _first_readable(packed.pickled, [unpack_error(each) for each in packed.members])
    for note in packed.notes:
        error.add_note(note)
    error.__cause__ = None if packed.cause is None else unpack_error(packed.cause)
    error.__context__ = error.__cause__ if packed.context is None else unpack_error(packed.context)
    error.__suppress_context__ = packed.hides_context
    return error


def unpack_row_error(form: tuple[PackedError, Any], functions: Sequence[ElementFunction]) -> Exception:
    """The error of a row, with what replays it: the number of its function among `functions`, and the call, pickled."""
    packed, replay = form
    found = unpack_error(packed)
    assert isinstance(found, Exception)
    if replay is not None:
        with contextlib.suppress(Exception):  # of classes that are not to be found here
            found.penstock_replay = Replay(functions[replay[0]], *pickle.loads(replay[1]))  # type: ignore[attr-defined]
    return found


def _pickled(error: BaseException) -> tuple[bytes, ...]:
    plain, *forms = _forms(error)
    members = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    last = pickle.dumps(plain)
    for form in forms:
        try:
            pickled = dumps_for_parent(form)
            found = _put_together(loads_as_parent(pickled), members)
            # One whose __init__ takes other arguments than it passes on may come back as something else.
            if type(found) is type(error) and calls.message(found) == calls.message(error):
                return pickled, last
        except Exception:
            continue
    return (last,)


def _forms(error: BaseException) -> list[Any]:
    """What may be pickled of an exception: first what can be read anywhere, then the others, the best first."""
    kind, args, notes, text = type(error), error.args, _notes(error), calls.message(error)
    if isinstance(error, BaseExceptionGroup):
        shared = ExceptionGroup if isinstance(error, Exception) else BaseExceptionGroup
        named = f"{kind.__name__}: {error.message}"
        parts = [_Parts(kind, (error.message,), attributes) for attributes in (dict(error.__dict__), notes)]
        return [_Parts(shared, (error.message if kind is shared else named,), notes), *parts]
    plain = _Parts(RuntimeError, (f"{kind.__name__}: {text}",), notes)
    return [
        plain,
        error,
        _Parts(kind, args, dict(error.__dict__)),
        _Parts(kind, args, notes),
        _Parts(kind, (text,), notes),
    ]


@dataclass(frozen=True, slots=True)
class _Parts:
    """An exception that is put together without its class's __init__ and __new__; a group without its members."""

    kind: type[BaseException]
    args: tuple[Any, ...]
    attributes: dict[str, Any]


def _put_together(found: Any, members: Sequence[BaseException]) -> BaseException:
    if not isinstance(found, _Parts):
        error: BaseException = found
        return error
    args = (*found.args, members) if issubclass(found.kind, BaseExceptionGroup) else found.args
    builtin = next(base for base in found.kind.__mro__ if base.__module__ == "builtins")
    error = builtin.__new__(found.kind, *args)
    error.args = args
    error.__dict__.update(found.attributes)
    return error


def _first_readable(forms: tuple[bytes, ...], members: Sequence[BaseException]) -> BaseException:
    for form in forms[:-1]:
        try:
            return _put_together(pickle.loads(form), members)
        except Exception:  # its class is not to be found here
            continue
    return _put_together(pickle.loads(forms[-1]), members)


def _notes(error: BaseException) -> dict[str, Any]:
    notes = getattr(error, "__notes__", None)
    return {"__notes__": [str(note) for note in notes]} if notes else {}
