"""Dataset's methods as Python sees them: what they are called in errors, by `inspect`, and in pickles."""

from __future__ import annotations

import inspect
import pickle
import pydoc
from types import FunctionType
from typing import Any

import pytest

from penstock import Dataset

FUNCTIONS = {
    name: function
    for name, member in vars(Dataset).items()
    if isinstance(function := getattr(member, "__func__", member), FunctionType)
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_method_is_called_what_users_write(name: str) -> None:
    function = FUNCTIONS[name]
    assert (function.__name__, function.__qualname__) == (name, f"Dataset.{name}")
    assert inspect.getsource(function).startswith(("def ", "    def "))


@pytest.mark.parametrize("name", ["map", "filter", "range", "zip", "enumerate", "random", "batch", "options"])
def test_wrong_arguments_are_told_of_under_that_name(name: str) -> None:
    with pytest.raises(TypeError, match=rf"^Dataset\.{name}\(\) got an unexpected keyword argument 'wrong'"):
        getattr(Dataset.range(3), name)(wrong=1)
    assert f"{name}(" in pydoc.plain(pydoc.render_doc(getattr(Dataset, name)))


def test_methods_of_the_class_and_of_a_dataset_can_be_pickled() -> None:
    methods = [getattr(Dataset, name) for name in FUNCTIONS]
    assert [pickle.loads(pickle.dumps(method)) for method in methods] == methods
    made: Any = pickle.loads(pickle.dumps(Dataset.range))(4)
    mapped: Any = pickle.loads(pickle.dumps(made.map))(abs)
    assert [int(n) for n in mapped] == [0, 1, 2, 3]
