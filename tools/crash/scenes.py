"""What a power loss leaves, and what errors of the disk do.

power      the moment of a crash is that of a power loss: of the files only what was synced is left
steps      a rewrite is killed at each of its calls on files in turn, and so are the start, `appendonly yes`
           and a snapshot; after each, the directory is looked at as it is and as a power loss would leave it
refusals   each of those calls fails once: nothing is lost, and INFO says what failed
everysec   a full disk, errors and short writes under load: MISCONF until it works again, then all is there
always     the same: the process ends with exit code 1, and nothing acknowledged is lost
proof      what is lost on purpose is noticed
slow       a sync that takes long stalls nobody, and is counted
children   children that fail or die: the status is in INFO, the old files are whole, the temporary ones gone
pairs      errors of the disk while a replica gets a snapshot (pairs.py)
"""

import errno
import multiprocessing
import os
import random
import subprocess
import time
import traceback

import faults
from faults import ALL, CHILDREN, CUT, FAIL, KILL_AFTER, KILL_BEFORE, KILL_HALF, MAIN, SYNC, WRITE
from load import Link, Lost, encode
from pairs import scene_pairs
from server import Crowd, Died, Failed, Server

# How much may be lost under everysec: the second until a sync is asked for, and the one that it may take.
EVERYSEC_LOSS = 2.0


class Stage:
    """A directory, its server, the layer and the clients of one scene."""

    def __init__(self, run, name, log=False, **options):
        self.run, self.log, self.count = run, log, 0
        self.base = os.path.join(run.base, name)
        self.options = {"appendonly": "yes", "save": "", "appendfsync": "everysec", "loglevel": "verbose",
                        "auto-aof-rewrite-percentage": 0} | options
        self.crowd = Crowd(f"{run.seed}/{name}", clients=3)
        self.rng = random.Random(f"{run.seed}/{name}/stage")
        self.open(self.base + "-0", make=True)
        run.stages.append(self)

    def open(self, directory, make=False):
        if make:
            os.makedirs(directory)
        self.layer = faults.Layer(self.run.lib, directory, self.log)
        self.server = Server(self.run.binary, directory, self.layer)

    def start(self, floor=None):
        """Starts, and looks whether everything is there."""
        self.link = self.server.start(self.options)
        self.crowd.verify(self.link, floor)

    def running(self):
        return self.server.process.poll() is None

    def work(self, seconds, settle=False, **more):
        self.crowd.work(seconds, self.running, **more)
        if settle:
            self.crowd.settle_replies()

    def connect(self, deep=None):
        self.crowd.connect(self.server.socket, deep)

    def kill(self):
        code = self.server.kill()
        self.link.close()
        self.crowd.drain()
        self.layer.calm()
        self.run.count("kills")
        return code

    def power_loss(self):
        """The directory becomes what is left of it."""
        self.count += 1
        old, old_server = self.layer, self.server
        to = f"{self.base}-{self.count}"
        lost = old.after_power_loss(self.rng, to)
        self.run.count("power losses")
        self.run.count("bytes lost", lost["bytes"])
        self.run.count("names lost", lost["names"])
        self.open(to)
        self.left = (old, old_server)

    def drop_left(self):
        """After a power loss went well what it came from is of no use."""
        layer, server = self.left
        layer.close()
        server.remove()

    def wait(self, what, condition, seconds=15):
        self.server.wait(what, condition, seconds)

    def info(self, section="persistence"):
        return self.link.info(section)

    def idle(self):
        info = self.info()
        return all(info[field] == "0" for field in
                   ("aof_rewrite_in_progress", "aof_rewrite_scheduled", "rdb_bgsave_in_progress"))

    def temporary(self):
        return [name for name in self.server.files() if "temp-" in name]

    def shown(self):
        if not self.running():
            return "gone"
        return ", ".join(f"{k} {v}" for k, v in self.info().items() if "status" in k or "aof" in k)

    def check(self, what, holds):
        if not holds:
            raise Failed(f"{what}\nINFO: {self.shown()}\n{self.server.tail()}")

    def close(self):
        if self.server.process and self.running():
            self.server.kill()
        self.layer.close()
        self.server.remove()


# -- power ------------------------------------------------------------------------------------------


