r"""Foreign values in our Markdown: tags, image names, reasons, file names, addresses.

Whatever a registry, a file or a release says must not mention people, refer to issues, close
them, end our HTML, forge our markers or trailers, or stop a pipeline, neither when a forge draws
it nor when a squash makes a commit's message of it (`peers.md` 3.2, 10). Two means: Markdown's own
escapes against structure, and a zero-width space (U+200B) against what forges look for in the
drawn text, because an escaped `\@name` is drawn as `@name` and mentions all the same.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, urlsplit

ZERO_WIDTH = "\u200b"
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_PUNCTUATION = re.compile(r"([\\`*_\[\]#|~])")
# After each of these a zero-width space is put.
_NOTED = re.compile(
    r"@(?=[^\s\u200b])"
    r"|[#!$%&](?=\d)"
    r"|\bgh-(?=\d)"
    r"|pilotfish(?=[:-])"
    r"|<(?=!--)"
    r"|\[(?=\s*(?:skip|ci\b|no\b|actions\b|wip\b))"
    r"|\[(?=(?:issue|work\\?_item|epic|vulnerability|feature\\?_flag|wiki\\?_page|contact):)"
    r"|\bskip(?=-checks)"
    r"|\*\*\*no(?=_ci)"
    r"|:/(?=/\S{1,300}/(?:issues|pulls?|merge_requests|work_items|discussions|commits?)/\w)",
    re.IGNORECASE,
)
_TICKET = re.compile(r"\b(?!(?:CVE|GHSA|UTF|SHA|ISO|RFC)-)[A-Z][A-Z0-9_]+-(?=\d)")
_LINKED = re.compile(r":(?=//)|\bwww(?=\.)", re.IGNORECASE)
_DIGEST_SIGN = re.compile(r"@\u200b(?=sha(?:256|512):[0-9a-f])")
_BACKTICKS = re.compile(r"`+")
_AS_NAMES = str.maketrans(
    {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        "[": "&lbrack;",
        "]": "&rbrack;",
        "`": "&grave;",
        "*": "&ast;",
        "_": "&lowbar;",
        "\\": "&bsol;",
    }
)
_ISSUE = re.compile(
    r"/(?:-/)?(?:issues|pulls?|merge_requests|work_items|epics|discussions|commits?)/\w"
)
_GITHUB_ISSUE = re.compile(
    r"/(?P<repository>[\w.-]+/[\w.-]+)/(?P<kind>issues|pull|discussions|commits?)/(?P<id>\w+)"
)
_GITHUB = frozenset({"github.com", "www.github.com"})
_KEPT_IN_ADDRESS = "/:?#&=%+,;~.-_!$*'"


def one_line(value: str) -> str:
    """Return `value` without line ends, control characters and marks that turn text round."""
    return _UNSEEN.sub("", " ".join(value.split()))


def without_unseen(value: str) -> str:
    """Return `value` without control characters and marks that turn text round; lines stay."""
    return _UNSEEN.sub("", value.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    "))


def unnoticed(value: str) -> str:
    """Return `value` such that no forge, pipeline or run of ours finds a sign in it."""
    return _TICKET.sub(lambda found: found[0] + ZERO_WIDTH, unnoticed_value(value))


def unnoticed_value(value: str) -> str:
    """Return the same for a value that is copied: what looks like a ticket's key stays whole."""
    return _NOTED.sub(lambda found: found[0] + ZERO_WIDTH, value)


def silent(value: str) -> str:
    """Return `value` on one line of a text that no Markdown is read in, a commit's message."""
    return _DIGEST_SIGN.sub("@", unnoticed_value(one_line(value)))


def plain(value: str) -> str:
    """Return `value` as text on one line, in a table or outside of one."""
    escaped = _PUNCTUATION.sub(r"\\\1", one_line(value))
    safe = escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _unlinked(unnoticed(safe))


def html_text(value: str) -> str:
    """Return `value` as text on one line inside our HTML, be Markdown read there or not.

    Signs are named and not numbered, because `&#91;` holds a reference for whoever reads it raw.
    """
    return _unlinked(unnoticed(one_line(value))).translate(_AS_NAMES)


