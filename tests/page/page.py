"""page.py --server SERVER [--pictures FOLDER]: the page of the endpoint for metrics in a real browser.

A server is loaded with keys of all types, and the page is opened wide and narrow, light and dark. What it shows must be
what INFO says; it may ask nobody but the server; nothing may go wrong in it; a name of a key that looks like markup must
stay a name. Needs chromium; without it one line says so.
"""

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import browser

HOSTILE = b"<img src=x onerror=\"document.title='broken'\">"
VIEWS = [("wide", 1280, 900), ("narrow", 390, 844)]


class Client:
    """Commands and replies of RESP2."""

    def __init__(self, port):
        self.s = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.f = self.s.makefile("rb")

    def __call__(self, *args):
        return self.all([args])[0]

    def all(self, commands):
        out = []
        for args in commands:
            args = [a if isinstance(a, bytes) else str(a).encode() for a in args]
            out.append(b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%s\r\n" % (len(a), a) for a in args))
        self.s.sendall(b"".join(out))
        return [self.read() for _ in commands]

    def read(self):
        line = self.f.readline()[:-2]
        kind, rest = line[:1], line[1:]
        if kind == b"$":
            return None if rest == b"-1" else self.f.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self.read() for _ in range(int(rest))]
        return int(rest) if kind == b":" else rest

    def info(self):
        text = self("INFO", "everything").decode()
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fill(r):
    many = []
    for n in range(3000):
        many.append(("SET", f"user:{n}", "secretvalue" * (1 + n % 20)))
        if n % 3 == 0:
            many.append(("EXPIRE", f"user:{n}", 3600 + n))
        if n % 10 == 0:
            many.append(("HSET", f"session:{n}", "user", n, "agent", "secretvalue"))
            many.append(("ZADD", f"board:{n % 7}", n, f"member:{n}"))
            many.append(("RPUSH", f"queue:{n % 5}", f"job:{n}"))
            many.append(("XADD", "events", "*", "field", "secretvalue"))
            many.append(("SADD", f"tags:{n % 9}", n))
    many.append(("SET", HOSTILE, b"secretvalue" * 40000))
    many.append(("GET", HOSTILE))
    many.append(("LPUSH", "user:1", "x"))
    many.append(("HOTKEYS", "START", "METRICS", 2, "CPU", "NET", "SAMPLE", 1))
    r.all(many)


def traffic(port, stop):
    """Some requests, evenly."""
    r, n = Client(port), 0
    r("CLIENT", "SETNAME", "worker")
    while not stop.is_set():
        n += 1
        r.all([("GET", f"user:{n * k % 3000}") for k in range(1, 20)] + [("INCR", f"counter:{n % 9}")])
        r.all([("GET", HOSTILE), ("HGETALL", f"session:{n % 300 * 10}"), ("ZRANGE", "board:1", 0, -1)])
        time.sleep(0.02)
    r.s.close()


class Check:
    def __init__(self):
        self.failures, self.count = [], 0

    def __call__(self, is_so, what):
        self.count += 1
        if not is_so:
            self.failures.append(what)
            print(f"page: FAILED: {what}")

    def equal(self, found, wanted, what):
        self(found == wanted, f"{what}: {found!r} instead of {wanted!r}")


def column(page, table, n):
    """A column of a table as it is shown; the exact value of a number."""
    return page.run(f"[...document.querySelectorAll('#{table} tbody tr')].map(tr => tr.cells[{n}].title || tr.cells[{n}].textContent)")


def numbers(texts):
    return [float(text.replace(",", "")) for text in texts]


def look(check, page, r, name, dark):
    page.wait("!document.getElementById('main').hidden")
    page.wait("past.length >= 3 && past[past.length - 1].ops > 0", 20)
    check(page.run("document.documentElement.scrollWidth <= innerWidth"), f"{name}: the page is wider than the window")
    color = re.findall(r"\d+", page.run("getComputedStyle(document.body).backgroundColor"))
    check((sum(map(int, color[:3])) < 200) == dark, f"{name}: background {color}")
    drawn = page.run("[...document.querySelectorAll('.plot path')].filter(p => p.getAttribute('d')).length")
    check(drawn >= 8, f"{name}: {drawn} lines are drawn")
    text = page.run("document.body.innerText")
    for secret in ("user:", "session:", "onerror", "secretvalue"):
        check(secret not in text, f"{name}: {secret} is shown")
    check("metrics-page-key-names yes" in text, f"{name}: it does not say how names are shown")


def compare(check, page, r):
    """With nothing else going on, figures are those of INFO."""
    shown = lambda id: float(page.run(f"document.getElementById('v-{id}').dataset.v"))
    info = r.info()
    page.wait(f"before.now_ms > {int(time.time() * 1000)}")
    keys = sum(int(part.split("=")[1]) for part in info["db0_types"].split(","))
    check.equal(shown("keys"), keys, "keys")
    check.equal(shown("clients"), int(info["connected_clients"]), "clients")
    check.equal(shown("errors"), int(info["total_error_replies"]), "errors")
    check.equal(shown("hits"), int(info["keyspace_hits"]), "hits")
    memory, now = shown("memory"), int(info["used_memory"])
    check(abs(memory - now) < 0.05 * now, f"memory: {memory} instead of {now}")
    facts = page.run("Object.fromEntries([...document.querySelectorAll('#types tr')].map(tr => [tr.cells[0].textContent, tr.cells[2].textContent]))")
    wanted = dict(part.split("=") for part in info["db0_types"].split(","))
    check.equal({k: v.replace(",", "") for k, v in facts.items()}, wanted, "types")
    calls = dict(zip(column(page, "t-commands", 0), numbers(column(page, "t-commands", 2))))
    for command in ("get", "set", "incr", "hgetall", "zrange"):
        wanted = int(info[f"cmdstat_{command}"].split("=")[1].split(",")[0])
        check.equal(calls.get(command), wanted, f"calls of {command}")
    names = [row.split(b" ")[3] for row in r("CLIENT", "LIST").splitlines()]
    check.equal(len(column(page, "t-clients", 0)), len(names), "clients in the table")


