"""Whether this process can run Keras on torch; imported for its effect by each test module of this folder."""

import os

import pytest

pytest.importorskip("torch", reason="torch is not installed here; `make test-torch` makes an environment that has it")
if os.environ["KERAS_BACKEND"] != "torch":
    pytest.skip(f"Keras runs on {os.environ['KERAS_BACKEND']} in this process", allow_module_level=True)
