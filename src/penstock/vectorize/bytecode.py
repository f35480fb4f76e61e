"""Follow a function's bytecode with abstract values: where each value comes from, what is called, what is written.

An abstract value knows whether it was made inside the function, may be (part of) an argument, or may be (part of) an
object that lives outside; and, for what is captured, the object itself. Each instruction is followed along every path
until nothing changes. An instruction that is not known ends the search: the function counts as stateful.
"""

from __future__ import annotations

import dis
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

FRESH, ARGUMENT, CAPTURED = 0, 1, 2
UNKNOWN: Any = object()


class Stateful(Exception):
    """The function writes, draws, prints, or is not understood; the message is the one-line reason."""


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """What is known of one value: its origin, and the object itself where it is known."""

    origin: int = FRESH
    known: Any = UNKNOWN
    kind: str = ""
    """"" data, "object" captured instance, "method" (owner, name), "function" LocalFunction, "null"."""
    library: bool = False
    """It came from a library whose methods only compute and read."""


NULL = Value(kind="null")
MADE = Value()


def join(*values: Value) -> Value:
    """A value that may be any of `values`."""
    first, *rest = values or (MADE,)
    for value in rest:
        if value is first or _same(first, value):
            continue
        if first.kind == value.kind == "method" and first.known[1] == value.known[1]:
            owner = join(first.known[0], value.known[0])
            wider = Value(owner.origin, (owner, first.known[1]), "method")
            first = first if owner is first.known[0] else wider
            continue
        kind = "" if {first.kind, value.kind} <= {"", "null"} else "unclear"
        wider = Value(max(first.origin, value.origin), UNKNOWN, kind, first.library or value.library)
        first = first if _same(first, wider) else wider
    return first


def parts(*values: Value) -> Value:
    """A new value that may hold `values` or parts of them."""
    origin = max((value.origin for value in values), default=FRESH)
    return Value(origin, library=any(value.library for value in values))


def _same(left: Value, right: Value) -> bool:
    if left.kind == right.kind == "method":
        return bool(left.known[1] == right.known[1]) and _same(left.known[0], right.known[0])
    return (
        left.origin == right.origin
        and left.known is right.known
        and left.kind == right.kind
        and left.library == right.library
    )


@dataclass(frozen=True, slots=True, eq=False)
class LocalFunction:
    """A function, lambda or comprehension defined inside the function that is followed."""

    code: types.CodeType
    frame: Frame
    defaults: Value


class Meaning(Protocol):
    """What the judge decides for the frames it follows."""

    def captured(self, value: Any, name: str) -> Value: ...
    def attribute(self, owner: Value, name: str) -> Value: ...
    def method(self, owner: Value, name: str) -> Value: ...
    def call(self, function: Value, positional: list[Value], named: dict[str, Value], spread: bool) -> Value: ...
    def write(self, target: Value, how: str) -> None: ...
    def store(self, target: Value, stored: list[Value], how: str) -> None: ...
    def operand(self, value: Value) -> None: ...


@dataclass(slots=True)
class State:
    """The stack and the local variables before an instruction."""

    stack: list[Value]
    local: dict[str, Value]

    def copy(self) -> State:
        return State(self.stack.copy(), self.local.copy())


