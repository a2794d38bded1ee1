"""Sessions of Python's libraries that stand on redis-py: frameworks.py PORT. Prints a line each; fails on the first surprise.

django-redis (a cache, locks, sessions), and the job queues rq, dramatiq, arq and Celery, each with a worker that runs
what somebody else has put in. Much of what they do is done by scripts of the server.
"""

import asyncio
import contextlib
import datetime
import importlib.metadata
import logging
import os
import subprocess
import sys
import time

PORT = int(sys.argv[1])
os.environ["REDUST_PORT"] = str(PORT)

import arq
import arq.jobs
import celery
import django
import dramatiq
import redis
import rq
from arq.connections import RedisSettings

import jobs


def wait_for(condition, what, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen in {seconds} seconds"
        time.sleep(0.01)


def cache():
    from django.conf import settings

    options = {"CLIENT_CLASS": "django_redis.client.DefaultClient"}
    settings.configure(
        CACHES={
            "default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": jobs.url(1), "KEY_PREFIX": "site", "OPTIONS": options},
            "packed": {
                "BACKEND": "django_redis.cache.RedisCache",
                "LOCATION": jobs.url(1),
                "OPTIONS": {
                    **options,
                    "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
                    "COMPRESSOR": "django_redis.compressors.zlib.ZlibCompressor",
                },
            },
        },
        SESSION_ENGINE="django.contrib.sessions.backends.cache",
        USE_TZ=True,
    )
    django.setup()
    from django.core.cache import cache, caches
    from django.contrib.sessions.backends.cache import SessionStore

    assert cache.set("user", {"name": "Ann", "ids": [1, 2]}, timeout=100) and cache.get("user") == {"name": "Ann", "ids": [1, 2]}
    assert cache.get("nobody", "default") == "default" and 95 < cache.ttl("user") <= 100
    assert cache.add("user", 1) is False and cache.set("n", 40) and cache.incr("n", 2) == 42 and cache.decr("n") == 41
    cache.set_many({f"part:{n}": n for n in range(100)}, timeout=50)
    assert cache.get_many(["part:1", "part:99", "none"]) == {"part:1": 1, "part:99": 99}
    assert len(list(cache.iter_keys("part:*", itersize=10))) == 100 and cache.delete_pattern("part:*") == 100
    assert cache.get_or_set("made", lambda: "once", 10) == "once" and cache.touch("made", 90) and cache.persist("made") and cache.ttl("made") is None
    assert cache.expire("made", 5) and 0 < cache.ttl("made") <= 5 and cache.delete("made") and cache.get("made") is None
    try:
        cache.incr("nothing")
        raise AssertionError("a key that is not there was incremented")
    except ValueError:
        pass
    with cache.lock("job", timeout=5):
        assert not cache.lock("job", timeout=5).acquire(blocking=False)
    caches["packed"].set("long", ["text " * 1000])
    assert caches["packed"].get("long") == ["text " * 1000]
    session = SessionStore()
    session["cart"] = [1, 2, 3]
    session.save()
    assert SessionStore(session.session_key)["cart"] == [1, 2, 3]
    session.cycle_key()
    session.delete()
    assert not SessionStore().exists(session.session_key)
    cache.clear()
    assert cache.get("user") is None


def rq_jobs():
    r = redis.Redis(port=PORT, db=6)
    queue, urgent = rq.Queue("normal", connection=r), rq.Queue("urgent", connection=r)
    work = lambda **options: rq.SimpleWorker([urgent, queue], connection=r).work(burst=True, logging_level="CRITICAL", **options)
    first = queue.enqueue(jobs.add, 1, 2)
    after = queue.enqueue(jobs.add, 3, 4, depends_on=first)
    lost = queue.enqueue(jobs.fail)
    fast = urgent.enqueue(jobs.add, 5, 6, result_ttl=100)
    assert len(queue) == 2 and after.get_status() == "deferred"
    work()
    assert (first.return_value(), after.return_value(), fast.return_value()) == (3, 7, 11)
    fast.refresh()
    first.refresh()
    assert fast.ended_at < first.ended_at and lost.get_status(refresh=True) == "failed"
    assert lost.id in queue.failed_job_registry and "it never works" in lost.latest_result().exc_string
    queue.failed_job_registry.requeue(lost.id)
    assert len(queue) == 1
    work()
    queue.enqueue_in(datetime.timedelta(milliseconds=1), jobs.add, 7, 8, job_id="later")
    time.sleep(1.1)
    work(with_scheduler=True)
    wait_for(lambda: len(queue) == 1 or rq.job.Job.fetch("later", r).is_finished, "a scheduled job")
    work()
    assert rq.job.Job.fetch("later", r).return_value() == 15
    again = queue.enqueue(jobs.fail, retry=rq.Retry(max=2))
    work()
    again.refresh()
    assert again.get_status() == "failed" and again.retries_left == 0 and again.id in queue.failed_job_registry
    queue.delete(delete_jobs=True)
    r.close()


