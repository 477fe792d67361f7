"""Loaded by Python at its start where this folder is in the path: processes whose clock, user or version is another.

``DEVSTRAL_FAULT_CLOCK`` names a file with the seconds by which the clock is wrong; ``DEVSTRAL_FAULT_NOBODY`` makes the
user unknown to the system; ``DEVSTRAL_FAULT_PROTOCOL`` makes it another version of us. The monotonic clock goes on as it does when somebody sets the clock.
"""

import os
import time

_offset_file = os.environ.get("DEVSTRAL_FAULT_CLOCK")
_real_time, _real_utime = time.time, os.utime


def _time():
    try:
        with open(_offset_file) as file:
            return _real_time() + float(file.read())
    except (OSError, ValueError):
        return _real_time()


def _utime(path, times=None, *, ns=None, **more):
    if times is None and ns is None:
        times = (_time(), _time())
    return _real_utime(path, times, **more) if ns is None else _real_utime(path, ns=ns, **more)


if _offset_file:
    time.time, os.utime = _time, _utime

if os.environ.get("DEVSTRAL_FAULT_NOBODY"):
    import pwd

    os.environ.pop("HOME", None)

    def _unknown(uid):
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    pwd.getpwuid = _unknown

if _protocol := os.environ.get("DEVSTRAL_FAULT_PROTOCOL"):
    try:
        from devstral_ls.engine import runtime_dir
    except ImportError:  # the server, which finds the package later, is told by an option
        pass
    else:
        runtime_dir.PROTOCOL = int(_protocol)