class Frame:
    """One call of one code object, followed to a fixed point; `result` is what it may return."""

    def __init__(
        self,
        code: types.CodeType,
        local: dict[str, Value],
        free: dict[str, Value],
        scope: dict[str, Any],
        judge: Meaning,
    ) -> None:
        self.code = code
        self.scope = scope
        self.judge = judge
        self.cells = dict(free)
        self.owned = set(code.co_cellvars)
        self.arguments = local
        self.result: Value | None = None
        self.names: tuple[str, ...] = ()
        self._made: dict[int, Value] = {}
        self._states: dict[int, State] = {}
        self._instructions = list(dis.get_instructions(code))
        self._following = {
            before.offset: after.offset
            for before, after in zip(self._instructions, self._instructions[1:], strict=False)
        }
        self._handlers = list(getattr(dis.Bytecode(code), "exception_entries", ()))

    def follow(self) -> Value:
        """Walk every path; the value that the function returns."""
        by_offset = {instruction.offset: instruction for instruction in self._instructions}
        for _ in range(20):
            before = dict(self.cells)
            self._states.clear()
            waiting = [self._instructions[0].offset]
            self._states[waiting[0]] = State([], dict(self.arguments))
            while waiting:
                waiting.extend(self._step(by_offset[waiting.pop()]))
            if all(name in before and _same(before[name], value) for name, value in self.cells.items()):
                break
        return self.result if self.result is not None else MADE

    def _step(self, instruction: dis.Instruction) -> list[int]:
        state = self._states[instruction.offset].copy()
        changed = [
            entry.target
            for entry in self._handlers
            if entry.start <= instruction.offset < entry.end and self._enter_handler(entry, state)
        ]
        handler = HANDLERS.get(instruction.opname)
        if handler is None:
            raise Stateful(f"uses {instruction.opname}, which is not understood")
        try:
            targets = handler(self, instruction, state)
        except IndexError:
            raise Stateful(f"uses {instruction.opname} in a way that is not understood") from None
        if targets is None:
            targets = [(self._following[instruction.offset], state)]
        return changed + [offset for offset, after in targets if self._merge(offset, after)]

    def _enter_handler(self, entry: Any, state: State) -> bool:
        pushed = [MADE] * (2 if entry.lasti else 1)
        return self._merge(entry.target, State(state.stack[: entry.depth] + pushed, state.local.copy()))

    def _merge(self, offset: int, state: State) -> bool:
        known = self._states.get(offset)
        if known is None:
            self._states[offset] = state
            return True
        if len(known.stack) != len(state.stack):
            raise Stateful("has a control flow that is not understood")
        merged_stack = [join(a, b) for a, b in zip(known.stack, state.stack, strict=True)]
        changed = any(a is not b for a, b in zip(known.stack, merged_stack, strict=True))
        for name, value in state.local.items():
            old = known.local.get(name)
            new = value if old is None else join(old, value)
            if new is not old:
                known.local[name] = new
                changed = True
        known.stack = merged_stack
        return changed

    def following(self, instruction: dis.Instruction) -> int:
        """The offset of the next instruction in the code."""
        return self._following[instruction.offset]

    def returned(self, value: Value) -> None:
        """Add one more value that the function may return."""
        self.result = value if self.result is None else join(self.result, value)

    def load_global(self, name: str) -> Value:
        """A captured name of the module or of Python."""
        if name in self.scope:
            return self.judge.captured(self.scope[name], name)
        builtin = self.scope.get("__builtins__", {})
        space = builtin if isinstance(builtin, dict) else vars(builtin)
        if name not in space:
            raise Stateful(f"uses the name {name}, which is not defined yet")
        return self.judge.captured(space[name], name)

    def load_cell(self, name: str) -> Value:
        """A variable shared with a function inside or outside this one."""
        return self.cells.get(name, MADE)

    def store_cell(self, name: str, value: Value) -> None:
        """Assign a shared variable; one of a function outside is an effect."""
        if name not in self.owned:
            raise Stateful(f"assigns the variable {name} of the function around it")
        known = self.cells.get(name)
        self.cells[name] = value if known is None else join(known, value)

    def make_function(self, offset: int, code: types.CodeType, defaults: Value) -> Value:
        """The value of a function defined at `offset`; the same each time it is passed."""
        if offset not in self._made:
            self._made[offset] = Value(known=LocalFunction(code, self, defaults), kind="function")
        return self._made[offset]


Targets = list[tuple[int, State]] | None
Handler = Callable[[Frame, dis.Instruction, State], Targets]
HANDLERS: dict[str, Handler] = {}
VERSION = sys.version_info[:2]


def handles(*names: str) -> Callable[[Handler], Handler]:
    """Register a function for the instructions of these names."""

    def register(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(names, handler))
        return handler

    return register


def pop(state: State, count: int) -> list[Value]:
    """Take `count` values off the stack, the deepest first."""
    if count == 0:
        return []
    if count > len(state.stack):
        raise IndexError(count)
    taken = state.stack[-count:]
    del state.stack[-count:]
    return taken


def names_of(constant: Any) -> Sequence[str]:
    """The keyword names that an instruction carries as a constant."""
    return constant if isinstance(constant, tuple) else ()


def item_of(owner: Value) -> Value:
    """A part of `owner`, or what iterating over it gives."""
    return Value(owner.origin, library=owner.library)