def power(run, policy, lives):
    stage = Stage(run, f"power-{policy}", log=True, appendfsync=policy)
    rng = stage.rng
    floor = None
    for life in range(lives):
        stage.layer.begin_log()
        # On a disk a sync takes its time, so that writes come while it runs.
        stage.layer.arm(slow=rng.choice([0, 2, 10]) if policy == "always" else rng.choice([0, 5, 100]))
        stage.start(floor)
        if life:
            stage.drop_left()
        stage.connect()
        floor = None
        end = time.monotonic() + (rng.uniform(0.05, 0.4) if policy == "always" else rng.uniform(2.2, 3.4))
        try:
            while time.monotonic() < end and stage.running():
                what = rng.random()
                if what < 0.35:
                    stage.link("BGREWRITEAOF")
                elif what < 0.45:
                    stage.layer.arm(at=rng.randint(1, 25), times=1, mask=ALL & ~WRITE,
                                    action=rng.choice([KILL_BEFORE, KILL_AFTER]))
                stage.work(min(rng.uniform(0, 0.2 if policy == "always" else 1), end - time.monotonic()))
        except (ConnectionError, OSError):
            pass
        until = time.time() - EVERYSEC_LOSS
        stage.kill()
        if policy != "always":
            floor = {client.number: client.least(until) for client in stage.crowd.clients}
        stage.power_loss()
    stage.layer.begin_log()
    stage.start(floor)
    stage.drop_left()
    stage.close()


def scene_power(run):
    for policy, quick, full in (("always", 8, 300), ("everysec", 1, 60)):
        power(run, policy, quick if run.quick else full)


# -- steps ------------------------------------------------------------------------------------------


def begin(stage, what):
    """One of the things whose calls are gone through; the server may die in it."""
    if what == "start":
        stage.server.spawn(stage.options)
        stage.link = stage.server.wait_ready()
    elif what == "rewrite":
        stage.link("BGREWRITEAOF")
    elif what == "save":
        stage.link("BGSAVE")
    else:
        stage.link("CONFIG", "SET", "appendonly", "yes")
    while not stage.idle():
        time.sleep(0.003)


def scene_steps(run):
    for what in ("start", "rewrite", "appendonly", "save"):
        for policy in ("always", "everysec") if what != "save" else ("no",):
            for action in (KILL_BEFORE, KILL_AFTER, KILL_HALF):
                steps(run, what, policy, action)
                if run.quick:
                    break


def steps(run, what, policy, action):
    """Each life dies at one call later than the one before, until there is none left."""
    name = f"steps-{what}-{policy}-{action}"
    for at in range(1, 200):
        if run.quick and at % 4 != run.number % 4:
            continue
        stage = Stage(run, f"{name}-{at}", log=True, appendfsync=policy)
        if what == "start":
            hit = die(stage, what, action, at)
        else:
            if what in ("appendonly", "save"):
                stage.options["appendonly"] = "no"
            stage.start()
            stage.connect(8)
            stage.work(0.02, settle=True)
            if what == "save":
                stage.link("SAVE")
                saved = {client.number: client.least() for client in stage.crowd.clients}
                stage.work(0.01, settle=True)
            hit = die(stage, what, action, at)
        if what == "appendonly":
            stage.options["appendonly"] = "yes"
        # Nothing was promised by a server without a file, and what a rewrite adds to it comes at once.
        nothing = {client.number: 0 for client in stage.crowd.clients}
        floor = nothing if what == "appendonly" and hit else None
        if policy == "everysec" and what == "rewrite":
            floor = nothing
        if what == "save":
            floor = saved if hit else None
        if stage.rng.random() < 0.5:
            stage.power_loss()
            stage.layer.begin_log()
            stage.start(floor)
            stage.drop_left()
        else:
            stage.start(None if what == "rewrite" else floor)
        # And it goes on.
        stage.connect(8)
        stage.work(0.01, settle=True)
        stage.link("BGSAVE" if what == "save" else "BGREWRITEAOF")
        stage.wait("another one", stage.idle)
        info = stage.info()
        stage.check("the next one works", info["aof_last_bgrewrite_status"] == info["rdb_last_bgsave_status"] == "ok")
        stage.kill()
        stage.start()
        stage.close()
        if not hit:
            return
    raise Failed("the calls of a rewrite do not end")


def die(stage, what, action, at):
    stage.layer.arm(at=at, times=1, action=action, mask=ALL)
    try:
        begin(stage, what)
    except (ConnectionError, OSError, Died):
        pass
    hit = stage.layer["hits"] > 0
    if what != "start":
        stage.kill()
    else:
        stage.server.kill()
        stage.layer.calm()
    return hit


# -- refusals ---------------------------------------------------------------------------------------


def scene_refusals(run):
    for what in ("rewrite", "off and on", "save"):
        for error in (errno.EIO, errno.ENOSPC):
            for times in (1, 3):
                refusals(run, what, "everysec", error, times)
                if run.quick:
                    break
            if run.quick:
                break


