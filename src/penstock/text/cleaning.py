"""Raw text made regular: `clean`."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from typing import Any, Literal

Normalization = Literal["NFC", "NFD", "NFKC", "NFKD"]
Whitespace = Literal["collapse", "lines", "keep"]
Case = Literal["lower", "fold"]

_FORMS = ("NFC", "NFD", "NFKC", "NFKD")
# Control characters but tab and those that end lines; what has no width and means nothing: soft hyphen, zero-width
# space, word joiner, byte order mark. Joiners and marks of direction stay: some scripts and emojis need them.
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u200b\u2060\ufeff]+")
_SURROGATES = re.compile("[\ud800-\udfff]")
_LINE_ENDS = re.compile("\r\n|[\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]")
_SPACES_IN_LINE = re.compile(r"[^\S\n]+")
_SPACES_AROUND_END = re.compile(" ?\n ?")
_EMPTY_LINES = re.compile("\n{3,}")
_CASES: dict[str | None, Callable[[str], str]] = {None: str, "lower": str.lower, "fold": str.casefold}


def clean(
    text: str | bytes,
    *,
    normalize: Normalization | None = "NFC",
    remove_controls: bool = True,
    whitespace: Whitespace = "collapse",
    unescape_html: bool = False,
    case: Case | None = None,
    errors: str = "strict",
) -> str:
    """Make a text regular, so that what looks the same is the same.

    >>> text.clean("  caf\\u0065\\u0301\\x00  \\t au  lait\\r\\n")
    'café au lait'
    >>> text.clean("Fish &amp;  Chips", unescape_html=True, case="lower")
    'fish & chips'

    The steps, in this order: bytes are decoded as UTF-8; HTML entities become characters; control characters, those
    without width (soft hyphen, zero-width space, word joiner, byte order mark) are removed, and halves of surrogate
    pairs replaced by U+FFFD; Unicode is normalised; case is changed; white space is made regular. Where a step makes
    work for an earlier one (`&amp;lt;`), all are done again until nothing changes: cleaning twice is cleaning once.

    Args:
        text: One text; bytes are UTF-8.
        normalize: The Unicode normal form; None leaves characters as they are composed.
        remove_controls: Remove control characters; tabs and ends of lines are white space.
        whitespace: "collapse" makes one space of all white space between words and strips the ends; "lines" does so
            within lines, ends each with "\\n" and keeps at most one empty line; "keep" leaves it as it is.
        unescape_html: Turn `&amp;`, `&#39;` and the like into characters.
        case: "lower", or "fold" (`str.casefold`: stronger, for comparing).
        errors: What becomes of bytes that are no UTF-8: "strict", "replace" or "ignore".

    Raises:
        TypeError: `text` is neither str nor bytes.
        ValueError: Bytes are no UTF-8 and `errors` is "strict", or an argument is none of those above.

    See also: tokenize.
    """
    if not isinstance(text, str):
        text = _decoded(text, errors)
    if normalize is not None and normalize not in _FORMS:
        raise ValueError(f"text.clean(): normalize must be one of {', '.join(_FORMS)} or None, but is {normalize!r}")
    if case not in _CASES:
        raise ValueError(f'text.clean(): case must be "lower", "fold" or None, but is {case!r}')
    # What most lines need: a few calls that look at them, and none or one that makes another (bench_text.py).
    if (
        whitespace == "collapse"
        and case is None
        and text.isprintable()
        and (text.isascii() or normalize is None or unicodedata.is_normalized(normalize, text))
        and not (unescape_html and "&" in text)
    ):
        return " ".join(text.split()) if "  " in text or text[:1] == " " or text[-1:] == " " else text
    if whitespace not in ("collapse", "lines", "keep"):
        raise ValueError(f'text.clean(): whitespace must be "collapse", "lines" or "keep", but is {whitespace!r}')
    while True:
        found = _once(text, normalize, remove_controls, whitespace, unescape_html, case)
        # One pass is enough for these; else a second one says whether the first made new work.
        if found == text or (found.isascii() and not unescape_html):
            return found
        text = found


def _once(
    text: str, normalize: Normalization | None, remove_controls: bool, whitespace: str, unescape_html: bool, case: Any
) -> str:
    if unescape_html and "&" in text:
        text = html.unescape(text)
    if remove_controls and not text.isprintable():
        text = _CONTROLS.sub("", text)
        if not text.isascii():
            text = _SURROGATES.sub("\ufffd", text)
    if normalize is not None and not text.isascii():
        text = unicodedata.normalize(normalize, text)
    text = _CASES[case](text)
    if whitespace == "collapse":
        return " ".join(text.split())
    return text if whitespace == "keep" else _lines(text)


def _lines(text: str) -> str:
    text = _SPACES_IN_LINE.sub(" ", _LINE_ENDS.sub("\n", text))
    return _EMPTY_LINES.sub("\n\n", _SPACES_AROUND_END.sub("\n", text)).strip(" \n")


def _decoded(text: Any, errors: str) -> str:
    if not isinstance(text, (bytes, bytearray, memoryview)):
        raise TypeError(
            f"text.clean(): takes a text or its bytes, but was given {text!r} ({type(text).__name__}); of a structure, "
            'map its text: ds.map(lambda row: text.clean(row["text"]))'
        )
    try:
        return bytes(text).decode("utf-8", errors)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"text.clean(): byte {error.start} of {len(text)} is {error.object[error.start]:#04x}, which is no UTF-8 "
            f'({error.reason}); decode() it as what it is, or write errors="replace" or errors="ignore"'
        ) from None
