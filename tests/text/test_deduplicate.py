"""`text.deduplicate` keeps the laws; what it means in plain Python."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import UNKNOWN_CARDINALITY, Dataset, text
from penstock.errors import SpecError
from penstock.testing import Case, Failure, Stream, laws_for
from penstock.text.minhash import Signer, bands_for, normal_form
from tests.corners import Counting, failing_at, outcomes, values
from tests.laws.sources import SOURCES


def words_of(value: str) -> list[str]:
    return unicodedata.normalize("NFKC", value).casefold().split()


def shingles(words: list[str], width: int) -> set[tuple[str, ...]]:
    return {tuple(words[at : at + width]) for at in range(max(1, len(words) - width + 1))}


def similarity(left: list[str], right: list[str], width: int) -> float:
    one, other = shingles(left, width), shingles(right, width)
    return len(one & other) / len(one | other)


def reference(elements: Stream, threshold: float | None, shingle_words: int) -> Iterator[Any]:
    kept: list[list[str]] = []
    for element in elements:
        if isinstance(element, Failure) or not isinstance(element, str):
            yield element if isinstance(element, Failure) else Failure(SpecError)
            continue
        words = words_of(element)
        if threshold is None and words not in kept:
            kept.append(words)
            yield element
        if threshold is not None and all(similarity(words, other, shingle_words) < threshold for other in kept):
            kept.append(words)
            yield element


def build(dataset: Any, threshold: float | None, shingle_words: int) -> Any:
    return dataset.apply(text.deduplicate(threshold, shingle_words=shingle_words, num_permutations=64))


def are_texts(sample: list[Any]) -> Any:
    """The call refuses elements that are known to be no text."""
    good = [item for item in sample if not isinstance(item, Failure)]
    if not good or not all(isinstance(item, str) for item in good):
        return None
    return st.fixed_dictionaries(
        {"threshold": st.sampled_from([None, 0.7]), "shingle_words": st.sampled_from([1, 2, 5])}
    )


CASE = Case(
    "deduplicate",
    build,
    reference,
    are_texts,
    cardinality=lambda size, **_: UNKNOWN_CARDINALITY,
    may_drop=True,
)

# Any two are alike in all or in (nearly) none of their runs of words, so that an estimate cannot be wrong.
LONG = " ".join(f"word{n}" for n in range(200))
DOCUMENTS = [
    *("a b", "A  b", "b a c d e", "", "  ", "Straße", "STRASSE", "\uff41 b", "\ud800 x", "x", "\u65e5\u672c"),
    *(LONG, LONG + " end", LONG.upper(), " ".join(LONG.split()[::-1]), " ".join(f"other{n}" for n in range(90))),
]


def listed(picks: list[int]) -> list[str]:
    return [DOCUMENTS[at] for at in picks]


TEXTS = Case(
    "texts",
    lambda cls, picks, is_stream: (
        cls.from_generator(lambda: iter(listed(picks))) if is_stream else cls.from_list(listed(picks))
    ),
    lambda elements, picks, is_stream: listed(picks),
    lambda sample: st.fixed_dictionaries(
        {
            "picks": st.lists(st.sampled_from(range(len(DOCUMENTS))), min_size=1, max_size=20),
            "is_stream": st.booleans(),
        }
    ),
    cardinality=lambda size, picks, is_stream: None,
    inputs=0,
)

test_laws = laws_for(CASE, [TEXTS, TEXTS, *SOURCES[-3:-2]], max_examples=4)


def test_equal_but_for_case_space_and_compatibility_forms() -> None:
    ds = Dataset.from_list(["Stra\u00dfe  1", "STRASSE 1", "\uff33trasse\n1", "strasse 2"])
    assert values(ds.apply(text.deduplicate())) == ["Stra\u00dfe  1", "strasse 2"]


def test_a_component_of_an_element() -> None:
    rows = [{"id": 1, "text": "a"}, {"id": 2, "text": "A"}, {"id": 3, "text": "b"}]
    found = Dataset.from_list(rows).apply(text.deduplicate(key="text"))
    assert [int(row["id"]) for row in found] == [1, 3]
    pairs = Dataset.from_list([(1, "a"), (2, "A"), (3, "b")]).apply(text.deduplicate(0.5, key=1))
    assert [int(number) for number, _ in pairs] == [1, 3]


@given(st.lists(st.text(max_size=30), max_size=8), st.integers(1, 3))
def test_signatures_agree_where_shingles_do(texts: list[str], width: int) -> None:
    forms = [normal_form(one) for one in [*texts, "a b c"]]
    found = Signer(width, 16).sign(forms)
    for form, signature in zip(forms, found, strict=True):
        assert (Signer(width, 16).sign([form])[0] == signature).all()  # whatever stands beside it
    # Of texts that have the same shingles, signatures are the same; of texts that have none in common, no number is.
    for left in range(len(forms)):
        for right in range(left):
            share = similarity(forms[left].split(), forms[right].split(), width)
            agreed = (found[left] == found[right]).mean()
            assert share in (0, 1) or 0 <= agreed < 1
            assert share != 1 or agreed == 1
            assert share != 0 or agreed == 0


def test_signatures_are_those_of_every_release() -> None:
    # A state is a count: who resumes signs the texts before anew, and has to find the same ones alike.
    found = Signer(2, 4).sign(["a b c", "", "stra\u00dfe \u65e5"])
    assert found.tolist() == [
        [682659702, 3296888696, 2487453398, 1521718184],
        [1613615975, 2563408855, 1265644967, 3691653394],
        [2552535225, 3660162165, 3828823313, 200411316],
    ]


@pytest.mark.parametrize("changed", [2, 10, 40])
def test_signatures_estimate_similarity(changed: int) -> None:
    rng = np.random.default_rng(changed)
    left = [f"w{n}" for n in rng.integers(0, 10_000, 400)]
    right = left.copy()
    for at in rng.choice(400, changed, replace=False):
        right[at] = "new"
    one, other = Signer(5, 1024).sign([" ".join(left), " ".join(right)])
    # Six standard errors of 1,024 numbers.
    assert abs((one == other).mean() - similarity(left, right, 5)) < 0.1


def test_near_texts_are_found_among_many() -> None:
    rng = np.random.default_rng(0)
    originals = [" ".join(f"w{n}" for n in rng.integers(0, 3000, 150)) for _ in range(150)]
    copies = [words.replace(" ", "  ", 3) + " and a new end" for words in originals]
    found = list(Dataset.from_list(originals + copies).apply(text.deduplicate(0.8)))
    assert found == originals


def test_bands_find_pairs_at_the_threshold() -> None:
    for threshold in (0.5, 0.7, 0.9):
        bands, rows = bands_for(threshold, 128)
        assert bands * rows <= 128
        assert 1 - (1 - threshold**rows) ** bands >= 0.95


def test_elements_that_are_no_text_and_errors() -> None:
    mixed: list[Any] = ["a", 1, "b", "a", np.zeros(2)]
    ds = Dataset.range(5).map(lambda n: mixed[n], vectorize=False, purity="stateful")
    assert outcomes(ds.apply(text.deduplicate())) == ["a", SpecError, "b", SpecError]
    with pytest.raises(SpecError, match=r"text\.deduplicate\(\): the component is TensorSpec\(\(\), int64\), no text"):
        Dataset.range(3).apply(text.deduplicate())
    with pytest.raises(SpecError, match="elements have no component 'body', but of the structure"):
        Dataset.from_list([{"text": "a"}]).apply(text.deduplicate(key="body"))
    failing = Dataset.range(3).map(failing_at(1)).map(lambda n: str(n)).apply(text.deduplicate(0.9))
    assert outcomes(failing) == ["0", KeyError, "20"]


def test_no_more_is_read_than_it_takes() -> None:
    seen = Counting()
    with iter(Dataset.from_list(["a", "A", "b", "c"]).map(seen).apply(text.deduplicate(0.8))) as elements:
        assert [next(elements), next(elements)] == ["a", "b"]
    assert seen.seen == ["a", "A", "b"]


def test_wrong_calls() -> None:
    with pytest.raises(ValueError, match=r"threshold must be above 0 and up to 1, but is 1\.5"):
        text.deduplicate(1.5)
    with pytest.raises(TypeError, match="threshold must be a number or None"):
        text.deduplicate("0.8")
    with pytest.raises(TypeError, match="key must be the key of a dict or the place in a tuple"):
        text.deduplicate(key=1.0)
    with pytest.raises(ValueError, match="shingle_words must be at least 1"):
        text.deduplicate(0.8, shingle_words=0)
