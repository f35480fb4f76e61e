"""Whether this process can run Keras on torch; imported for its effect by each test module of this folder."""

import os

import pytest

pytest.importorskip("torch", reason="torch is not installed here; `make test-torch` makes an environment that has it")
if (backend := os.environ.get("KERAS_BACKEND")) != "torch":
    pytest.skip(f"KERAS_BACKEND is {backend}; `make test-torch` sets it to torch", allow_module_level=True)
