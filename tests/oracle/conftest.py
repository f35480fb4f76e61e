"""For the comparison with TensorFlow: its chatter is switched off before it is imported."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("AUTOGRAPH_VERBOSITY", "0")