def sort(check, page):
    def head(n):
        return f"document.querySelectorAll('#t-commands th button')[{n}]"

    aria = lambda n: page.run(f"document.querySelectorAll('#t-commands th')[{n}].getAttribute('aria-sort')")
    check.equal(aria(3), "descending", "total time is what commands are sorted by at first")
    page.run(head(2) + ".click()")
    calls = numbers(column(page, "t-commands", 2))
    check(len(calls) > 5 and calls == sorted(calls, reverse=True), f"a click sorts: {calls}")
    page.run(head(2) + ".click()")
    calls = numbers(column(page, "t-commands", 2))
    check(calls == sorted(calls) and aria(2) == "ascending", f"another click turns the order: {calls}")
    page.run(head(0) + ".focus()")
    page.press("Enter", 13)
    names = column(page, "t-commands", 0)
    check(names == sorted(names) and aria(0) == "ascending", f"a key sorts: {names}")
    page.run("document.querySelector('#p-ops svg').focus()")
    page.press("ArrowLeft", 37)
    check(page.run("document.querySelectorAll('#p-ops .cross').length") == 1, "an arrow key moves through a plot")


def hostile(check, page, r):
    r("CONFIG", "SET", "metrics-page-key-names", "yes")
    page.wait("document.body.innerText.includes('onerror')")
    largest = column(page, "t-big", 0)[0]
    check.equal(largest.encode(), HOSTILE, "a name that looks like markup is shown as it is")
    check.equal(page.run("document.images.length"), 0, "images")
    check.equal(page.run("document.title"), "Redust", "title")
    check("secretvalue" not in page.run("document.body.innerText"), "a value is shown")
    r("CONFIG", "SET", "metrics-page-key-names", "no")


def token(check, page, r, url):
    r("CONFIG", "SET", "metrics-token", "s3cr\u00e9t")
    page.go(url)
    page.wait("!document.getElementById('login').hidden")
    check(page.run("document.getElementById('main').hidden"), "figures are shown without the token")
    answer = "document.getElementById('token').value = '{}'; document.getElementById('ask').requestSubmit()"
    page.run(answer.format("wrong"))
    page.wait("document.getElementById('why').textContent.startsWith('That was not')")
    page.run(answer.format("s3cr\u00e9t"))
    page.wait("!document.getElementById('main').hidden && document.getElementById('login').hidden")
    check(page.run("localStorage.length") == 0, "the token is kept beyond the tab")
    r("CONFIG", "SET", "metrics-token", "")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--pictures", help="a folder for pictures of the page")
    options = parser.parse_args()
    if browser.program() is None:
        print("page: skipped: a browser is missing: apt-get install chromium")
        return 0
    began = time.time()
    folder = tempfile.mkdtemp(prefix="page.")
    port, metrics = free_port(), free_port()
    settings = [
        "--port", str(port), "--bind", "127.0.0.1", "--metrics-port", str(metrics), "--metrics-bind", "127.0.0.1",
        "--dir", folder, "--key-survey", "yes", "--appendonly", "yes", "--maxmemory", "256mb",
        "--slowlog-log-slower-than", "100", "--commandlog-reply-larger-than", "100000",
        "--commandlog-request-larger-than", "100000", "--logfile", os.path.join(folder, "log"),
    ]
    server = subprocess.Popen([os.path.abspath(options.server), *settings], stdin=subprocess.DEVNULL)
    check, stop, url = Check(), threading.Event(), f"http://127.0.0.1:{metrics}/"
    try:
        for _ in range(200):
            try:
                r = Client(port)
                break
            except OSError:
                time.sleep(0.05)
        fill(r)
        worker = threading.Thread(target=traffic, args=(port, stop), daemon=True)
        worker.start()
        with browser.Browser() as b:
            pages = []
            for view, width, height in VIEWS:
                for dark in (False, True):
                    page = b.open(width, height, dark)
                    page.go(url)
                    page.wait("document.readyState == 'complete' && !document.getElementById('main').hidden")
                    page.run("document.getElementById('every').value = '1000'; document.getElementById('every').onchange()")
                    pages.append((f"{view}-{'dark' if dark else 'light'}", page, dark))
            if options.pictures:
                time.sleep(25)
            for name, page, dark in pages:
                page.call("Page.bringToFront")
                look(check, page, r, name, dark)
                if options.pictures:
                    os.makedirs(options.pictures, exist_ok=True)
                    page.picture(os.path.join(options.pictures, name + ".png"))
                    page.picture(os.path.join(options.pictures, name + "-first.png"), whole=False)
            stop.set()
            worker.join()
            compare(check, pages[0][1], r)
            sort(check, pages[0][1])
            hostile(check, pages[0][1], r)
            for name, page, _ in pages:
                page.run("1")
                check.equal(page.wrong, [], f"{name}: what went wrong")
                others = {asked for asked in page.asked if not asked.startswith((url, "data:"))}
                check.equal(others, set(), f"{name}: others that were asked")
            token(check, pages[2][1], r, url)
    finally:
        stop.set()
        server.terminate()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)
    outcome = f"{len(check.failures)} of {check.count} checks failed" if check.failures else f"{check.count} checks passed"
    print(f"page: {outcome} in {time.time() - began:.0f} s")
    return 1 if check.failures else 0


if __name__ == "__main__":
    sys.exit(main())
