"""A bare Git repository that stands for the remote, and what people do to it.

The verbs work on the folder itself with git's own plumbing, whatever the transport through which
the product reaches it.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_DATE = "2026-01-02T03:04:05Z"
PERSON = ("Some Person", "some@example.test")
_FIELDS = ("%H", "%P", "%an", "%ae", "%s", "%b", "%B", "%(trailers:only,unfold)")
_GIT_ENVIRONMENT = {
    "PATH": os.environ.get("PATH") or "/usr/bin:/bin",
    "HOME": os.devnull,
    "LC_ALL": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
}

_SETTINGS = """\
[http]
	receivepack = true
[uploadpack]
	allowFilter = {allow_filter}
	allowAnySHA1InWant = true
[gc]
	auto = 0
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit as the remote tells it; `trailers` keeps the last of equal names."""

    id: str
    parents: tuple[str, ...]
    author_name: str
    author_mail: str
    subject: str
    body: str
    message: str
    trailers: Mapping[str, str]


class Remote:
    """One bare repository and its addresses; an address is None where no server offers it."""

    def __init__(
        self,
        folder: Path,
        *,
        url_http: str | None = None,
        url_ssh: str | None = None,
        allow_filter: bool = True,
        branch: str = "main",
    ) -> None:
        self.folder = folder
        self.name = folder.name.removesuffix(".git")
        self._url_http = url_http
        self._url_ssh = url_ssh
        _git(None, "init", "--quiet", "--bare", f"--initial-branch={branch}", str(folder))
        with (folder / "config").open("a", encoding="utf-8") as settings:
            settings.write(_SETTINGS.format(allow_filter=str(allow_filter).lower()))

    @property
    def url_http(self) -> str:
        assert self._url_http is not None, "this host does not speak HTTP"
        return self._url_http

    @property
    def url_ssh(self) -> str:
        assert self._url_ssh is not None, "this host does not speak SSH"
        return self._url_ssh

    @property
    def url_file(self) -> str:
        return f"file://{self.folder}"

    def git(self, *arguments: str) -> str:
        """Run git in the bare repository and return what it prints."""
        return _git(self.folder, *arguments).decode()

    def configure(self, key: str, value: str) -> None:
        self.git("config", key, value)

    def read(self, path: str, branch: str = "main") -> bytes:
        return _git(self.folder, "cat-file", "blob", f"{branch}:{path}")

    def files(self, branch: str = "main") -> dict[str, bytes]:
        """Return every file of `branch` by its path."""
        listing = self.git("ls-tree", "-r", "-z", branch)  # with --format, paths are quoted
        entries = [line.split(" ", 2)[2].split("\t", 1) for line in listing.split("\0") if line]
        wanted = "".join(f"{blob}\n" for blob, _ in entries).encode()
        rest = _git(self.folder, "cat-file", "--batch", feed=wanted)
        found = {}
        for _, path in entries:
            head, _, rest = rest.partition(b"\n")
            size = int(head.split(b" ")[2])
            found[path], rest = rest[:size], rest[size + 1 :]
        return found

    def head(self, branch: str = "main") -> str:
        """Return the commit that `branch` (or any revision) names."""
        return self.git("rev-parse", "--verify", f"{branch}^{{commit}}").strip()

    def branches(self) -> dict[str, str]:
        """Return the commit of each branch."""
        lines = self.git("for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads")
        return dict(line.rsplit(" ", 1) for line in lines.splitlines())

    def log(self, branch: str = "main") -> list[Commit]:
        """Return the commits of `branch`, newest first."""
        text = self.git("log", "-z", f"--format={'%x01'.join(_FIELDS)}", branch)
        return [_parse_commit(entry) for entry in text.split("\0") if entry]

    def diff(self, old: str, new: str) -> str:
        return self.git("diff", "--no-color", old, new)

    def commit(
        self,
        files: Mapping[str, str | bytes | None],
        message: str = "Change something",
        *,
        author: tuple[str, str] = PERSON,
        branch: str = "main",
        date: str = _DATE,
        executable: Iterable[str] = (),
        start: str | None = None,
    ) -> str:
        """Commit `files` as a person would and return the commit; None removes a file.

        A branch that is missing begins at `start`, or with nothing.
        """
        parent = self.branches().get(branch) or (self.head(start) if start else None)
        tree = self.write_tree(files, parent=parent, executable=executable)
        parents = [parent] if parent else []
        return self._record(branch, tree, parents, message, author=author, date=date)

    def write_tree(
        self,
        files: Mapping[str, str | bytes | None],
        *,
        parent: str | None = None,
        executable: Iterable[str] = (),
    ) -> str:
        """Write what `parent` holds with `files` changed and return the tree; no ref moves."""
        with tempfile.TemporaryDirectory() as scratch:
            index = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
            if parent:
                _git(self.folder, "read-tree", parent, more=index)
            lines = self._index_lines(files, set(executable), Path(scratch))
            _git(self.folder, "update-index", "-z", "--index-info", more=index, feed=lines)
            return _git(self.folder, "write-tree", more=index).decode().strip()

    def write_commit(
        self,
        tree: str,
        parents: Iterable[str],
        message: str,
        *,
        author: tuple[str, str] = PERSON,
        committer: tuple[str, str] | None = None,
        date: str = _DATE,
    ) -> str:
        """Write a commit and return it; no ref moves."""
        who: dict[str, str] = {}
        for role, (name, mail) in (("AUTHOR", author), ("COMMITTER", committer or author)):
            fields = (("NAME", name), ("EMAIL", mail), ("DATE", date))
            who |= {f"GIT_{role}_{field}": value for field, value in fields}
        flags = [part for parent in parents for part in ("-p", parent)]
        arguments = ["commit-tree", tree, *flags]
        return _git(self.folder, *arguments, more=who, feed=message.encode()).decode().strip()

    def merge(self, branch: str, into: str = "main", message: str | None = None) -> str:
        """Merge with a merge commit, as a forge's button does."""
        said = message or f"Merge branch '{branch}' into {into}"
        parents = [self.head(into), self.head(branch)]
        return self._record(into, self.merged_tree(into, branch), parents, said)

    def squash_merge(self, branch: str, into: str = "main", message: str | None = None) -> str:
        """Merge as one new commit, which by default says what the branch's newest commit says."""
        said = message or self.log(branch)[0].message
        return self._record(into, self.merged_tree(into, branch), [self.head(into)], said)

    def fast_forward(self, branch: str, into: str = "main") -> str:
        self.git("merge-base", "--is-ancestor", into, branch)
        self.git("update-ref", f"refs/heads/{into}", self.head(branch))
        return self.head(into)

    def revert(self, commit: str, branch: str = "main", *, mainline: int = 1) -> str:
        """Undo `commit` on `branch` with the message that git would write."""
        parent = f"{commit}^{mainline}"
        tree = self.merged_tree(branch, parent, base=commit)
        subject = self.git("log", "-1", "--format=%s", commit).strip()
        full = self.head(commit)
        said = f'Revert "{subject}"\n\nThis reverts commit {full}.\n'
        return self._record(branch, tree, [self.head(branch)], said)

    def delete_branch(self, branch: str) -> None:
        self.git("update-ref", "-d", f"refs/heads/{branch}")

    def hook(self, name: str, script: str) -> None:
        """Install a hook, a POSIX shell script with or without its first line."""
        path = self.folder / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        text = script if script.startswith("#!") else f"#!/bin/sh\n{script}\n"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def unhook(self, name: str) -> None:
        (self.folder / "hooks" / name).unlink()

    def _index_lines(
        self, files: Mapping[str, str | bytes | None], executable: set[str], scratch: Path
    ) -> bytes:
        kept = {path: content for path, content in files.items() if content is not None}
        for number, content in enumerate(kept.values()):
            body = content.encode() if isinstance(content, str) else content
            (scratch / str(number)).write_bytes(body)
        names = "".join(f"{scratch / str(number)}\n" for number in range(len(kept))).encode()
        arguments = ["hash-object", "-w", "--no-filters", "--stdin-paths"]
        stored = _git(self.folder, *arguments, feed=names).decode().split()
        lines = [f"0 {'0' * 40}\t{path}\0" for path, content in files.items() if content is None]
        for path, blob in zip(kept, stored, strict=True):
            lines.append(f"{'100755' if path in executable else '100644'} {blob}\t{path}\0")
        return "".join(lines).encode()

    def merged_tree(self, ours: str, theirs: str, *, base: str | None = None) -> str:
        """Merge two commits and return the tree; no ref moves.

        Raises:
            RuntimeError: They conflict.
        """
        common = base or self.git("merge-base", ours, theirs).strip()
        with tempfile.TemporaryDirectory() as scratch:
            place = {"GIT_INDEX_FILE": str(Path(scratch) / "index"), "GIT_WORK_TREE": scratch}
            three = ["read-tree", "-i", "-m", "--aggressive", common, ours, theirs]
            _git(self.folder, *three, more=place, at=Path(scratch))
            one_file = ["merge-index", "-o", "git-merge-one-file", "-a"]
            _git(self.folder, *one_file, more=place, at=Path(scratch))
            return _git(self.folder, "write-tree", more=place).decode().strip()

    def _record(
        self,
        branch: str,
        tree: str,
        parents: list[str],
        message: str,
        *,
        author: tuple[str, str] = PERSON,
        date: str = _DATE,
    ) -> str:
        made = self.write_commit(tree, parents, message, author=author, date=date)
        self.git("update-ref", f"refs/heads/{branch}", made)
        return made


def _parse_commit(entry: str) -> Commit:
    commit, parents, name, mail, subject, body, message, trailers = entry.split("\x01")
    return Commit(
        id=commit.strip(),
        parents=tuple(parents.split()),
        author_name=name,
        author_mail=mail,
        subject=subject,
        body=body,
        message=message,
        trailers=dict(line.split(": ", 1) for line in trailers.splitlines() if ": " in line),
    )


def _git(
    folder: Path | None,
    *arguments: str,
    more: Mapping[str, str] | None = None,
    feed: bytes = b"",
    at: Path | None = None,
) -> bytes:
    where = ["--git-dir", str(folder)] if folder else []
    done = subprocess.run(
        ["git", *where, *arguments],
        cwd=at,
        env={**_GIT_ENVIRONMENT, **(more or {})},
        input=feed,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace")
        raise RuntimeError(f"git {' '.join(arguments)}: {said}")
    return done.stdout
