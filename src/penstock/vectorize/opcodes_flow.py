"""What CPython's instructions for calls, jumps, loops and blocks (3.11 to 3.14) do to the abstract stack."""

from __future__ import annotations

import dis
import sys

from penstock.vectorize.allowed import blame, ends_more_than_a_row
from penstock.vectorize.bytecode import (
    FRESH,
    MADE,
    VERSION,
    Frame,
    State,
    Stateful,
    Targets,
    Value,
    handles,
    item_of,
    names_of,
    parts,
    pop,
)

_POSITIVE = 5
"""`+x`, from Python 3.12 on."""


@handles("CALL", "CALL_KW")
def _call(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    if instruction.opname == "CALL_KW":
        names = names_of(pop(state, 1)[0].known)
    else:
        carried = state.local.pop("<keywords>", None)
        names = names_of(carried.known) if carried is not None else ()
    arguments = pop(state, instruction.arg or 0)
    first, second = pop(state, 2)
    if first.kind == "null":
        function = second
    else:
        function, arguments = first, ([second] if second.kind != "null" else []) + arguments
    split = len(arguments) - len(names)
    named = dict(zip(names, arguments[split:], strict=True))
    state.stack.append(frame.judge.call(function, arguments[:split], named, False))
    return None


@handles("CALL_FUNCTION_EX")
def _call_spread(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    named: dict[str, Value] = {}
    if VERSION >= (3, 14) or (instruction.arg or 0) & 1:
        (last,) = pop(state, 1)
        named = {} if last.kind == "null" else {"**": last}
    function, middle, positional = pop(state, 3)
    if function.kind == "null":
        function = middle
    state.stack.append(frame.judge.call(function, [positional], named, True))
    return None


@handles("CALL_INTRINSIC_1")
def _intrinsic(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    if instruction.arg not in (3, _POSITIVE, 6):
        raise Stateful("uses an instruction that is not understood")
    if instruction.arg == _POSITIVE:
        frame.judge.operand(pop(state, 1)[0])
        state.stack.append(MADE)
    return None


@handles("MAKE_FUNCTION")
def _make_function(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    (code,) = pop(state, 1)
    flags = (instruction.arg or 0) if VERSION < (3, 13) else 0
    taken = pop(state, bin(flags & 15).count("1"))
    defaults = parts(*taken)
    state.stack.append(frame.make_function(instruction.offset, code.known, defaults))
    return None


@handles("SET_FUNCTION_ATTRIBUTE")
def _set_function_attribute(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    attribute, function = pop(state, 2)
    if (instruction.arg or 0) in (1, 2) and attribute.origin != FRESH:
        raise Stateful("defines a function whose defaults are not understood")
    state.stack.append(function)
    return None


@handles("RETURN_VALUE", "RETURN_CONST")
def _return(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    value = pop(state, 1)[0] if instruction.opname == "RETURN_VALUE" else Value(known=instruction.argval)
    frame.returned(value)
    return []


@handles("YIELD_VALUE")
def _yield(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    frame.returned(pop(state, 1)[0])
    state.stack.append(MADE)
    return None


@handles("GET_ITER")
def _iterate(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    (owner,) = pop(state, 1)
    frame.judge.operand(owner)
    state.stack.append(Value(owner.origin, library=owner.library))
    return None


@handles("FOR_ITER")
def _for(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    done = state.copy()
    if VERSION == (3, 11):
        pop(done, 1)
    else:
        done.stack.append(MADE)
    state.stack.append(item_of(state.stack[-1]))
    return [(frame.following(instruction), state), (instruction.argval, done)]


@handles("UNPACK_SEQUENCE", "UNPACK_EX")
def _unpack(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    (owner,) = pop(state, 1)
    frame.judge.operand(owner)
    argument = instruction.arg or 0
    count = argument if instruction.opname == "UNPACK_SEQUENCE" else (argument & 255) + (argument >> 8) + 1
    state.stack.extend([item_of(owner)] * count)
    return None


@handles("JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT", "JUMP", "JUMP_NO_INTERRUPT")
def _jump(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    return [(instruction.argval, state)]


@handles(
    *(
        f"POP_JUMP_{way}IF_{what}"
        for way in ("", "FORWARD_", "BACKWARD_")
        for what in ("TRUE", "FALSE", "NONE", "NOT_NONE")
    )
)
def _pop_jump(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    (asked,) = pop(state, 1)
    if not instruction.opname.endswith("NONE"):
        _ask(frame, asked)
    return [(frame.following(instruction), state), (instruction.argval, state.copy())]


@handles("JUMP_IF_TRUE_OR_POP", "JUMP_IF_FALSE_OR_POP")
def _jump_or_pop(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    taken = state.copy()
    _ask(frame, pop(state, 1)[0])
    return [(frame.following(instruction), state), (instruction.argval, taken)]


def _ask(frame: Frame, value: Value) -> None:
    """Ask whether a value is true, which an object may answer with code of its own."""
    if any(hasattr(type(value.known), name) for name in ("__bool__", "__len__")):
        frame.judge.operand(value)


@handles("RAISE_VARARGS", "RERAISE")
def _raise(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    if instruction.opname == "RAISE_VARARGS" and instruction.arg:
        raised = state.stack[-instruction.arg].known
        if ends_more_than_a_row(raised):
            raise Stateful(blame(raised if isinstance(raised, type) else type(raised)))
    return []


@handles("PUSH_EXC_INFO")
def _enter_except(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    (error,) = pop(state, 1)
    state.stack.extend([MADE, error])
    return None


@handles("BEFORE_WITH")
def _enter_with(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    (owner,) = pop(state, 1)
    if not owner.library:
        raise Stateful("uses a with block over something that is not known")
    state.stack.extend([Value(library=True), Value(library=True)])
    return None


@handles("LOAD_SUPER_ATTR")
def _load_of_super(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    raise Stateful(blame(super))


@handles("LOAD_SPECIAL")
def _load_special(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    (owner,) = pop(state, 1)
    if not owner.library:
        raise Stateful("uses a with block over something that is not known")
    state.stack.extend([Value(library=True), owner])
    return None


@handles("WITH_EXCEPT_START")
def _with_except(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    state.stack.append(MADE)
    return None


@handles("IMPORT_NAME")
def _import(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    _, wanted = pop(state, 2)
    name = instruction.argval
    module = sys.modules.get(name)
    if module is None:
        raise Stateful(f"imports {name}, which is not imported yet")
    top = module if wanted.known is not None and wanted.known else sys.modules[name.partition(".")[0]]
    state.stack.append(frame.judge.captured(top, name))
    return None


@handles("IMPORT_FROM")
def _import_from(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    state.stack.append(frame.judge.attribute(state.stack[-1], instruction.argval))
    return None