def refusals(run, what, policy, error, times):
    """Call after call fails: the server goes on, and afterwards everything is there."""
    stage = Stage(run, f"refusals-{what.replace(' ', '-')}-{error}-{times}", appendfsync=policy)
    stage.start()
    stage.connect(8)
    for at in range(1, 200):
        if run.quick and at % 2:
            continue
        stage.work(0.01, settle=True)
        # If deleting failed as well, temporary files would rightly stay.
        mask = ALL if times == 1 else ALL & ~faults.UNLINK
        stage.layer.arm(at=at, times=times, action=FAIL, error=error, mask=mask)
        if what == "rewrite":
            stage.link("BGREWRITEAOF")
        elif what == "save":
            stage.link("BGSAVE")
        else:
            stage.link("CONFIG", "SET", "appendonly", "no")
            for _ in range(5):
                if stage.link("CONFIG", "SET", "appendonly", "yes") == b"OK":
                    break
        time.sleep(0.02)
        stage.wait("the end of it", stage.idle, 30)
        hit = stage.layer["hits"] > 0
        stage.layer.calm()
        stage.wait("writes are taken again", lambda: stage.info()["aof_last_write_status"] == "ok")
        stage.wait("another rewrite", stage.idle, 30)
        stage.check("the file is on", stage.info()["aof_enabled"] == "1")
        stage.work(0.01, settle=True)
        stage.wait("temporary files go", lambda: not stage.temporary())
        stage.kill()
        run.count("calls that failed")
        stage.start()
        stage.connect(8)
        if not hit:
            stage.close()
            return
    raise Failed("the calls do not end")


# -- everysec and always under load -----------------------------------------------------------------

TROUBLES = {
    "full disk": lambda rng: dict(space=rng.randrange(20000), scope=MAIN),
    "full disk, no cutting back": lambda rng: dict(space=rng.randrange(20000), scope=MAIN, at=1, times=-1,
                                                    action=FAIL, error=errno.EIO, mask=CUT),
    "write errors": lambda rng: dict(at=rng.randint(1, 20), times=-1, action=FAIL, error=errno.EIO, mask=WRITE,
                                     scope=MAIN),
    "short writes, then a full disk": lambda rng: dict(piece=rng.randint(1, 3000), space=rng.randrange(20000),
                                                       scope=MAIN),
    # A manifest still fits: a rewrite could begin, but what waits to be written must not be left out.
    "nearly full disk": lambda rng: dict(limit=400, at=1, times=-1, action=KILL_BEFORE, mask=faults.RENAME,
                                         scope=CHILDREN),
    "short writes": lambda rng: dict(piece=rng.randint(1, 3000), scope=MAIN),
    "sync errors": lambda rng: dict(at=1, times=-1, action=FAIL, error=errno.EIO, mask=SYNC, scope=MAIN),
}


def scene_everysec(run):
    stage = Stage(run, "everysec")
    stage.start()
    for life in range(4 if run.quick else 120):
        name = (list(TROUBLES) if not run.quick else list(TROUBLES)[:5])[life % (5 if run.quick else len(TROUBLES))]
        stage.connect()
        stage.work(0.05)
        before = {client.number: client.least() for client in stage.crowd.clients}
        stage.layer.arm(**TROUBLES[name](stage.rng))
        refused = name != "short writes"
        stage.work(4 if refused else 0.2, refused_at=20 if refused else None)
        rewrite = stage.rng.random() < 0.3
        if refused:
            stage.check(f"{name}: writes are refused",
                        sum(client.errors["MISCONF"] for client in stage.crowd.clients) >= 20)
            info = stage.info()
            stage.check(f"{name}: INFO says so", info["aof_last_write_status"] == "err")
            stage.check(f"{name}: INFO says why: {info['redust_aof_last_error']}",
                        info["redust_aof_last_error"].startswith(("write: ", "fsync: ")))
            stage.check(f"{name}: it is counted", int(info["redust_aof_write_failures"]) > 0)
            if rewrite or name == "nearly full disk":
                stage.link("BGREWRITEAOF")
                stage.wait("its end", lambda: stage.info()["aof_rewrite_in_progress"] == "0")
        end_here = stage.rng.random() < 0.3
        if not end_here:
            stage.layer.calm()
            stage.wait(f"{name}: writes are taken again", lambda: stage.info()["aof_last_write_status"] == "ok")
            for client in stage.crowd.clients:
                client.errors.clear()
            stage.work(0.05)
        run.count(name)
        stage.kill()
        # What was answered in the turn whose write failed is not in the file.
        stage.start(before if end_here else None)
        for client in stage.crowd.clients:
            client.errors.clear()
    stage.close()


