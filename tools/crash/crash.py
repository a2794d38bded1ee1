#!/usr/bin/env python3
"""Crashes on purpose: what a server acknowledged must be there when it starts again.

usage: crash.py --server BINARY [--rounds N] [--seed S] [--policy always|everysec|no|both] [--save yes|no]
                [--only kills,power,..] [--directory K] [--jobs N] [--base DIR] [--quick]

--quick  some of everything in about fifteen seconds
kills    N times kill -9 at a random moment: under load, in a rewrite, while the manifest changes, in a snapshot,
         while the append-only file is turned off and on, at any call on a file, and while loading.
others   --only names them, scenes.py has the list, and they need a C compiler: what a power loss leaves, errors of the disk,
         a full disk, short writes, slow syncs, children that die.

A failure prints its seed and directory, which `--seed S --directory K` repeats as far as the moments of signals
allow, and keeps the directory. The exit code is 1.
"""

import argparse
import collections
import concurrent.futures
import os
import random
import shutil
import sys
import tempfile
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import faults  # noqa: E402
import kills  # noqa: E402
import scenes  # noqa: E402


def one_directory(job):
    """Runs in a process of its own. Figures, or what went wrong."""
    binary, base, seed, number, policy, save, lib, rounds = job
    directory = kills.Directory(binary, base, seed, number, policy, save, lib)
    try:
        return number, directory.run(rounds), None
    except Exception as e:
        if directory.server.process:
            directory.server.kill()
        what = traceback.format_exc() if not isinstance(e, (kills.Died, scenes.Lost)) else str(e)
        return number, directory.figures, f"{what}\npolicy {directory.policy}, {directory.options}\n" \
                                          f"rounds: {' '.join(directory.trace)}\nfiles: {directory.name}"


def kill_rounds(args, base, lib):
    """All directories; whether all went well."""
    save = {"yes": True, "no": False, None: None}[args.save]
    if args.directory is not None:
        numbers = [args.directory]
    else:
        # A round is about 1.25 kills, since loading is killed as well.
        numbers = range(max(1, round(args.rounds / (1.25 * kills.ROUNDS))))
    rounds = min(kills.ROUNDS, max(1, args.rounds))
    jobs = [(args.server, base, args.seed, n, args.policy, save, lib, rounds) for n in numbers]
    total, failed, started, shown = collections.Counter(), 0, time.monotonic(), time.monotonic()
    with concurrent.futures.ProcessPoolExecutor(args.jobs) as pool:
        for number, figures, error in pool.map(one_directory, jobs):
            total.update(figures)
            if error:
                failed += 1
                print(f"\nFAILED: --seed {args.seed} --directory {number} --policy {args.policy}\n{error}", flush=True)
            if time.monotonic() - shown > 10:
                shown = time.monotonic()
                print(f"  {total['kills']} kills, {total['steps']} steps checked, {failed} failed, "
                      f"{shown - started:.0f} s", flush=True)
    seconds = time.monotonic() - started
    print(f"kills: {total['kills']} ({total['loading']} of them while loading) in {seconds:.0f} s, "
          f"{total['steps']} acknowledged steps checked, {failed} directories failed")
    print("  " + ", ".join(f"{name} {n}" for name, n in sorted(total.items()) if name not in ("kills", "steps")))
    return failed == 0


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1][7:])
    parser.add_argument("--server", required=True)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seed", default=None)
    parser.add_argument("--policy", choices=["always", "everysec", "no", "both"], default="both")
    parser.add_argument("--save", choices=["yes", "no"])
    parser.add_argument("--only", default="all")
    parser.add_argument("--directory", type=int)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--base")
    parser.add_argument("--target", default="target/crash")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    began = time.monotonic()
    args.rounds = args.rounds or (60 if args.quick else 3000)
    args.seed = args.seed or str(random.randrange(10**9))
    where = args.base or ("/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    base = tempfile.mkdtemp(prefix="redust-crash-", dir=where)
    print(f"crash: seed {args.seed}, files in {base}", flush=True)
    lib = faults.library(args.target)
    if lib is None:
        print("crash: no C compiler, so only kills at random moments run (apt-get install gcc)")
    wanted = ["kills"] + list(scenes.SCENES) if args.only == "all" else args.only.split(",")
    ok = kill_rounds(args, base, lib) if "kills" in wanted else True
    with concurrent.futures.ProcessPoolExecutor(args.jobs) as pool:
        running = [pool.submit(scenes.run, name, args, base, lib) for name in wanted if name != "kills" and lib]
        for one in concurrent.futures.as_completed(running):
            well, said = one.result()
            print(said, flush=True)
            ok &= well
    print(f"crash: {'all went well' if ok else 'FAILED'} in {time.monotonic() - began:.0f} s, seed {args.seed}")
    if ok:
        shutil.rmtree(base, ignore_errors=True)
    else:
        print(f"crash: the files are in {base}")
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
