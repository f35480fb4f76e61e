"""Memory of images is used again, by one user at a time."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from penstock import image
from penstock.image.memory import new_floats, new_pixels


def address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


def test_what_nobody_holds_any_more_is_used_again() -> None:
    first = new_pixels((690, 500, 3))
    part = first[5:9]
    other = new_pixels((690, 500, 3))
    assert not np.shares_memory(first, other)
    place = address(first)
    del first
    third = new_pixels((690, 500, 3))
    assert not np.shares_memory(part, third)
    del part
    assert address(new_pixels((650, 500, 3))) == place


def test_many_results_wait_and_their_memory_is_used_again() -> None:
    places = [address(one) for one in [image.normalize(np.zeros((300, 300, 3), np.uint8)) for _ in range(8)]]
    again = [new_floats((300, 300, 3)) for _ in range(8)]
    assert len(set(places)) == 8
    assert {address(one) for one in again} == set(places)


def test_results_of_other_threads_do_not_change() -> None:
    found: list[Any] = []

    def work(value: int) -> None:
        for _ in range(20):
            image.normalize(np.zeros((300, 300, 3), np.uint8))
        found.append((value, image.normalize(np.full((300, 300, 3), value, np.uint8), std=1 / 255)))

    threads = [threading.Thread(target=work, args=(value,)) for value in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((pixels == value).all() for value, pixels in found)
    assert len(found) == 6
