"""What CPython's instructions on values (3.11 to 3.14) do to the abstract stack of `bytecode.Frame`."""

from __future__ import annotations

import dis

from penstock.vectorize.bytecode import (
    MADE,
    NULL,
    VERSION,
    Frame,
    State,
    Stateful,
    Targets,
    Value,
    handles,
    item_of,
    parts,
    pop,
)

_INPLACE_FIRST, _INPLACE_LAST, _SUBSCRIPT = 13, 25, 26


@handles("NOP", "RESUME", "CACHE", "PRECALL", "EXTENDED_ARG", "MAKE_CELL", "COPY_FREE_VARS")
@handles("NOT_TAKEN", "RETURN_GENERATOR", "TO_BOOL", "SETUP_ANNOTATIONS")
def _nothing(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    if instruction.opname == "RETURN_GENERATOR":
        state.stack.append(MADE)
    return None


@handles("KW_NAMES")
def _keyword_names(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    state.local["<keywords>"] = Value(known=frame.code.co_consts[instruction.arg or 0])
    return None


@handles("PUSH_NULL")
def _push_null(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    state.stack.append(NULL)
    return None


@handles("POP_TOP", "POP_ITER", "POP_EXCEPT")
def _drop(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    pop(state, 1)
    return None


@handles("END_FOR")
def _end_for(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    pop(state, 2 if VERSION == (3, 12) else 1)
    return None


@handles("COPY")
def _copy(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    state.stack.append(state.stack[-(instruction.arg or 1)])
    return None


@handles("SWAP")
def _swap(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    place = -(instruction.arg or 1)
    state.stack[-1], state.stack[place] = state.stack[place], state.stack[-1]
    return None


@handles("LOAD_CONST", "LOAD_SMALL_INT")
def _constant(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    state.stack.append(Value(known=instruction.argval))
    return None


@handles("LOAD_COMMON_CONSTANT", "LOAD_ASSERTION_ERROR")
def _common_constant(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    known = instruction.argval if instruction.opname == "LOAD_COMMON_CONSTANT" else AssertionError
    state.stack.append(Value(known=known) if isinstance(known, type) else MADE)
    return None


@handles("LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_FAST_BORROW", "LOAD_CLOSURE")
def _load_fast(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    state.stack.append(_load(frame, state, instruction.argval))
    return None


@handles("LOAD_FAST_LOAD_FAST", "LOAD_FAST_BORROW_LOAD_FAST_BORROW")
def _load_two(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    state.stack.extend(_load(frame, state, name) for name in instruction.argval)
    return None


@handles("LOAD_FAST_AND_CLEAR")
def _load_and_clear(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    state.stack.append(state.local.get(instruction.argval, NULL))
    return None


@handles("STORE_FAST", "STORE_FAST_MAYBE_NULL")
def _store_fast(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    _store(frame, state, instruction.argval, pop(state, 1)[0])
    return None


@handles("STORE_FAST_STORE_FAST")
def _store_two(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    for name in instruction.argval:
        _store(frame, state, name, pop(state, 1)[0])
    return None


@handles("STORE_FAST_LOAD_FAST")
def _store_load(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    stored, loaded = instruction.argval
    _store(frame, state, stored, pop(state, 1)[0])
    state.stack.append(_load(frame, state, loaded))
    return None


@handles("DELETE_FAST")
def _delete_fast(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    return None


@handles("LOAD_GLOBAL", "LOAD_NAME")
def _load_global(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    value = frame.load_global(instruction.argval)
    called = instruction.opname == "LOAD_GLOBAL" and (instruction.arg or 0) & 1
    state.stack.extend([NULL, value] if called else [value])
    return None


@handles("LOAD_DEREF", "LOAD_CLASSDEREF")
def _load_cell(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    state.stack.append(_load(frame, state, instruction.argval))
    return None


@handles("STORE_DEREF")
def _store_cell(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    frame.store_cell(instruction.argval, pop(state, 1)[0])
    return None


@handles("STORE_GLOBAL", "DELETE_GLOBAL", "STORE_NAME", "DELETE_DEREF", "DELETE_NAME")
def _store_global(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    raise Stateful(f"assigns the global variable {instruction.argval}")


@handles("LOAD_ATTR")
def _load_attribute(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    if VERSION >= (3, 12) and (instruction.arg or 0) & 1:
        return _load_method(frame, instruction, state)
    (owner,) = pop(state, 1)
    state.stack.append(frame.judge.attribute(owner, instruction.argval))
    return None


@handles("LOAD_METHOD")
def _load_method(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    (owner,) = pop(state, 1)
    state.stack.extend([frame.judge.method(owner, instruction.argval), NULL])
    return None


@handles("STORE_ATTR", "DELETE_ATTR")
def _store_attribute(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    (owner,) = pop(state, 1)
    frame.judge.write(owner, f"assigns the attribute .{instruction.argval}")
    if instruction.opname == "STORE_ATTR":
        pop(state, 1)
    return None


@handles("BINARY_OP")
def _binary(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    left, right = pop(state, 2)
    frame.judge.operand(left)
    frame.judge.operand(right)
    kind = instruction.arg or 0
    if kind == _SUBSCRIPT:
        state.stack.append(item_of(left))
    elif _INPLACE_FIRST <= kind <= _INPLACE_LAST:
        frame.judge.write(left, "changes in place")
        state.stack.append(Value(left.origin))
    else:
        state.stack.append(MADE)
    return None


@handles("BINARY_SUBSCR")
def _subscript(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    owner, index = pop(state, 2)
    frame.judge.operand(owner)
    frame.judge.operand(index)
    state.stack.append(item_of(owner))
    return None


@handles("BINARY_SLICE")
def _slice(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    owner, start, stop = pop(state, 3)
    for value in (owner, start, stop):
        frame.judge.operand(value)
    state.stack.append(item_of(owner))
    return None


@handles("STORE_SUBSCR", "DELETE_SUBSCR", "STORE_SLICE")
def _store_item(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    count = {"STORE_SUBSCR": 3, "DELETE_SUBSCR": 2, "STORE_SLICE": 4}[instruction.opname]
    taken = pop(state, count)
    owner = taken[0] if instruction.opname == "DELETE_SUBSCR" else taken[1]
    stored = [] if instruction.opname == "DELETE_SUBSCR" else [taken[0]]
    for index in taken[len(stored) + 1 :]:
        frame.judge.operand(index)
    frame.judge.store(owner, stored, "assigns an item")
    return None


@handles("UNARY_NEGATIVE", "UNARY_NOT", "UNARY_INVERT", "UNARY_POSITIVE", "GET_LEN")
def _unary(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    frame.judge.operand(state.stack[-1])
    if instruction.opname != "GET_LEN":
        pop(state, 1)
    state.stack.append(MADE)
    return None


@handles("COMPARE_OP", "IS_OP", "CONTAINS_OP", "CHECK_EXC_MATCH")
def _compare(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    left, right = pop(state, 2)
    if instruction.opname == "CHECK_EXC_MATCH":
        state.stack.append(left)
    elif instruction.opname != "IS_OP":
        frame.judge.operand(left)
        frame.judge.operand(right)
    state.stack.append(MADE)
    return None


@handles("BUILD_TUPLE", "BUILD_LIST", "BUILD_SET", "BUILD_SLICE", "BUILD_STRING", "BUILD_MAP", "BUILD_CONST_KEY_MAP")
def _build(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    count = instruction.arg or 0
    extra = {"BUILD_MAP": count, "BUILD_CONST_KEY_MAP": 1}.get(instruction.opname, 0)
    items = pop(state, count + extra)
    for item in items:
        frame.judge.operand(item)
    state.stack.append(parts(*items))
    return None


@handles("LIST_EXTEND", "LIST_APPEND", "SET_ADD", "SET_UPDATE", "DICT_UPDATE", "DICT_MERGE", "MAP_ADD")
def _extend(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    items = pop(state, 2 if instruction.opname == "MAP_ADD" else 1)
    for item in items:
        frame.judge.operand(item)
    place = -(instruction.arg or 1)
    state.stack[place] = parts(state.stack[place], *items)
    return None


@handles("LIST_TO_TUPLE")
def _in_place(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    return None


@handles("FORMAT_VALUE", "FORMAT_SIMPLE", "FORMAT_WITH_SPEC", "CONVERT_VALUE")
def _format(frame: Frame, instruction: dis.Instruction, state: State) -> Targets:
    with_spec = instruction.opname == "FORMAT_WITH_SPEC" or (instruction.arg or 0) & 4
    for value in pop(state, 2 if with_spec else 1):
        frame.judge.operand(value)
    state.stack.append(MADE)
    return None


def _load(frame: Frame, state: State, name: str) -> Value:
    if name in frame.owned or name in frame.code.co_freevars:
        return frame.load_cell(name)
    return state.local.get(name, MADE)


def _store(frame: Frame, state: State, name: str, value: Value) -> None:
    state.local[name] = value