def scene_always(run):
    stage = Stage(run, "always", appendfsync="always")
    stage.start()
    names = [name for name in TROUBLES if name != "short writes"]
    for life in range(4 if run.quick else 200):
        name = names[life % len(names)]
        stage.connect()
        stage.work(0.03)
        stage.layer.arm(**TROUBLES[name](stage.rng))
        stage.work(5)
        try:
            code = stage.server.process.wait(5)
        except subprocess.TimeoutExpired:
            raise Failed(f"{name}: the server goes on under `always`\n{stage.server.tail()}") from None
        if code != 1:
            raise Failed(f"{name}: exit code {code}, not 1\n{stage.server.tail()}")
        run.count(name)
        stage.kill()
        stage.start()
    stage.close()


# -- slow syncs -------------------------------------------------------------------------------------


def write_on(path, seconds):
    """A process that writes in pipelines, so that there is something to sync."""
    link = Link(path)
    end = time.monotonic() + seconds
    batch = b"".join(encode("SET", f"w{i}", "x" * 100) for i in range(50))
    while time.monotonic() < end:
        link.socket.sendall(batch)
        for _ in range(50):
            link.read()
        time.sleep(0.01)


def gets(link, seconds):
    """GETs in batches of twenty, a thousand batches a second; how long each took, in order of size."""
    batch = encode("GET", "nothing") * 20
    waits = []
    start = time.monotonic()
    while (now := time.monotonic()) < start + seconds:
        link.socket.sendall(batch)
        for _ in range(20):
            link.read()
        done = time.monotonic()
        waits.append(done - now)
        time.sleep(max(0, start + len(waits) / 1000 - done))
    return sorted(waits)


def scene_slow(run):
    seconds = 3.5 if run.quick else 12
    for slow in (0, 500, 1500):
        if run.quick and slow < 1000:
            continue
        stage = Stage(run, f"slow-{slow}")
        stage.start()
        stage.layer.arm(slow=slow)
        writer = multiprocessing.Process(target=write_on, args=(stage.server.socket, seconds))
        writer.start()
        waits = gets(stage.link, seconds)
        writer.join()
        delayed = int(stage.info()["aof_delayed_fsync"])
        worst, high = waits[-1], waits[int(len(waits) * 0.999)]
        run.said.append(f"  a sync takes {slow} ms: {20 * len(waits) / seconds:.0f} GETs/s beside writes, 99.9% within "
                        f"{high * 1000:.1f} ms, the worst {worst * 1000:.1f} ms, aof_delayed_fsync {delayed}")
        stage.check("delayed syncs are counted", delayed > 0 or slow < 1000)
        # The bound is far below the sync and above what a busy machine adds.
        stage.check("nobody waits for a sync", worst < 0.3 or slow == 0)
        stage.link.close()
        stage.close()


# -- proof ------------------------------------------------------------------------------------------


def scene_proof(run):
    """Directories that lost something on purpose: each must be noticed, or the rest proves nothing."""
    # So many that they are not all of keys that live some milliseconds only.
    for cut in (2000, 10000):
        stage = Stage(run, f"proof-{cut}")
        stage.start()
        stage.connect()
        stage.work(0.05, settle=True)
        stage.kill()
        path = max((os.path.join(stage.server.dir, name) for name in stage.server.files() if ".incr." in name),
                   key=os.path.getsize)
        os.truncate(path, os.path.getsize(path) - cut)
        try:
            stage.start()
        except Lost:
            run.count("losses noticed")
            stage.close()
            continue
        raise Failed(f"{cut} bytes of {path} were cut off, and nobody noticed")


# -- children ---------------------------------------------------------------------------------------

BAD_CHILDREN = {
    "full disk": dict(scope=CHILDREN, space=100),
    "write error": dict(scope=CHILDREN, at=1, times=-1, action=FAIL, error=errno.EIO, mask=WRITE),
    "sync error": dict(scope=CHILDREN, at=1, times=-1, action=FAIL, error=errno.EIO, mask=SYNC),
    "read-only directory": dict(scope=CHILDREN, at=1, times=-1, action=FAIL, error=errno.EROFS, mask=faults.OPEN),
    "rename refused": dict(scope=CHILDREN, at=1, times=-1, action=FAIL, error=errno.EACCES, mask=faults.RENAME),
    "killed while it writes": dict(scope=CHILDREN, at=1, times=1, action=KILL_HALF, mask=WRITE),
    "killed before its rename": dict(scope=CHILDREN, at=1, times=1, action=KILL_BEFORE, mask=faults.RENAME),
    "killed after its rename": dict(scope=CHILDREN, at=1, times=1, action=KILL_AFTER, mask=faults.RENAME),
}


