"""What tests of worker processes need of the platform."""

import sys

import pytest

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and descriptors of POSIX")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc, or waits for processes of others")
