"""For all tests: Keras's backend, and how many examples hypothesis draws."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Keras reads this when it is first imported; its own default is TensorFlow.
os.environ.setdefault("KERAS_BACKEND", "jax")

# Few examples by hand. No deadline: on a busy machine it would time the neighbours, not penstock.
settings.register_profile("default", max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples in each run, so that a change is blamed only for what it changes.
settings.register_profile("ci", settings.get_profile("default"), max_examples=20, derandomize=True, print_blob=True)
settings.register_profile("long", settings.get_profile("default"), max_examples=20_000, print_blob=True)

# `--hypothesis-profile` is read after this and wins.
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))
