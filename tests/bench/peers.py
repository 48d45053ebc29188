# SPDX-License-Identifier: GPL-2.0-or-later
"""Competitors that are not installed here, in a mount namespace: the packages that
unpack-peers.sh unpacked lie over /usr and /etc, and the directories that these tools write to are
copies. Nothing of it is seen outside, and it is gone with the last process inside.

Used by bench-command.py, which enters such a namespace itself, and by bench.py, which keeps one
open with `peers.py hold DIRECTORY` and enters it for each command."""
import ctypes
import os
import shutil
import signal
import subprocess
import sys

NETWORK, MOUNTS = 0x40000000, 0x00020000
WRITTEN_TO = ("/etc/default", "/etc/ufw", "/etc/firewalld", "/var/lib/ufw")


def lay_over(peers, copies):
    """The unpacked packages over /usr and /etc."""
    for part in ("usr", "etc"):
        upper, work = f"{copies}/{part}.upper", f"{copies}/{part}.work"
        os.makedirs(upper)
        os.makedirs(work)
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                        f"lowerdir={peers}/{part}:/{part},upperdir={upper},workdir={work}",
                        "/" + part], check=True)


def enter(copies, peers, network=True):
    """Moves this process into a mount namespace (and a network namespace) of its own. `copies` is
    an empty directory, `peers` where packages were unpacked or None."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(MOUNTS | (NETWORK if network else 0)):
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    if network:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", copies], check=True)
    if peers:
        lay_over(peers, copies)
    for path in WRITTEN_TO:
        if os.path.isdir(path):
            copy = copies + path
            shutil.copytree(path, copy)
            subprocess.run(["mount", "--bind", copy, path], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)


def hold(copies, peers):
    """Says "ready" and waits to be ended; ends with its parent too."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    enter(copies, peers, network=False)
    print("ready", flush=True)
    signal.pause()


if __name__ == "__main__":
    hold(sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None)
