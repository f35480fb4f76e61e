"""What JAX reads when it is first imported, in the tests' own process and in those that they start."""

import os
import tempfile

# The tests compile the same few functions many times over; this folder keeps what came of the first time.
_compiled = tempfile.TemporaryDirectory(prefix="penstock-compiled-")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", _compiled.name)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
