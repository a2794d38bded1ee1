"""The fault layer seen from the test: the library of fault.c, its control file, and what a power loss leaves.

A `Layer` belongs to one data directory. `arm` sets what goes wrong from now on, `calm` ends it. With `log=True`
it also writes down what reached the disk; `after_power_loss` then builds, in a new directory, what a machine
would find there after it lost power at the moment of the crash:

  a file's bytes    up to the last sync that ended, and a random part of what came later
  names             what a sync of the directory or of the file came after; of the rest, those before a random
                    moment, as a file system that keeps a journal would have them
"""

import errno
import mmap
import os
import shutil
import struct
import subprocess

# As in fault.c.
FIELDS = ["main_pid", "ops", "mask", "scope", "at", "times", "action", "error", "space", "piece", "limit",
          "slow", "hits"]
WRITE, SYNC, RENAME, OPEN, CUT, UNLINK, MKDIR = (1 << n for n in range(7))
ALL = 127
EVERYBODY, CHILDREN, MAIN = 0, 1, 2
FAIL, KILL_BEFORE, KILL_AFTER, KILL_HALF = 1, 2, 3, 4
CALM = dict(ops=0, mask=0, scope=0, at=0, times=1, action=0, error=errno.EIO, space=-1, piece=0, limit=0, slow=0, hits=0)


def library(target):
    """Compiles the layer into `target`, unless it is there and new enough; None if there is no compiler."""
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fault.c")
    built = os.path.abspath(os.path.join(target, "libfault.so"))
    if os.path.exists(built) and os.path.getmtime(built) >= os.path.getmtime(source):
        return built
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        return None
    os.makedirs(target, exist_ok=True)
    fresh = f"{built}.{os.getpid()}"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", fresh, source], check=True)
    os.replace(fresh, built)
    return built


