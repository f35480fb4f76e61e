"""Values that are components as JSON, to the bit: for states that hold some."""

from __future__ import annotations

import base64
import math
from importlib import import_module
from typing import Any

import numpy as np
from numpy.lib.format import descr_to_dtype

from penstock.building import component

_FROM_ELSEWHERE = 2
"""What NumPy's `isbuiltin` is of dtypes that a library has added."""
_ML_DTYPES = "ml_dtypes"

Json = Any
"""What `json.dumps` takes, without NaN."""


def is_storable(value: Any) -> bool:
    """Whether `to_json` takes a component: numbers, text, bytes, and arrays of one of them."""
    if isinstance(value, (str, bytes)):
        return True
    if not isinstance(value, (np.ndarray, np.generic)):
        return False
    if value.dtype.kind == "O":
        return set(map(type, value.flat)) in ({str}, {bytes})
    return is_storable_dtype(value.dtype)


def is_storable_dtype(dtype: np.dtype[Any]) -> bool:
    """Whether `dtype_to_json` takes a dtype: NumPy's own but for objects, and those of `ml_dtypes`."""
    return not dtype.hasobject and (dtype.isbuiltin != _FROM_ELSEWHERE or dtype.type.__module__ == _ML_DTYPES)


def to_json(value: Any) -> Json:
    """A component as JSON: numbers and text readable, arrays as base64, which is a third longer than the array.

    >>> to_json(np.int64(7)), to_json("text"), to_json(np.zeros(2, np.int16))
    ({'int64': 7}, 'text', {'array': '<i2', 'shape': [2], 'base64': 'AAAAAA=='})
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):
        return {"bytes": _base64(value)}
    if value.dtype.kind == "O":
        return {"texts": [to_json(item) for item in value.flat], "shape": list(value.shape)}
    # A 0-d array that is no scalar is not kept apart from one: elements know scalars only.
    if value.ndim == 0 and value.dtype.kind in "biuf" and value.dtype.itemsize <= 8:
        plain = value.item()
        if math.isfinite(plain):
            return {value.dtype.name: plain}
    return {"array": dtype_to_json(value.dtype), "shape": list(value.shape), "base64": _base64(value.tobytes())}


def from_json(form: Json) -> Any:
    """The component that `to_json` made `form` of, in memory of its own.

    >>> from_json({"int64": 7})
    np.int64(7)
    """
    if isinstance(form, str):
        return form
    if "bytes" in form:
        return base64.b64decode(form["bytes"])
    if "texts" in form:
        array = np.empty(len(form["texts"]), object)
        array[:] = [from_json(item) for item in form["texts"]]
        return array.reshape(form["shape"])
    if "array" in form:
        read: Any = np.frombuffer(base64.b64decode(form["base64"]), dtype_from_json(form["array"])).reshape(
            form["shape"]
        )
        return component(read.copy())
    ((name, plain),) = form.items()
    return np.dtype(name).type(plain)


def dtype_to_json(dtype: np.dtype[Any]) -> Json:
    """A dtype that `is_storable_dtype` as JSON."""
    if dtype.isbuiltin == _FROM_ELSEWHERE:
        # Its `str` is that of raw memory.
        return {_ML_DTYPES: dtype.name}
    return dtype.str if dtype.names is None else dtype.descr


def dtype_from_json(form: Json) -> np.dtype[Any]:
    """The dtype that `dtype_to_json` made `form` of."""
    if isinstance(form, dict):
        scalar: type[np.generic] = getattr(import_module(_ML_DTYPES), form[_ML_DTYPES])
        return np.dtype(scalar)
    found: np.dtype[Any] = descr_to_dtype(_description(form))
    return found


def _description(form: Json) -> Any:
    """What NumPy calls a `descr`: fields and shapes were tuples before they were written as JSON."""
    if isinstance(form, str):
        return form
    return [(_name(name), _description(kind), *map(tuple, shape)) for name, kind, *shape in form]


def _name(form: Json) -> Any:
    """The name of a field; a title and a name where it has both."""
    return form if isinstance(form, str) else tuple(form)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
