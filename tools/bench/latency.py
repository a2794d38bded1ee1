#!/usr/bin/env python3
"""How long a bystander's PING waits while the server does something large.

usage: latency.py [--keys N] [--expiring N] NAME=BINARY [NAME=BINARY ...]

Phases, each with the worst, the 99.9th percentile and the median round trip of a client that sends a PING
every millisecond: growth to N keys by pipelined SETs (a cap of 16 KiB a write, so that the loader's own
pipeline is not what is measured), expiry of many keys at one instant, FLUSHALL ASYNC of everything.
The bystander runs with real-time priority where it may, so that it measures the server and not the scheduler.
"""
import argparse, multiprocessing as mp, os, socket, subprocess, tempfile, time


def command(*words):
    words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


class Link:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def call(self, *words):
        self.socket.sendall(command(*words))
        line = self.file.readline()
        if line[:1] == b"$" and line != b"$-1\r\n":
            return self.file.read(int(line[1:]) + 2)[:-2]
        return line.strip()


def beside_the_server():
    """Moves this process off the processor that the server is most likely on."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) > 1:
        os.sched_setaffinity(0, cpus[1:])


def ping_until(port, stop):
    """Sends a PING every millisecond until `stop` is set; the round trips in seconds."""
    beside_the_server()
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    except (AttributeError, PermissionError):
        pass
    link, waits = Link(port), []
    while not stop.is_set():
        start = time.perf_counter()
        link.call("ping")
        waits.append(time.perf_counter() - start)
        time.sleep(0.001)
    return waits


def bystander(port, stop, results):
    waits = sorted(ping_until(port, stop))
    results.put([waits[-1] * 1e3, waits[int(len(waits) * 0.999)] * 1e3, waits[len(waits) // 2] * 1e3])


def measured(port, work):
    stop, results = mp.Event(), mp.Queue()
    watcher = mp.Process(target=bystander, args=(port, stop, results))
    watcher.start()
    time.sleep(0.2)
    start = time.time()
    work()
    took = time.time() - start
    time.sleep(0.1)
    stop.set()
    figures = results.get()
    watcher.join()
    return figures, took


def fill(port, keys, extra=(), first=0):
    beside_the_server()
    link, batch = Link(port), 200
    pending = 0
    for start in range(first, first + keys, batch):
        text = b"".join(command("set", f"key:{i:012d}", f"val:{i:012d}", *extra) for i in range(start, start + batch))
        link.socket.sendall(text)
        pending += 1
        if pending == 4:
            for _ in range(batch):
                link.file.readline()
            pending -= 1
    for _ in range(pending * batch):
        link.file.readline()


def run(name, binary, keys, expiring):
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        args = [binary, "--port", str(port), "--save", "", "--appendonly", "no", "--dir", folder]
        server = subprocess.Popen(args, stdout=subprocess.DEVNULL)
        try:
            for _ in range(100):
                try:
                    link = Link(port)
                    break
                except OSError:
                    time.sleep(0.05)
            # Two loaders, so that the server and not the loader is what is busy.
            half = keys // 2

            def grow():
                loaders = [mp.Process(target=fill, args=(port, half, (), i * half)) for i in range(2)]
                [p.start() for p in loaders]
                [p.join() for p in loaders]

            show(name, f"growth to {keys:,} keys", *measured(port, grow))
            link.call("select", 0)
            at = int(time.time() * 1000) + 12000 + expiring // 50
            loader = mp.Process(target=fill, args=(port, expiring, ("pxat", at), keys))
            loader.start()
            loader.join()
            time.sleep(max(0, at / 1000 - time.time() - 0.5))

            def wait_until_gone():
                while int(link.call("dbsize")[1:]) > keys:
                    time.sleep(0.005)

            figures, took = measured(port, wait_until_gone)
            show(name, f"expiry of {expiring:,} keys at one instant", figures, max(0, time.time() - at / 1000 - 0.3))
            show(name, "FLUSHALL ASYNC", *measured(port, lambda: (link.call("flushall", "async"), time.sleep(3))))
        finally:
            server.kill()
            server.wait()


def show(name, phase, figures, took):
    worst, high, median = figures
    print(f"{name:8s} {phase:42s} PING worst {worst:8.2f} ms  p99.9 {high:7.2f} ms  median {median:6.3f} ms  ({took:.1f} s)", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=20_000_000)
    parser.add_argument("--expiring", type=int, default=1_000_000)
    parser.add_argument("servers", nargs="+", metavar="NAME=BINARY")
    args = parser.parse_args()
    for word in args.servers:
        name, binary = word.split("=", 1)
        run(name, binary, args.keys, args.expiring)


if __name__ == "__main__":
    main()
