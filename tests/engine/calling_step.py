"""Steps for tests of worker processes, in a module that those import quickly."""

import ctypes
import faulthandler
import os
import signal

from penstock import Dataset
from penstock.block import block_from_elements
from penstock.node import Purity


class Step:
    """Calls `function` on the block."""

    purity = Purity.STATELESS
    is_vectorised = False
    lets_go_of_gil = False

    def __init__(self, function):
        self.function = function

    def signature(self):
        return "step"

    def apply(self, block, context, epochs, indices):
        return self.function(block)


def killed(block):
    os.kill(os.getpid(), signal.SIGKILL)


def crashed(block):
    faulthandler.disable()  # its report is not for the output of a test
    ctypes.string_at(0)


def left(block):
    os._exit(7)


def mapped(function, **options):
    return Dataset.range(3).map(function, **options)._node


def run(worker, function, elements, **options):
    return list(worker.call(mapped(function, **options), block_from_elements(elements), 0, 0).elements())
