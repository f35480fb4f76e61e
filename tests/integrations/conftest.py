"""Keras reads its backend when it is first imported: JAX, unless the one who runs the tests says otherwise."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")
