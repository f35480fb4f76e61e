"""Calls that a type checker must refuse: mypy reports an `ignore` that hides no error. Never run."""

from __future__ import annotations

from typing import Any

from penstock import Dataset


def wrong_arguments(texts: Dataset[str]) -> None:
    texts.batch("32")  # type: ignore[arg-type]
    texts.batch()  # type: ignore[call-arg]
    texts.take(1.5)  # type: ignore[arg-type]
    texts.shard(2)  # type: ignore[call-arg]
    texts.shuffle(10, seeds=1)  # type: ignore[call-arg]
    texts.map(3)  # type: ignore[arg-type]
    texts.map(str.upper, 4, True, "thread")  # type: ignore[call-arg]
    texts.map(str.upper, on_error="ignore")  # type: ignore[arg-type]
    texts.concatenate(["more"])  # type: ignore[arg-type]
    texts.apply(len)  # type: ignore[arg-type]
    texts.padded_bach(3)  # type: ignore[attr-defined]


def wrong_elements(texts: Dataset[str]) -> tuple[object, ...]:
    numbers: Dataset[int] = texts  # type: ignore[assignment]
    lengths: Dataset[str] = texts.map(len)  # type: ignore[arg-type]
    first: int = next(iter(texts))  # type: ignore[assignment]
    texts.reduce(0, lambda total, text: total + text)  # type: ignore[operator]
    return numbers, lengths, first


def elements_cannot_be_assigned(texts: Dataset[str]) -> Any:
    texts[0] = "other"  # type: ignore[index]
    return texts
