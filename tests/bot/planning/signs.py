"""What a forge would find in a text: drawn as Markdown, and raw as a commit's message."""

import re
from collections.abc import Iterator

from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

_FRAGMENTS = [
    "@octocat", "@", "#12", "#", "12", "GH-7", "ABC-12", "acme/web#3", "!4", "&5", "octocat",
    "fixes ", "Closes: ", "resolves ", "<!--", "-->", "<!-- pilotfish:approve -->", "pilotfish:",
    "pilotfish", ":metadata ", "- [ ] ", "- [x] ", "[ ]", "[", "]", "(", ")", "![", "](", "\\",
    "`", "``", "```", "~~~", "\n", "\n\n", " ", "    ", "\t", "\r", "> ", "* ", "1. ", "# ", "---",
    "===", "|", "</details>", "<details>", "<b>", "</b>", "<img src=x>", "<script>", "<a href='x'>",
    "<", ">", "&lt;", "&#64;", "&#35;", "&amp;", "&", ";", "&#x40;", "/merge", "/", "javascript:x",
    "data:text/html,x", "https://", "https", "://", "github.com/acme/web/pull/3", "/issues/9",
    "https://github.com/acme/web/issues/9", "www.github.com/acme/web/pull/1", "example.org",
    "https://gitlab.example.org/a/b/-/issues/3", "[a](javascript:b)", "[a](https://example.org)",
    "[![a](b)](https://example.org/x)", "[skip ci]", "[ci skip]", "skip", " ci]", "\u200b",
    "\u202e", "Pilotfish-Change: {}", "Pilotfish-Plan: x", "word", "*", "**", "_",
    "\x00", "é", "\u2028", "[issue:3]", "[work_item:", "\u061c",
]  # fmt: skip
NASTY = st.lists(st.sampled_from(_FRAGMENTS), max_size=12).map("".join) | st.text(max_size=40)
"""Texts of signs that mean something to a forge, in any order."""

_MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
_RAW = {
    "comment": re.compile(r"<!--"),
    "our marker": re.compile(r"pilotfish:", re.IGNORECASE),
    "our trailer": re.compile(r"pilotfish-[a-z]+:", re.IGNORECASE),
    "box": re.compile(r"^\s*(?:>\s*)*(?:[-+*]|\d+[.)])\s+\[[ xX]\](?:\s|$)", re.MULTILINE),
    "command": re.compile(r"^/[A-Za-z]", re.MULTILINE),
    "reference in brackets": re.compile(r"\[(?:issue|work_item):", re.IGNORECASE),
    "no pipeline": re.compile(r"\[(?:skip|ci|no)[ -]", re.IGNORECASE),
    "mention": re.compile(r"@(?!sha256:)\w"),
    "reference": re.compile(r"(?:(?<![\w&])|(?<=\w))[#!](?=\d)|\bGH-\d"),
    "issue": re.compile(r"://(?:www\.)?github\.com/[^/\s]+/[^/\s]+/(?:issues|pull|commit)/\w"),
}
_DRAWN = {
    "mention": re.compile(r"@\w"),
    "reference": re.compile(r"[#!]\d|\bGH-\d", re.IGNORECASE),
    "reference in brackets": re.compile(r"\[(?:issue|work_item):", re.IGNORECASE),
    "closing": re.compile(r"\b(?:clos|fix|resolv)\w*:?\s+(?:[\w/.-]+)?#\d", re.IGNORECASE),
    "issue": re.compile(r"https?://[^\s]*/(?:issues|pull|commit|merge_requests)/\w"),
}


def signs_in(text: str) -> list[str]:
    """Return the names of what is found: raw, drawn, or as HTML, pictures and odd links."""
    found = [f"raw {name}" for name, sign in _RAW.items() if sign.search(text)]
    drawn = seen(text)
    found += [f"drawn {name}" for name, sign in _DRAWN.items() if sign.search(drawn)]
    for token in _tokens(text):
        if token.type in {"html_block", "html_inline", "image"}:
            found.append(token.type)
        href = str(token.attrs.get("href", "https:")) if token.type == "link_open" else "https:"
        if not href.startswith(("https:", "http:")):
            found.append(f"link {href}")
    return found


def seen(text: str) -> str:
    """Return what a reader sees, code left out, pieces joined as a browser joins them."""
    return "".join(
        "\n" if token.type in {"softbreak", "hardbreak"} else token.content
        for token in _tokens(text)
        if token.type in {"text", "softbreak", "hardbreak", "text_special"}
    )


def html_in(text: str) -> list[str]:
    """Return the pieces that are drawn as HTML."""
    return [one.content for one in _tokens(text) if one.type in {"html_block", "html_inline"}]


def blocks(text: str) -> list[tuple[str, str]]:
    """Return the types of the outermost blocks with their content."""
    return [(one.type, one.content) for one in _MARKDOWN.parse(text) if one.level == 0]


def _tokens(text: str) -> Iterator[Token]:
    for token in _MARKDOWN.parse(text):
        if token.type == "inline":
            yield from token.children or []
            yield Token("softbreak", "", 0)
        else:
            yield token