class Layer:
    """Faults for the server that works in `directory`; its own files lie beside it."""

    def __init__(self, lib, directory, log=False):
        self.lib, self.dir = lib, os.path.realpath(directory)
        self.control, self.log_path, self.grave = (self.dir + end for end in (".ctl", ".log", ".grave"))
        with open(self.control, "wb") as f:
            f.write(b"\0" * 8 * len(FIELDS))
        with open(self.control, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 8 * len(FIELDS))
        self.log = log
        self.calm()
        if log:
            self.begin_log()

    def begin_log(self):
        """Everything that is in the directory now counts as being on disk."""
        shutil.rmtree(self.grave, ignore_errors=True)
        os.makedirs(self.grave)
        open(self.log_path, "w").close()
        self.before = scan(self.dir)

    def environment(self):
        env = dict(os.environ, LD_PRELOAD=self.lib, FAULT_DIR=self.dir, FAULT_CTL=self.control)
        if self.log:
            env.update(FAULT_LOG=self.log_path, FAULT_GRAVE=self.grave)
        return env

    def __getitem__(self, field):
        return struct.unpack_from("<q", self.map, 8 * FIELDS.index(field))[0]

    def __setitem__(self, field, value):
        struct.pack_into("<q", self.map, 8 * FIELDS.index(field), value)

    def arm(self, **fields):
        """Sets fields; `mask` comes last, since it is what makes calls count."""
        mask = fields.pop("mask", 0)
        for field, value in fields.items():
            self[field] = value
        if mask:
            self["ops"] = 0
            self["mask"] = mask

    def calm(self):
        self["mask"] = 0
        for field, value in CALM.items():
            self[field] = value

    def close(self):
        self.map.close()
        for path in (self.control, self.log_path):
            if os.path.exists(path):
                os.remove(path)
        shutil.rmtree(self.grave, ignore_errors=True)

    def after_power_loss(self, rng, to):
        """Builds in `to` what is left of the directory; says what was lost."""
        names, lost_names = self.durable_names(rng)
        size, synced = self.sizes()
        where = {}
        for base in (self.dir, self.grave):
            for folder, _, files in os.walk(base):
                for name in files:
                    path = os.path.join(folder, name)
                    where[os.lstat(path).st_ino] = path
        os.makedirs(to)
        cut = 0
        for name, inode in sorted(names.items()):
            path = os.path.join(to, name)
            if inode is None:
                os.makedirs(path, exist_ok=True)
                continue
            if not os.path.isdir(os.path.dirname(path)):
                continue
            kept, whole = synced.get(inode, 0), size.get(inode, 0)
            if whole > kept:
                extra = rng.choice([0, whole - kept, rng.randint(0, whole - kept)])
                cut += whole - kept - extra
                kept += extra
            with open(where[inode], "rb") as f, open(path, "wb") as out:
                out.write(f.read(kept))
        return {"bytes": cut, "names": lost_names}

    def lines(self):
        with open(self.log_path) as f:
            for line in f:
                yield line.split()

    def sizes(self):
        """Of each file: its size, and how much of it is on disk."""
        size = {inode: os_size for inode, os_size in self.before["sizes"].items()}
        synced = dict(size)
        began = {}
        for what, *rest in self.lines():
            inode = int(rest[0]) if what in "CZTWsS" else None
            if what == "C":
                size[inode] = synced[inode] = 0
            elif what in "ZT":
                size[inode] = int(rest[1]) if what == "T" else 0
                synced[inode] = min(synced.get(inode, 0), size[inode])
            elif what == "W":
                size[inode] = int(rest[1])
            elif what == "s":
                began[inode] = size.get(inode, 0)
            elif what == "S":
                synced[inode] = max(synced.get(inode, 0), min(began.get(inode, 0), size.get(inode, 0)))
        return size, synced

    def durable_names(self, rng):
        """The names that are left, and how many changes of names are lost."""
        ops = []
        folders = {inode: name for name, inode in self.before["folders"].items()}
        for what, *rest in self.lines():
            if what == "C":
                ops.append(["C", rest[1], int(rest[0]), False])
            elif what == "R":
                ops.append(["R", (rest[0], rest[1]), int(rest[2]), False])
            elif what == "U":
                ops.append(["U", rest[0], int(rest[1]), False])
            elif what == "M":
                folders[int(rest[1])] = rest[0]
                ops.append(["M", rest[0], int(rest[1]), False])
            elif what == "S":
                inode = int(rest[0])
                folder = folders.get(inode)
                for op in ops:
                    if op[0] == "R":
                        inside = folder in map(parent, op[1])
                    else:
                        inside = folder == parent(op[1])
                    # The sync of a file is one of its name, as long as it has one.
                    if folder is not None and inside or folder is None and op[2] == inode and op[0] in "CR":
                        op[3] = True
            elif what == "?":
                raise RuntimeError(f"the layer could not keep {rest}")
        open_ops = [i for i, op in enumerate(ops) if not op[3]]
        until = rng.choice([0, len(ops), rng.randint(0, len(ops))])
        names = dict(self.before["names"])
        lost = 0
        for i, (what, name, inode, durable) in enumerate(ops):
            if not durable and i >= until:
                lost += 1
            elif what == "C":
                names[name] = inode
            elif what == "M":
                names[name] = None
            elif what == "U":
                names.pop(name, None)
            else:
                if names.get(name[0]) == inode:
                    del names[name[0]]
                names[name[1]] = inode
        assert lost <= len(open_ops)
        return names, lost


def parent(name):
    return os.path.dirname(name) or "."


def scan(directory):
    names, sizes, folders = {}, {}, {".": os.lstat(directory).st_ino}
    for folder, inner, files in os.walk(directory):
        for name in inner:
            path = os.path.relpath(os.path.join(folder, name), directory)
            names[path], folders[path] = None, os.lstat(os.path.join(folder, name)).st_ino
        for name in files:
            path = os.path.join(folder, name)
            st = os.lstat(path)
            names[os.path.relpath(path, directory)] = st.st_ino
            sizes[st.st_ino] = st.st_size
    return {"names": names, "sizes": sizes, "folders": {name: inode for name, inode in folders.items()}}
