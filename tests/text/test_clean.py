from __future__ import annotations

import functools
import unicodedata
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from penstock import Dataset, text
from penstock.node import Purity
from penstock.vectorize.purity import judge

# Pieces on which the steps make work for one another.
PIECES = st.sampled_from(
    ["&", "amp;", "lt;", "#x301;", "#38;", "&#65286;", "\uff06", "e", "\u0301", "\x00", "\u200b", "\ufeff", "\xad"]
    + [" ", "\t", "\xa0", "\n", "\r", "\x0b", "\u2028", "\x85", "\u0130", "\ufb01", "\u00df", "\u1e9e", "\ud800"]
    + ["\u3000", "\u0345", "\u1fb3", "A", "\xa8"]
)
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=12).map("".join))
OPTIONS = st.fixed_dictionaries(
    {
        "normalize": st.sampled_from([None, "NFC", "NFD", "NFKC", "NFKD"]),
        "remove_controls": st.booleans(),
        "whitespace": st.sampled_from(["collapse", "lines", "keep"]),
        "unescape_html": st.booleans(),
        "case": st.sampled_from([None, "lower", "fold"]),
    }
)


@given(TEXTS, OPTIONS)
@example("&amp;amp;lt;", {"unescape_html": True})
@example("&l\x00t;", {"unescape_html": True})
@example("e\x00\u0301", {})
@example("\uff06lt;", {"unescape_html": True, "normalize": "NFKC"})
def test_cleaning_twice_is_cleaning_once(raw: str, options: dict[str, Any]) -> None:
    once = text.clean(raw, **options)
    assert text.clean(once, **options) == once
    if options.get("normalize", "NFC"):
        assert unicodedata.is_normalized(options.get("normalize", "NFC"), once)
    if options.get("whitespace", "collapse") == "collapse":
        assert once == " ".join(once.split())
    if options.get("remove_controls", True):
        assert not any(
            unicodedata.category(letter) in ("Cs",) or letter in "\x00\x1b\x7f\u200b\ufeff\xad" for letter in once
        )


@given(st.text())
def test_what_needs_no_change_is_found_out_rightly(raw: str) -> None:
    # Whatever shortcut is taken, it is all steps, one after another.
    slowly = text.clean(f"\x00{raw}")
    assert text.clean(raw) == slowly


@pytest.mark.parametrize(
    ("raw", "options", "wanted"),
    [
        ("plain text", {}, "plain text"),
        (" a \t b\r\nc ", {}, "a b c"),
        (" a \t b \r\n\r\n\n\n  c\u2028d\n", {"whitespace": "lines"}, "a b\n\nc\nd"),
        (" a \t b\x07 ", {"whitespace": "keep"}, " a \t b "),
        ("a\x07b", {"remove_controls": False}, "a\x07b"),
        ("cafe\u0301", {}, "caf\xe9"),
        ("caf\xe9", {"normalize": "NFD"}, "cafe\u0301"),
        ("cafe\u0301", {"normalize": None}, "cafe\u0301"),
        ("\ufb01x \u2460", {"normalize": "NFKC"}, "fix 1"),
        ("&amp;lt; &eacute;&#39;", {"unescape_html": True}, "< \xe9'"),
        ("&lt;", {}, "&lt;"),
        ("STRASSE \xdf", {"case": "lower"}, "strasse \xdf"),
        ("STRASSE \xdf", {"case": "fold"}, "strasse ss"),
        ("soft\xadhyphen \U0001f468\u200d\U0001f469", {}, "softhyphen \U0001f468\u200d\U0001f469"),
        ("half \ud83d", {}, "half \ufffd"),
        (b"caf\xc3\xa9 ", {}, "caf\xe9"),
        (b"a\xffb", {"errors": "replace"}, "a\ufffdb"),
        (b"a\xffb", {"errors": "ignore"}, "ab"),
        ("", {}, ""),
    ],
)
def test_steps(raw: str | bytes, options: dict[str, Any], wanted: str) -> None:
    assert text.clean(raw, **options) == wanted


def test_bytes_that_are_no_utf8_say_where() -> None:
    with pytest.raises(ValueError, match=r"byte 2 of 4 is 0xff, which is no UTF-8 .*errors=\"replace\""):
        text.clean(b"ab\xffc")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normalize": "NFX"}, "normalize must be one of NFC, NFD, NFKC, NFKD or None, but is .NFX."),
        ({"case": "upper"}, 'case must be "lower", "fold" or None, but is .upper.'),
        ({"whitespace": "none"}, 'whitespace must be "collapse", "lines" or "keep", but is .none.'),
    ],
)
def test_options_that_are_none(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        text.clean("a  b", **options)


def test_other_things_than_text() -> None:
    with pytest.raises(TypeError, match=r"takes a text or its bytes, but was given 3 \(int\)"):
        text.clean(3)


def test_map_may_reach_its_elements_by_index() -> None:
    ds = Dataset.from_list([f" line  {n}" for n in range(300)]).map(text.clean)
    assert ds[299] == "line 299"
    assert judge(text.clean).purity is Purity.PURE
    folded = ds.map(functools.partial(text.clean, case="fold"))
    assert folded[7] == "line 7"
    assert judge(lambda row: text.clean(row["text"], case="lower")).purity is Purity.PURE