def first_rewrite(run):
    """A write and the child fail while the file is turned on: both are tried again, and writes are taken."""
    stage = Stage(run, "first-rewrite", appendonly="no")
    stage.start()
    stage.connect(8)
    stage.work(0.02, settle=True)
    # Long enough for a write to fail meanwhile.
    stage.link("CONFIG", "SET", "rdb-key-save-delay", 2000)
    stage.link("CONFIG", "SET", "appendonly", "yes")
    stage.layer.arm(at=1, times=-1, action=FAIL, error=errno.EIO, mask=WRITE)
    stage.work(5, refused_at=1)
    stage.wait("the child fails", lambda: stage.info()["aof_last_bgrewrite_status"] == "err")
    stage.link("CONFIG", "SET", "rdb-key-save-delay", 0)
    stage.layer.calm()
    # The next try may have to wait a minute; who asks for it does not.
    stage.link("BGREWRITEAOF")
    stage.wait("another rewrite", stage.idle)
    stage.wait("writes are taken again", lambda: stage.info()["aof_last_write_status"] == "ok")
    stage.work(0.02, settle=True)
    stage.kill()
    stage.options["appendonly"] = "yes"
    stage.start()
    stage.close()
    run.count("first rewrites that failed")


def scene_children(run):
    first_rewrite(run)
    for preamble in ("yes", "no"):
        for command, status in (("BGREWRITEAOF", "aof_last_bgrewrite_status"), ("BGSAVE", "rdb_last_bgsave_status")):
            stage = Stage(run, f"children-{preamble}-{command}", **{"aof-use-rdb-preamble": preamble})
            stage.start()
            stage.connect(8)
            for name, fault in BAD_CHILDREN.items():
                stage.work(0.02, settle=True)
                if command == "BGSAVE" and "after its rename" in name:
                    continue
                stage.link(command)
                stage.wait("a good one", stage.idle)
                stage.check("a good one works", stage.info()[status] == "ok")
                stage.work(0.02, settle=True)
                stage.layer.arm(**fault)
                stage.link(command)
                stage.work(0.05, settle=True)
                stage.wait("its end", stage.idle)
                stage.layer.calm()
                info = stage.info()
                stage.check(f"{command}, {name}: {status} is err", info[status] == "err")
                ours = "redust_rdb_last_save" if command == "BGSAVE" else "redust_aof_last_rewrite"
                stage.check(f"{command}, {name}: INFO says why", info[f"{ours}_error"] != "none")
                stage.wait(f"{name}: temporary files go", lambda: not stage.temporary())
                stage.work(0.02, settle=True)
                stage.kill()
                run.count(f"{command}: {name}")
                stage.start()
                stage.connect(8)
            stage.close()
        if run.quick:
            return


# ---------------------------------------------------------------------------------------------------

SCENES = {"proof": scene_proof, "power": scene_power, "steps": scene_steps, "refusals": scene_refusals, "everysec": scene_everysec,
          "always": scene_always, "slow": scene_slow, "children": scene_children, "pairs": scene_pairs}


class Run:
    """What a scene needs to know, and its figures."""

    def __init__(self, args, base, lib):
        self.binary, self.seed, self.quick, self.base, self.lib = args.server, args.seed, args.quick, base, lib
        self.number = random.Random(args.seed).randrange(100)
        self.figures, self.stages, self.said = {}, [], []

    def count(self, what, by=1):
        self.figures[what] = self.figures.get(what, 0) + by


def run(name, args, base, lib):
    """Runs a scene; whether it went well, and what there is to say about it."""
    one = Run(args, base, lib)
    began = time.monotonic()
    said = []
    try:
        SCENES[name](one)
    except Exception as e:
        stage = one.stages[-1]
        text = str(e) if isinstance(e, (Lost, Died, Failed)) else traceback.format_exc(limit=-3)
        if not isinstance(e, (Died, Failed)):
            text += "\n" + stage.server.tail(40)
        came_from = f", which was left of {stage.left[1].dir}" if hasattr(stage, "left") else ""
        said.append(f"FAILED: --seed {args.seed} --only {name}, files in {stage.server.dir}{came_from}\n{text}")
        for stage in one.stages:
            if stage.server.process:
                stage.server.kill()
    figures = ", ".join(f"{what} {n}" for what, n in one.figures.items())
    said.append(f"{name}: {'FAILED' if said else 'ok'} in {time.monotonic() - began:.0f} s: {figures}")
    return len(said) == 1, "\n".join(one.said + said)