def _unlinked(value: str) -> str:
    """Return `value` such that no forge makes a link of an address in it."""
    return _LINKED.sub(lambda found: found[0] + ZERO_WIDTH, value)


def code(value: str, *, in_table: bool = False) -> str:
    """Return `value` as a code span; the `@` of a digest stays as it is, to be copied."""
    inner = silent(value)
    if not inner:
        return "(empty)"
    if in_table:
        inner = inner.replace("\\|", "|").replace("|", "\\|")
    return _span(inner)


def _span(inner: str) -> str:
    longest = max((len(run) for run in _BACKTICKS.findall(inner)), default=0)
    fence = "`" * (longest + 1 if longest else 1)
    pad = " " if inner.startswith("`") or inner.endswith("`") else ""
    return f"{fence}{pad}{inner}{pad}{fence}"


def worded(text: str, *, in_table: bool = False) -> str:
    """Return words of ours; what they have in backticks is a command, the rest may be foreign."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return plain(text)
    return "".join(
        code(one, in_table=in_table) if number % 2 else _ends_kept(one)
        for number, one in enumerate(parts)
    )


def _ends_kept(text: str) -> str:
    """Return text beside code, with the blank that parts the two."""
    start, end = text[:1].isspace(), text[-1:].isspace()
    return f"{' ' * start}{plain(text)}{' ' * end}" if text.strip() else " " * bool(text)


def link(label: str, url: str) -> str:
    """Return `label`, which is Markdown already, as a link; alone where `url` is no address."""
    target = address(url)
    return f"[{label}]({target})" if target else label


def address(url: str) -> str:
    """Return `url` as it may be linked to, empty where it may not.

    Only http and https without a login; an issue or commit on github.com goes by a host that
    notifies nobody there, and one on any other forge is not linked at all, because forges
    notify by their own addresses.
    """
    read = _read(url)
    if read is None:
        return ""
    host, path, rest = read
    if host in _GITHUB and _ISSUE.search(unquote(path)):
        host = "redirect.github.com"
    elif _ISSUE.search(unquote(path)):
        return ""
    scheme = urlsplit(url.strip()).scheme.lower()
    return f"{scheme}://{host}{_silent_path(path + rest)}"


def own_link(label: str, url: str) -> str:
    """Return `label`, which is Markdown already, as a link to an address that we made ourselves."""
    scheme, mark, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"[{label}]({scheme}{mark}{host}{_silent_path(slash + path)})"


def _silent_path(path: str) -> str:
    """Return a path whose signs are quoted: they count for whoever reads the text raw."""
    signs = unnoticed(quote(path, safe=_KEPT_IN_ADDRESS)).replace(f"%{ZERO_WIDTH}", "%")
    return re.sub(f"{ZERO_WIDTH}(.)", lambda found: f"%{ord(found[1]):02X}", signs)


def short_address(url: str) -> str:
    """Return what people call an address: `acme/web, pull 12`, else host and path."""
    read = _read(url)
    if read is None:
        return ""
    host, path, _ = read
    found = _GITHUB_ISSUE.fullmatch(path)
    if host in _GITHUB and found:
        kind = {"issues": "issue", "discussions": "discussion", "commits": "commit"}
        return f"{found['repository']}, {kind.get(found['kind'], found['kind'])} {found['id'][:12]}"
    return host + re.sub(r"/{2,}", "/", path).rstrip("/")


def _read(url: str) -> tuple[str, str, str] | None:
    """Return host with port, path, and what follows; `None` for no address of the web."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return None
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme.lower() not in {"http", "https"} or not host or "@" in parts.netloc:
        return None
    if not re.fullmatch(r"[a-z0-9.:-]+", host) or unnoticed(host) != host:
        return None
    named = f"[{host}]" if ":" in host else host
    if port is not None and port not in {80, 443}:
        named += f":{port}"
    query = f"?{parts.query}" if parts.query else ""
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    return named, parts.path, query + fragment
