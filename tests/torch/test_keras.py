"""The tests of what Keras is given, on torch, whose trainer reads its data in a way of its own."""

import tests.torch.backend  # noqa: F401
from tests.integrations import test_keras as on_any_backend

pytestmark = on_any_backend.pytestmark
globals().update({name: value for name, value in vars(on_any_backend).items() if name.lower().startswith("test")})
