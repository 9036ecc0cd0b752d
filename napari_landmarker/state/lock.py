"""`ProjectLock`: one window at a time writes in a project.

The lock is a small file in the project's folder that says which process on which computer has it. Its time is renewed
while the window is open, so that a lock left behind by a computer that went away can be told from one that is held.
"""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
import weakref
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import psutil

LOCK_FILE = ".lock"
#: How often a window renews its lock, in seconds.
HEARTBEAT_S = 15.0
#: A lock of another computer that was not renewed for so long is left behind, in seconds.
STALE_S = 120.0
#: How often taking a lock is tried where windows open at the same moment.
_TRIES = 5
#: How far two statements of when one process began may differ, in seconds.
_CLOCK_S = 2.0


@dataclass(frozen=True)
class Owner:
    """Who has a lock.

    Attributes:
        token: unique for each lock taken.
        host: the computer's name.
        pid: the process.
        born: when the process began, in seconds since 1970; another process may get the same number later.
        since: when the lock was taken, in seconds since 1970.
    """

    token: str
    host: str
    pid: int
    born: float
    since: float

    @property
    def sentence(self) -> str:
        """What to tell a person who opens the project a second time."""
        where = "on this computer" if self.host == socket.gethostname() else f"on the computer {self.host}"
        moment = datetime.fromtimestamp(self.since).astimezone()
        today = moment.date() == datetime.now().astimezone().date()
        return (
            f"This project is open in another window {where} since {moment:%H:%M}"
            f"{'' if today else f' on {moment:%d %B %Y}'}, so nothing is saved from here: close it there, or take over."
        )


class ProjectLock:
    """The right to write in a project folder, from `acquire` to `release`, to the end of the object or the process."""

    def __init__(self, root: Path) -> None:
        self._path = root / LOCK_FILE
        self._me: Owner | None = None
        self._end: weakref.finalize[..., ProjectLock] | None = None

    @property
    def held(self) -> bool:
        """Whether the lock is ours still."""
        return self._me is not None and _owner(self._path) == self._me

    def acquire(self, *, take_over: bool = False) -> Owner | None:
        """Take the lock, if it is free or was left behind.

        Args:
            take_over: take it from who has it.

        Returns:
            Who has it, or None if it is ours now.

        Raises:
            OSError: if the folder cannot be written.
        """
        owner: Owner | None = None
        for _ in range(_TRIES):
            me = _myself()
            if _create(self._path, me):
                self._me = me
                self._end = weakref.finalize(self, _release, self._path, me)
                return None
            owner = _owner(self._path)
            if owner is None:
                time.sleep(0.02)  # it is being written, or is gone already
                if not _is_old(self._path) and not take_over:
                    continue
            elif not take_over and not _left_behind(owner, self._path):
                return owner
            _take_away(self._path, owner, me)
        return owner or Owner("", "unknown", 0, 0.0, time.time())

    def renew(self) -> Owner | None:
        """Say that we are here still; take the lock again where its file is gone.

        Returns:
            Who took the lock over, or None if it is ours.

        Raises:
            OSError: if the folder cannot be written.
        """
        if not self.held:
            return self.acquire()
        os.utime(self._path)
        return None

    def release(self) -> None:
        """Give the lock back, if it is ours."""
        if self._end is not None:
            self._end()
        self._me = self._end = None


def _myself() -> Owner:
    return Owner(uuid.uuid4().hex, socket.gethostname(), os.getpid(), psutil.Process().create_time(), time.time())


def _create(path: Path, owner: Owner) -> bool:
    """Make the lock file; False where there is one."""
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except FileExistsError:
        return False
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(asdict(owner), file)
    return True


def _owner(path: Path) -> Owner | None:
    """What a lock file says; None where it is not there or says nothing (yet)."""
    try:
        return Owner(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _left_behind(owner: Owner, path: Path) -> bool:
    """Whether the window that has a lock is gone."""
    if owner.host != socket.gethostname():
        return _is_old(path)
    try:
        return bool(abs(psutil.Process(owner.pid).create_time() - owner.born) > _CLOCK_S)
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return _is_old(path)


def _is_old(path: Path) -> bool:
    """Whether a lock was not renewed for long, by the clock of the disk it lies on."""
    probe = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    try:
        probe.touch()
        now = probe.stat().st_mtime
        probe.unlink()
        return now - path.stat().st_mtime > STALE_S
    except OSError:
        return False


def _take_away(path: Path, owner: Owner | None, me: Owner) -> None:
    """Remove the lock of ``owner``, but not one that somebody else took in the meantime."""
    aside = path.with_name(f"{path.name}.{me.token}")
    with suppress(FileNotFoundError):
        os.replace(path, aside)
        if _owner(aside) != owner and not path.exists():
            os.replace(aside, path)
        aside.unlink(missing_ok=True)


def _release(path: Path, owner: Owner) -> None:
    """Remove the lock file if it says that the lock is ``owner``'s."""
    if os.getpid() == owner.pid and _owner(path) == owner:
        with suppress(OSError):
            path.unlink()
