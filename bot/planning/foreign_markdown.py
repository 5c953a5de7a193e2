"""Release notes made harmless: Markdown that strangers wrote, shown inside ours.

Emphasis, lists, headings, tables, code and links to the web stay. HTML, boxes, pictures and links
to anything else go; mentions, references and commands stay readable and do nothing. Code loses
no sign but gains zero-width spaces where a sign in it would be found, because a squash makes a
commit's message of all this, where code is text. The result is read from the start again by a
forge, so each piece is written anew in one form that every parser reads alike.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from bot.planning.markdown import (
    ZERO_WIDTH,
    address,
    code,
    link,
    plain,
    short_address,
    unnoticed,
    without_unseen,
)

_MAX_LOOK = 600  # characters that a link or code span may be long; bounds the work
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_FENCE = re.compile(r"^(?P<indent>\s*)(?P<sign>`{3,}(?=[^`]*$)|~{3,})\s*(?P<word>[\w+.-]*)")
_LANGUAGE = re.compile(
    r"(?:bash|c|console|cpp|css|diff|dockerfile|go|hcl|html|ini|java|javascript|js|json|kotlin|"
    r"python|ruby|rust|sh|shell|sql|swift|text|toml|ts|typescript|xml|ya?ml)"
)
_HEADING = re.compile(r"^ {0,3}(?P<signs>#{1,6})(?:\s+(?P<text>.*?))?(?:\s+#+)?\s*$")
_UNDERLINE = re.compile(r"^ {0,3}(?:=+|-+)\s*$")
_COMMAND = re.compile(r"^(?P<before>(?:\s|>|[-*+]\s|\d+[.)]\s)*)/(?=[A-Za-z])")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_TAG = re.compile(
    r"</?(?:a|abbr|b|blockquote|br|center|code|dd|del|details|div|dl|dt|em|font|g-emoji|h[1-6]|hr|"
    r"i|img|ins|kbd|li|ol|p|picture|pre|s|samp|small|source|span|strike|strong|sub|summary|sup|"
    r"table|tbody|td|th|thead|tr|tt|u|ul|video)(?:\s[^<>]{0,500})?/?>",
    re.IGNORECASE,
)
_URL = re.compile(r"(?:https?://|www\.)[^\s<>\[\]`\"'|\\]{1,600}", re.IGNORECASE)
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_SIGNS = frozenset("@#!$%&")
_RUN = re.compile(r"`+")
_PLAIN_TEXT = re.compile(r"(?:(?!https?://|www\.)[^\\`!\[<&])+", re.IGNORECASE)
_TARGET = re.compile(
    r"\(\s*(?:<(?P<angle>[^<>\n]*)>|(?P<bare>[^\s<>()]*(?:\([^\s<>()]*\)[^\s<>()]*)*))"
    r"(?:\s+(?:\"[^\"]*\"|'[^']*'))?\s*\)"
)


def harmless(text: str) -> str:
    """Return foreign Markdown so that nothing in it acts; no fence is left open."""
    lines = _COMMENT.sub("", without_unseen(text)).split("\n")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(_blocks(lines))).strip("\n")


def cut(text: str, max_chars: int) -> tuple[str, bool]:
    """Return as many whole lines of `text` as fit, and whether any were left out."""
    if len(text) <= max_chars:
        return text, False
    kept = text[:max_chars].rpartition("\n")[0]
    return kept or text[:max_chars], True


def _blocks(lines: list[str]) -> list[str]:
    made: list[str] = []
    place = 0
    while place < len(lines):
        opened = _FENCE.match(lines[place])
        if opened is None:
            _add_line(made, lines[place])
            place += 1
            continue
        inside: list[str] = []
        place += 1
        while place < len(lines) and not _closes(lines[place], opened["sign"]):
            inside.append(_without_indent(lines[place], len(opened["indent"])))
            place += 1
        place += 1
        made += _fenced(inside, opened["word"])
    return made


def _closes(line: str, sign: str) -> bool:
    bare = line.strip()
    return len(bare) >= len(sign) and not bare.strip(sign[0])


def _without_indent(line: str, width: int) -> str:
    return line[min(width, len(line) - len(line.lstrip(" "))) :]


def _fenced(inside: list[str], word: str) -> list[str]:
    shown = [
        re.sub(r"^(\s*)/(?=[A-Za-z])", rf"\1{ZERO_WIDTH}/", unnoticed(line)) for line in inside
    ]
    longest = max((len(run) for line in shown for run in _RUN.findall(line)), default=0)
    fence = "`" * max(3, longest + 1)
    language = word.lower() if _LANGUAGE.fullmatch(word.lower()) else ""
    return ["", f"{fence}{language}", *shown, fence, ""]


def _add_line(made: list[str], line: str) -> None:
    heading = _HEADING.match(line)
    if heading:
        signs = "####" if len(heading["signs"]) <= len("###") else "#####"
        made += ["", f"{signs} {_inline(heading['text'] or '')}", ""]
    elif _UNDERLINE.match(line):
        made += ["", "---", ""] if "-" * 3 in line else [""]
    else:
        made.append(_COMMAND.sub(r"\g<before>\\/", _inline(line).rstrip()))


def _inline(text: str, *, in_link: bool = False) -> str:
    """Return one line written anew, piece by piece."""
    return unnoticed_outside(_Line(text=text, in_link=in_link).pieces())


def unnoticed_outside(pieces: list[tuple[str, bool]]) -> str:
    """Join pieces; those marked true are finished, the others may still hold signs."""
    joined: list[str] = []
    open_text = ""
    for piece, finished in pieces:
        if finished:
            joined += [unnoticed(open_text), ZERO_WIDTH * (open_text[-1:] in _SIGNS), piece]
            open_text = ""
        else:
            open_text += piece
    return "".join([*joined, unnoticed(open_text)])


@dataclass(slots=True, kw_only=True)
class _Line:
    """One line being read: where we are, and what it becomes."""

    text: str
    in_link: bool
    place: int = 0

    def pieces(self) -> list[tuple[str, bool]]:
        """Return the pieces; true for those in which every sign is silenced already."""
        made: list[tuple[str, bool]] = []
        while self.place < len(self.text):
            made.append(self._next())
        return made

    def _next(self) -> tuple[str, bool]:
        found = _PLAIN_TEXT.match(self.text, self.place)
        if found:
            return self._take(found), False
        match self.text[self.place]:
            case "\\":
                return self._escape()
            case "`":
                return self._code()
            case "!" | "[":
                return self._link()
            case "<":
                return self._tag()
            case "&":
                return self._entity()
            case _:
                return self._url()

    def _take(self, found: re.Match[str]) -> str:
        self.place = found.end()
        return found[0]

    def _one(self, shown: str) -> tuple[str, bool]:
        self.place += 1
        return shown, False

    def _escape(self) -> tuple[str, bool]:
        found = _ESCAPE.match(self.text, self.place)
        if found is None:
            return self._one("\\\\")
        self._take(found)
        return _literal(found[1]), False

    def _code(self) -> tuple[str, bool]:
        opened = _RUN.match(self.text, self.place)
        if opened is None:  # pragma: no cover  # the caller saw a backtick
            return self._one("\\`")
        for closed in _RUN.finditer(self.text, opened.end(), opened.end() + _MAX_LOOK):
            if len(closed[0]) == len(opened[0]):
                inner = self.text[opened.end() : closed.start()]
                self.place = closed.end()
                return code(inner), True
        self._take(opened)
        return "\\`" * len(opened[0]), False

    def _link(self) -> tuple[str, bool]:
        is_picture = self.text[self.place] == "!"
        start = self.place + is_picture
        end = _closing(self.text, start)
        target = _TARGET.match(self.text, end + 1) if end else None
        if target is None:
            return self._one("!" if is_picture else "\\[")
        inner = self.text[start + 1 : end]
        self.place = target.end()
        label = plain(inner) if is_picture or self.in_link else _inline(inner, in_link=True)
        label = label.strip() or ("picture" if is_picture else "link")
        url = target["angle"] if target["angle"] is not None else target["bare"]
        shown = label if self.in_link else _linked(label, url)
        return shown, shown != label  # a bare label joins what stands around it

    def _tag(self) -> tuple[str, bool]:
        found = _TAG.match(self.text, self.place)
        if found:
            self._take(found)
            return (" " if found[0][1:3].lower() in {"br", "li"} else ZERO_WIDTH), False
        return self._one("&lt;")

    def _entity(self) -> tuple[str, bool]:
        found = _ENTITY.match(self.text, self.place)
        if found is None:
            return self._one("&amp;")
        self._take(found)
        return "".join(_literal(sign) for sign in html.unescape(found[0])), False

    def _url(self) -> tuple[str, bool]:
        found = _URL.match(self.text, self.place)
        if found is None:  # "https://" with nothing behind it
            return self._one(self.text[self.place] + ZERO_WIDTH)
        url = found[0].rstrip(".,;:!?*_~)")
        if url.count("(") > url.count(")") and found[0][len(url) :].startswith(")"):
            url += ")"
        self.place += len(url)
        whole = f"http://{url}" if url[:4].lower() == "www." else url
        shown = plain(short_address(whole) or url)
        made = shown if self.in_link else _linked(shown, whole, bare=True)
        return made, made != shown


def _literal(sign: str) -> str:
    """Return a sign that is to be seen as it is and to start or join nothing."""
    if not sign.isprintable():
        return " "
    return plain(sign) + ZERO_WIDTH if sign.isascii() else sign


def _linked(label: str, url: str, *, bare: bool = False) -> str:
    """Return the link; where the address may not be linked to it is shown as code."""
    if address(url):
        return link(label + ZERO_WIDTH * (label[-1:] in _SIGNS), url)
    shown = short_address(url)
    if not shown:
        return label
    return code(shown) if bare else f"{label} ({code(shown)})"


def _closing(text: str, start: int) -> int:
    """Return where the bracket that opens at `start` is closed, 0 where it is not."""
    if text[start : start + 1] != "[":
        return 0
    depth = 0
    place = start
    end = min(len(text), start + _MAX_LOOK)
    while place < end:
        match text[place]:
            case "\\":
                place += 1
            case "[":
                depth += 1
            case "]":
                depth -= 1
                if not depth:
                    return place
            case _:
                pass
        place += 1
    return 0
