"""What the workers of frameworks.py do. Their port is in REDUST_PORT: workers of their own process import this too."""

import asyncio
import os

import arq
import celery
import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.rate_limits import ConcurrentRateLimiter
from dramatiq.rate_limits.backends import RedisBackend as RateLimits
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend as ResultsInRedis

PORT = int(os.environ["REDUST_PORT"])


def url(database):
    return f"redis://127.0.0.1:{PORT}/{database}"


# rq
def add(a, b):
    return a + b


def fail():
    raise ValueError("it never works")


# dramatiq
broker = RedisBroker(url=url(2))
broker.add_middleware(Results(backend=ResultsInRedis(url=url(2))))
dramatiq.set_broker(broker)
alone = ConcurrentRateLimiter(RateLimits(url=url(2)), "alone", limit=1)
attempts = []


@dramatiq.actor(store_results=True)
def multiply(a, b):
    return a * b


@dramatiq.actor(store_results=True, max_retries=5, min_backoff=20, max_backoff=20)
def stubborn():
    attempts.append(1)
    if len(attempts) < 3:
        raise RuntimeError("not yet")
    return len(attempts)


@dramatiq.actor(store_results=True)
def one_at_a_time():
    with alone.acquire(raise_on_failure=False) as acquired:
        return bool(acquired)


# arq
async def fetch(context, what, pause=0.0):
    await asyncio.sleep(pause)
    return f"{what}, try {context['job_try']}"


async def retried(context):
    if context["job_try"] < 2:
        raise arq.Retry(defer=0.02)
    return await fetch(context, "retried")


# Celery
app = celery.Celery("jobs", broker=url(4), backend=url(5))
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_transport_options={"priority_steps": [0, 3, 6, 9], "queue_order_strategy": "priority"},
    worker_prefetch_multiplier=1,
    result_extended=True,
)


@app.task
def plus(a, b):
    return a + b


@app.task
def total(numbers):
    return sum(numbers)


@app.task(bind=True, max_retries=3)
def retries(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return self.request.retries


@app.task(bind=True)
def reports(self):
    self.update_state(state="HALFWAY", meta={"done": 50})
    raise KeyError("lost")
