"""`from_json_lines` keeps the laws; what it means in plain Python."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from penstock import UNKNOWN_CARDINALITY, Dataset, TensorSpec
from penstock.errors import DataLossError, SpecError
from penstock.files import lines
from penstock.testing import THREADS, Case, Failure, laws_for, laws_with, reader_laws
from tests.corners import outcomes, values
from tests.readers.written import PACKED, SUFFIXES, written

FIRST = '{"n": 1, "text": "ä", "inner": {"x": 0.5, "list": [1, 2]}}'
LINES = [
    FIRST,
    ' {"n": -2, "text": "", "inner": {"x": 3, "list": []}} ',
    '{"text": "other order", "inner": {"list": [7], "x": 1e3}, "n": 4}\r',
    "",
    "  ",
    '{"n": 1, "text": "cut',
    "[1, 2]",
    '{"n": "1", "text": "a", "inner": {"x": 1, "list": []}}',
    '{"n": true, "text": "a", "inner": {"x": 1, "list": []}}',
    '{"n": 5, "text": null, "inner": {"x": 1, "list": []}}',
    '{"n": 5, "inner": {"x": 1, "list": []}}',
    '{"n": 5, "text": "a", "inner": {"x": 1, "list": []}, "more": 0}',
    '{"n": 5, "text": "a", "inner": {"x": 1, "list": ["a"]}}',
]
SIGNATURE = {
    "n": TensorSpec((), "int64"),
    "text": TensorSpec((), str),
    "inner": {"x": TensorSpec((), "float64"), "list": TensorSpec((None,), "int64")},
}


def build(cls: Any, files: list[list[str]]) -> Any:
    names = [f"{written(content_of(number, part), '.jsonl')}" for number, part in enumerate(files)]
    in_order = sorted(names)
    assert len(in_order) == len(files)
    return cls.from_json_lines(names)


def content_of(number: int, part: list[str]) -> bytes:
    # The first line of every file is a good one, whichever comes first by its name.
    return "\n".join([FIRST, *part]).encode()


def element_of(line: str) -> Any:
    try:
        found = json.loads(line)
    except ValueError:
        return Failure(DataLossError)
    is_good = (
        isinstance(found, dict)
        and set(found) == {"n", "text", "inner"}
        and type(found["n"]) is int
        and type(found["text"]) is str
        and {int} >= set(map(type, found["inner"]["list"]))
    )
    if not is_good:
        return Failure(SpecError)
    inner = {"x": np.float64(found["inner"]["x"]), "list": np.array(found["inner"]["list"], np.int64)}
    return {"n": np.int64(found["n"]), "text": found["text"], "inner": inner}


def reference(elements: Any, files: list[list[str]]) -> Iterator[Any]:
    parts = sorted(files, key=lambda part: written(content_of(0, part), ".jsonl"))
    return (element_of(line) for part in parts for line in [FIRST, *part] if line.strip())


CASE = Case(
    "from_json_lines",
    build,
    reference,
    lambda sample: st.fixed_dictionaries(
        {"files": st.lists(st.lists(st.sampled_from(LINES), max_size=5), min_size=1, max_size=3)}
    ),
    cardinality=lambda size, files: UNKNOWN_CARDINALITY,
    inputs=0,
)

test_laws = laws_for(CASE)
test_laws_with_threads = laws_for(CASE, (), laws_with(THREADS), 4)


@pytest.mark.parametrize("chunk_bytes", [1, 70, 10_000])
@pytest.mark.parametrize("compression", PACKED)
def test_reader_keeps_the_laws(compression: str | None, chunk_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "_FIRST_BYTES", chunk_bytes)
    monkeypatch.setattr(lines, "_MOST_BYTES", chunk_bytes)
    path = written(PACKED[compression]("\n".join(LINES).encode()), f".jsonl{SUFFIXES[compression]}")
    reader = reader_laws.reader_of(Dataset.from_json_lines(path, output_signature=SIGNATURE))
    expected = [element_of(line) for line in LINES if line.strip()]
    expected[-2] = {**expected[1], "n": np.int64(5), "text": "a", "inner": {**expected[1]["inner"], "x": np.float64(1)}}
    reader_laws.fragments_cover_rows(reader, expected)
    reader_laws.positions_lead_back(reader)


def test_a_file_that_is_cut_off_names_path_and_line_or_byte(tmp_path: Path) -> None:
    text = f"{FIRST}\n{FIRST}\n"
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
    reader_laws.cut_off_anywhere(path, lambda name: Dataset.from_json_lines(name, output_signature=SIGNATURE))
    plain = tmp_path / "cut.jsonl"
    for size in range(1, len(text)):
        plain.write_text(text[:size])
        found = outcomes(Dataset.from_json_lines(plain, output_signature=SIGNATURE))
        if size in (len(FIRST), len(FIRST) + 1, len(text) - 1):
            assert DataLossError not in found
        else:
            assert found[-1] is DataLossError
            with pytest.raises(DataLossError, match=rf"line {len(found)} of {plain} is no JSON"):
                list(Dataset.from_json_lines(plain, output_signature=SIGNATURE))


ERRORS: dict[str, str] = {
    '{"n": 1, "text": "cut': "is no JSON: Unterminated string starting at in column 18",
    "[1, 2]": "the line is [1, 2], but an object was expected",
    '{"n": "1", "text": "a", "inner": {"x": 1, "list": []}}': "component['n'] is '1', but the spec says",
    '{"n": 1, "text": null, "inner": {"x": 1, "list": []}}': "component['text'] is null, but the spec says",
    '{"n": 1, "text": "a", "inner": {"x": 1}}': "component['inner'] has no 'list'",
    '{"n": 1, "text": "a", "inner": 3}': "component['inner'] is 3, but an object was expected",
    '{"n": 1, "text": "a", "inner": {"x": 1, "list": [], "y": 0}}': "component['inner'] has the key 'y'",
    '{"n": 1, "text": "a", "inner": {"x": 1, "list": [[1]]}}': "component['inner']['list'] is [[1]]",
    '{"n": 9223372036854775808, "text": "a", "inner": {"x": 1, "list": []}}': "is 9223372036854775808, but",
    FIRST + " 7": "is no JSON: Extra data in column",
    "[" * 100_000: "is no JSON: ",
}


@pytest.mark.parametrize("line", ERRORS, ids=range(len(ERRORS)))
def test_errors_name_path_line_and_component(line: str) -> None:
    path = written(f"{FIRST}\n\n{line}\n{FIRST}".encode())
    elements = iter(Dataset.from_json_lines(path))
    next(elements)
    with pytest.raises((DataLossError, SpecError)) as caught:
        next(elements)
    assert str(caught.value).startswith(f"from_json_lines(): line 3 of {path}")
    assert ERRORS[line] in str(caught.value)
    assert any(f"in from_json_lines(), added at {__file__}:" in note for note in caught.value.__notes__)
    assert next(elements)["n"] == 1
    assert list(elements) == []


def test_an_invalid_byte_costs_its_own_line() -> None:
    path = written(b'{"a": "x"}\n{"a": "\xff"}\n{"a": "y"}\n')
    assert outcomes(Dataset.from_json_lines(path)) == [{"a": "x"}, DataLossError, {"a": "y"}]


def spec_of(*objects: str) -> Any:
    return Dataset.from_json_lines(written("\n".join(objects).encode())).element_spec


def test_the_spec_is_that_of_the_first_lines_widened() -> None:
    assert spec_of('{"a": 1}', '{"a": 2.5}', '{"a": "x"}') == {"a": TensorSpec((), "float64")}
    assert spec_of('{"a": []}', '{"a": [1]}') == {"a": TensorSpec((None,), "int64")}
    assert spec_of('{"a": [1]}', '{"a": [1.5]}', '{"a": []}') == {"a": TensorSpec((None,), "float64")}
    assert spec_of('{"a": []}') == {"a": TensorSpec((None,), "float64")}
    assert spec_of('{"a": [["x"]]}', '{"a": [["y", "z"]]}') == {"a": TensorSpec((None, None), str)}
    assert spec_of('{"a": true, "b": {"c": "x"}}') == {"a": TensorSpec((), bool), "b": {"c": TensorSpec((), str)}}
    assert spec_of("broken", '{"a": null}', '{"a": 1}') == {"a": TensorSpec((), "int64")}


def test_lists_become_arrays_of_any_length_and_rank() -> None:
    path = written(b'{"a": [1], "b": [[1, 2]], "c": ["x"]}\n{"a": [2, 3], "b": [[3], [4]], "c": ["y", "z"]}\n')
    assert values(Dataset.from_json_lines(path)) == [
        {"a": [1], "b": [[1, 2]], "c": ["x"]},
        {"a": [2, 3], "b": [[3], [4]], "c": ["y", "z"]},
    ]


def test_columns_are_read_alone_and_others_may_come_and_go() -> None:
    path = written(b'{"a": 1, "b": null}\n{"c": [], "a": 2}\n{"b": 3}\n')
    assert outcomes(Dataset.from_json_lines(path, ["a"])) == [{"a": 1}, {"a": 2}, SpecError]
    with pytest.raises(ValueError, match=r"columns are \['d'\], but of the first 3 objects none has them all"):
        Dataset.from_json_lines(path, ["d"])


def test_a_declared_signature_converts_and_checks() -> None:
    path = written(
        b'{"a": 1, "b": [1, 2], "z": 0}\n{"a": 300, "b": [1, 2]}\n{"a": 2, "b": [1]}\n{"a": 3, "b": [1, 4]}\n'
    )
    signature = {"b": TensorSpec((2,), "float32"), "a": TensorSpec((), "uint8")}
    ds = Dataset.from_json_lines(path, output_signature=signature)
    assert outcomes(ds) == [{"b": [1, 2], "a": 1}, SpecError, SpecError, {"b": [1, 4], "a": 3}]
    assert ds.element_spec == signature
    batch = next(iter(ds.ignore_errors().batch(2)))
    assert (batch["b"].dtype, batch["b"].shape, batch["a"].dtype) == (np.float32, (2, 2), np.uint8)


def test_nothing_but_broken_lines_has_no_spec_and_an_empty_file_no_element() -> None:
    path = written(b'broken\n{"a": null}\n')
    assert outcomes(Dataset.from_json_lines(path)) == [DataLossError, SpecError]
    assert values(Dataset.from_json_lines(written(b"\n\n"))) == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"columns": "ab"}, "columns must be a list of keys"),
        ({"columns": [1]}, "columns must be a list of keys"),
        ({"columns": []}, "columns must be a list of keys"),
        ({"output_signature": TensorSpec(())}, "must be a dict with a TensorSpec for each key"),
        ({"output_signature": {"a": 3}}, "must be a dict with a TensorSpec for each key"),
        ({"output_signature": {}}, "must be a dict with a TensorSpec for each key"),
        ({"output_signature": {"a": TensorSpec((), bytes)}}, "JSON has bool, integers, floats and str"),
        ({"columns": ["a"], "output_signature": {"a": TensorSpec(())}}, "not both"),
    ],
)
def test_wrong_arguments_are_refused_when_built(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(TypeError, match=told):
        Dataset.from_json_lines(written(b'{"a": 1}'), **wrong)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("3", "the line is 3, but an object was expected"),
        ("[1]", r"the line is \[1\], but an object was expected"),
        ('{"a": 1, "b": {"c": null}}', r"since component\['b'\]\['c'\] is null; declare"),
        ('{"a": [{"b": 1}]}', r"since component\['a'\] is \[{'b': 1}\]; .* map\(\) the lines of from_text"),
        ('{"a": [[1], [2, 3]]}', r"since component\['a'\] is \[\[1\], \[2, 3\]\]"),
        ("{}", "since it has no keys"),
        ("[", "Expecting value in column 2; each line must hold a whole object, but this one only begins"),
        ("{", "in column 2; each line must hold a whole object, but this one only begins"),
    ],
)
def test_lines_of_which_no_spec_can_be_made(line: str, told: str) -> None:
    with pytest.raises((SpecError, DataLossError), match=told):
        next(iter(Dataset.from_json_lines(written(line.encode()))))


@pytest.mark.parametrize("wrong", [5, True, "a", [], [1]])
def test_columns_that_are_no_list_of_keys(wrong: Any) -> None:
    with pytest.raises(TypeError, match="columns must be a list of keys, but is"):
        Dataset.from_json_lines(written(b'{"a": 1}'), columns=wrong)