def dramatiq_jobs():
    worker = dramatiq.Worker(jobs.broker, worker_threads=4, worker_timeout=50)
    worker.start()
    try:
        message = jobs.multiply.send(6, 7)
        assert message.get_result(block=True, timeout=5000) == 42
        assert jobs.stubborn.send().get_result(block=True, timeout=10000) == 3
        start = time.monotonic()
        assert jobs.multiply.send_with_options(args=(2, 3), delay=200).get_result(block=True, timeout=5000) == 6
        assert time.monotonic() - start > 0.2
        group = dramatiq.group([jobs.multiply.message(n, n) for n in range(20)]).run()
        assert list(group.get_results(block=True, timeout=5000)) == [n * n for n in range(20)]
        chain = (jobs.multiply.message(2, 3) | jobs.multiply.message(4)).run()
        assert chain.get_result(block=True, timeout=5000) == 24
        with jobs.alone.acquire():
            assert jobs.one_at_a_time.send().get_result(block=True, timeout=5000) is False
        assert jobs.one_at_a_time.send().get_result(block=True, timeout=5000) is True
        jobs.broker.join(jobs.multiply.queue_name, timeout=5000)
        worker.join()
    finally:
        worker.stop()
        jobs.broker.close()


async def arq_jobs():
    settings = RedisSettings(port=PORT, database=3)
    pool = await arq.create_pool(settings)
    one = await pool.enqueue_job("fetch", "page", _job_id="one")
    assert await pool.enqueue_job("fetch", "page", _job_id="one") is None
    again = await pool.enqueue_job("retried")
    later = await pool.enqueue_job("fetch", "later", _defer_by=0.2)
    assert await later.status() == arq.jobs.JobStatus.deferred and len(await pool.queued_jobs()) == 3
    worker = arq.Worker([jobs.fetch, jobs.retried], redis_settings=settings, poll_delay=0.05, handle_signals=False, allow_abort_jobs=True)
    running = asyncio.create_task(worker.async_run())
    assert await one.result(timeout=5, poll_delay=0.02) == "page, try 1"
    assert await again.result(timeout=5, poll_delay=0.02) == "retried, try 2"
    assert await later.result(timeout=5, poll_delay=0.02) == "later, try 1"
    slow = await pool.enqueue_job("fetch", "slow", 30)
    while await slow.status() != arq.jobs.JobStatus.in_progress:
        await asyncio.sleep(0.02)
    assert await slow.abort(timeout=5, poll_delay=0.02) is True
    assert len(await pool.all_job_results()) == 4
    await worker.close()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await pool.aclose()


def celery_jobs():
    here = os.path.dirname(os.path.abspath(__file__))
    # In the queue before there is a worker, the urgent one last.
    early = [jobs.plus.apply_async((n, 1), priority=priority) for n, priority in [(1, 9), (2, 6), (3, 0)]]
    command = [sys.executable, "-m", "celery", "-A", "jobs", "worker", "--pool", "threads", "--concurrency", "2", "--loglevel", "ERROR"]
    worker = subprocess.Popen(command, cwd=here, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    try:
        assert [one.get(timeout=30) for one in early] == [2, 3, 4]
        assert celery.group(jobs.plus.s(n, n) for n in range(10))().get(timeout=10) == [2 * n for n in range(10)]
        assert celery.chain(jobs.plus.s(1, 2), jobs.plus.s(3), jobs.plus.s(4))().get(timeout=10) == 10
        assert celery.chord((jobs.plus.s(n, 1) for n in range(10)), jobs.total.s())().get(timeout=10) == 55
        assert jobs.retries.delay().get(timeout=10) == 2
        failed = jobs.reports.delay()
        wait_for(failed.failed, "a failed task")
        assert isinstance(failed.result, KeyError) and failed.name == "jobs.reports"
        start = time.monotonic()
        assert jobs.plus.apply_async((1, 1), countdown=0.3).get(timeout=10) == 2 and time.monotonic() - start > 0.25
        revoked = jobs.plus.apply_async((1, 1), countdown=1000)
        revoked.revoke()
        # Broadcasts to the workers, and their answers.
        (pong,) = jobs.app.control.ping(timeout=10, limit=1)
        assert list(pong.values()) == [{"ok": "pong"}]
        (tasks,) = jobs.app.control.inspect(timeout=10, limit=1).registered().values()
        assert "jobs.plus" in tasks
        early[0].forget()
        assert early[0].state == "PENDING"
    finally:
        worker.terminate()
        worker.wait(timeout=20)


def main():
    # What fails on purpose would be told of.
    logging.disable()
    redis.Redis(port=PORT).flushall()
    parts = [
        ("django-redis", cache), ("rq", rq_jobs), ("dramatiq", dramatiq_jobs),
        ("arq", lambda: asyncio.run(arq_jobs())), ("celery", celery_jobs),
    ]
    for name, part in parts:
        try:
            part()
        except Exception:
            print(f"clients: {name} {importlib.metadata.version(name)} failed", flush=True)
            raise
    print("clients:", ", ".join(f"{name} {importlib.metadata.version(name)}" for name, _ in parts) + ": passed", flush=True)


main()
