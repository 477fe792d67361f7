"""Other users of the machine: which folders they can change, and which process of theirs is behind a socket.

Root is trusted everywhere: who is root reads our memory anyway.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

_MAX_STEPS = 512
"""Folders and links on the way to one path; the system gives up links far earlier."""

# <sys/un.h> of macOS and the BSDs, which `socket` does not name.
_SOL_LOCAL = 0
_LOCAL_PEERCRED = 1
_XUCRED_BYTES = 76
"""Of ``struct xucred``: version, user, number of groups, sixteen groups."""


class PeerSocket(Protocol):
    """What a connected socket can be asked; asyncio's has it too."""

    @property
    def family(self) -> int:
        """Of addresses."""
        ...

    def getsockopt(self, level: int, option: int, n_bytes: int, /) -> bytes:
        """An option as bytes."""
        ...


def is_trusted(uid: int) -> bool:
    """True for this process's user and for root."""
    return sys.platform == "win32" or uid in (os.geteuid(), 0)


def name_of(uid: int) -> str:
    """The user's name, for people."""
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError, OverflowError):
        return f"user {uid}"


def peer_uid(connected: PeerSocket) -> int | None:
    """The user of the process at the other end of a Unix socket, as the kernel knows it; None for other sockets, and
    where the system does not say.
    """
    if sys.platform == "win32" or connected.family != socket.AF_UNIX:
        return None
    try:
        if hasattr(socket, "SO_PEERCRED"):
            _pid, uid, _gid = struct.unpack("3i", connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            return int(uid) & 0xFFFFFFFF
        credentials = connected.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_BYTES)
        return int(struct.unpack_from("II", credentials)[1])
    except (OSError, struct.error):
        return None


def stranger_at(connected: PeerSocket) -> str | None:
    """The name of the user at the other end of a Unix socket, unless it is this one or root; None where all is well."""
    uid = peer_uid(connected)
    return None if uid is None or is_trusted(uid) else name_of(uid)


def weak_spot(path: Path) -> tuple[Path, str] | None:
    """The first folder or link on the way to ``path`` that another user could change, and why; None where there is none.
    ``path`` and the end of the way need not exist. Access lists beside the mode are not looked at.

    Raises:
        OSError: a folder cannot be looked into.
    """
    if sys.platform == "win32":
        return None
    for step in _way_to(path):
        why = _weakness(os.lstat(step))
        if why is not None:
            return step, why
    return None


def _way_to(path: Path) -> Iterator[Path]:
    """Each folder and link from the root to ``path``, with the ways to which the links lead."""
    left = list(reversed(path.absolute().parts))
    here = Path(left.pop())
    yield here
    for _ in range(_MAX_STEPS):
        if not left:
            return
        part = left.pop()
        if part == "..":
            here = here.parent
            continue
        step = here / part
        try:
            is_link = stat.S_ISLNK(os.lstat(step).st_mode)
        except FileNotFoundError:
            return
        yield step
        if is_link:
            target = step.readlink()
            here = Path(target.anchor) if target.is_absolute() else here
            left.extend(reversed(target.parts[1:] if target.is_absolute() else target.parts))
        else:
            here = step
    raise OSError(f"{path} leads through too many links")


def _weakness(found: os.stat_result) -> str | None:
    if not is_trusted(found.st_uid):
        return f"belongs to another user ({name_of(found.st_uid)})"
    if stat.S_ISLNK(found.st_mode):  # the mode of a link means nothing
        return None
    if found.st_mode & stat.S_ISVTX and found.st_uid == 0:  # as /tmp: only its owner can replace what is in it
        return None
    if found.st_mode & stat.S_IWOTH:
        return "is writable by everybody"
    if found.st_mode & stat.S_IWGRP and not _is_own_group(found.st_gid):
        return "is writable by a group"
    return None


def _is_own_group(gid: int) -> bool:
    """True for a group that this user is alone in, as many systems make one for each user; and for root's."""
    if gid == 0:
        return True
    try:
        import grp
        import pwd

        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(gid)
    except (ImportError, KeyError):
        return False
    return group.gr_gid == user.pw_gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}
