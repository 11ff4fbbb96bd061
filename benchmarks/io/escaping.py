"""Escaping of untrusted strings (file names, reasons, class names) for each output format."""

from __future__ import annotations

import re
import unicodedata

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]#|~!$])")
_LATEX_UNIT = re.compile(r"(?P<hyphen>-(?=-))|.", re.DOTALL)  # "--" would become a dash
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "`": r"\textasciigrave{}", "–": "--", "—": "---", "±": r"$\pm$", "×": r"$\times$",
    "≥": r"$\geq$", "≤": r"$\leq$", "−": r"$-$", "→": r"$\rightarrow$", "·": r"$\cdot$",
    "’": "'", "“": "``", "”": "''", "…": r"\ldots{}",
}  # fmt: skip


class Raw(str):
    """Text that is already safe in its output format."""

    __slots__ = ()


def printable(text: object) -> str:
    r"""Replace control and bidirectional characters by visible escapes.

    A file name may hold a line break, a NUL, half a surrogate pair or a mark that reverses the
    reading direction; none of them may affect the page.

    Parameters
    ----------
    text : object

    Returns
    -------
    str

    Examples
    --------
    >>> printable("a\nb\u202ec")
    'a\\x0ab\\u202ec'
    """
    return "".join(_visible(c) if unicodedata.category(c) in _HIDDEN else c for c in str(text))


def markdown(text: object) -> Raw:
    r"""Escape a string for GitHub's Markdown, tables included.

    Parameters
    ----------
    text : object

    Returns
    -------
    Raw

    Examples
    --------
    >>> markdown("<b>a|b</b> `x`")
    '&lt;b&gt;a\\|b&lt;/b&gt; \\`x\\`'
    """
    if isinstance(text, Raw):
        return text
    safe = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    safe = _MARKDOWN.sub(r"\\\1", safe).replace("://", r"\://").replace("www.", r"www\.")
    # At the start of a line these would open a list, a heading or an underline.
    safe = re.sub(r"^(\s*)([-+=])", r"\1\\\2", safe)
    return Raw(re.sub(r"^(\s*\d+)([.)]\s)", r"\1\\\2", safe))


def latex(text: object) -> Raw:
    r"""Escape a string for LaTeX; letters that pdfLaTeX's fonts lack are shown by code point.

    Parameters
    ----------
    text : object

    Returns
    -------
    Raw

    Examples
    --------
    >>> latex("a_b%&.jpg")
    'a\\_b\\%\\&.jpg'
    """
    if isinstance(text, Raw):
        return text
    return Raw(_LATEX_UNIT.sub(_to_latex, printable(text)))


def _to_latex(match: re.Match[str]) -> str:
    character = match[0]
    if match["hyphen"]:
        return "-{}"
    return _LATEX.get(
        character, character if ord(character) < 0x180 else f"[U+{ord(character):04X}]"
    )


def _visible(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
