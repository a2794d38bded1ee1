// A session of BullMQ with the server: bullmq.mjs PORT SOCKET MODULES.
//
// All that a queue does to its jobs is done by scripts of the server, some of hundreds of lines.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { run, waitFor } from "./session.mjs";

const [port, , modules] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const { FlowProducer, Queue, QueueEvents, Worker } = require("bullmq");
const { Redis } = require("ioredis");
const { version } = require("bullmq/package.json");

const connection = { host: "127.0.0.1", port: Number(port) };
let closing = [];

function open(made) {
    made.on("error", () => {});
    closing.push(made);
    return made;
}

const queue = (name, options = {}) => open(new Queue(name, { connection, ...options }));
const worker = (name, work, options = {}) => open(new Worker(name, work, { connection, ...options }));

async function adding() {
    const q = queue("plain");
    const events = open(new QueueEvents("plain", { connection }));
    await events.waitUntilReady();
    const seen = [];
    events.on("completed", ({ jobId }) => seen.push(jobId));
    worker("plain", async (job) => {
        if (job.name === "sum") {
            await job.updateProgress(50);
            await job.log("half-way");
            return job.data.a + job.data.b;
        }
        if (job.attemptsMade < 2) throw new Error("not yet");
        return "the third time";
    });
    const sum = await q.add("sum", { a: 20, b: 22 });
    assert.equal(await sum.waitUntilFinished(events, 5000), 42);
    const again = await q.add("again", {}, { attempts: 3, backoff: { type: "fixed", delay: 20 } });
    assert.equal(await again.waitUntilFinished(events, 5000), "the third time");
    assert.equal((await q.getJob(sum.id)).progress, 50);
    assert.deepEqual((await q.getJobLogs(sum.id)).logs, ["half-way"]);
    const lost = await q.add("lost", {}, { attempts: 1 });
    await assert.rejects(lost.waitUntilFinished(events, 5000), /not yet/);
    assert.equal(await lost.getState(), "failed");
    assert.deepEqual(seen, [sum.id, again.id]);
    // One of this id is there already.
    await q.addBulk([{ name: "sum", data: { a: 1, b: 1 }, opts: { jobId: "one" } }]);
    await q.add("sum", { a: 9, b: 9 }, { jobId: "one" });
    await waitFor(async () => (await q.getJob("one")).returnvalue === 2, "the first of two jobs with one id");
    const counts = await q.getJobCounts("completed", "failed", "wait", "active");
    assert.deepEqual(counts, { completed: 3, failed: 1, wait: 0, active: 0 });
    assert.equal((await q.clean(0, 100, "completed")).length, 3);
}

async function delayed() {
    const q = queue("delayed");
    const done = [];
    const start = Date.now();
    await q.add("later", {}, { delay: 250 });
    await q.add("sooner", {}, { delay: 80 });
    const far = await q.add("never", {}, { delay: 3600_000 });
    assert.equal(await q.getDelayedCount(), 3);
    worker("delayed", async (job) => done.push([job.name, Date.now() - start]));
    await waitFor(() => done.length === 2, "two delayed jobs");
    assert.deepEqual(done.map(([name]) => name), ["sooner", "later"]);
    assert(done[0][1] >= 79 && done[1][1] >= 249, `too early: ${done}`);
    await far.promote();
    await waitFor(() => done.length === 3, "a promoted job");
}

async function repeated() {
    const q = queue("repeated");
    let ticks = 0;
    worker("repeated", async () => ++ticks);
    await q.upsertJobScheduler("every", { every: 60, limit: 3 }, { name: "tick" });
    await waitFor(() => ticks === 3, "three ticks");
    await q.upsertJobScheduler("nightly", { pattern: "0 3 * * *" }, { name: "night" });
    const schedulers = await q.getJobSchedulers();
    assert(schedulers.some((one) => one.key === "nightly"), "a scheduler by a pattern");
    assert.equal(await q.removeJobScheduler("nightly"), true);
    assert.equal(ticks, 3);
}

async function limited() {
    const q = queue("limited");
    const at = [];
    await q.addBulk(Array.from({ length: 5 }, (_, n) => ({ name: "job", data: { n } })));
    worker("limited", async () => at.push(Date.now()), { limiter: { max: 2, duration: 200 } });
    await waitFor(() => at.length === 5, "five jobs, two each 200 ms");
    assert(at[4] - at[0] >= 350, `too fast: ${at.map((time) => time - at[0])}`);
}

async function prioritized() {
    const q = queue("prioritized");
    const order = [];
    for (const [name, priority] of [["third", 10], ["first", 1], ["fourth", 10], ["second", 5]]) {
        await q.add(name, {}, { priority });
    }
    await q.add("before all", {});
    assert.equal(await q.getPrioritizedCount(), 4);
    const one = worker("prioritized", async (job) => order.push(job.name), { autorun: false });
    one.run();
    await waitFor(() => order.length === 5, "five jobs");
    assert.deepEqual(order, ["before all", "first", "second", "third", "fourth"]);
    await q.pause();
    await q.add("waits", {});
    assert.equal(await q.isPaused(), true);
    assert.equal(order.length, 5);
    await q.resume();
    await waitFor(() => order.at(-1) === "waits", "a job of a queue that was paused");
}

// A worker that dies keeps its job only until the lock is gone: then another one gets it.
async function stalled() {
    const q = queue("stalled");
    const dead = worker("stalled", () => new Promise(() => {}), { lockDuration: 150, skipLockRenewal: true, skipStalledCheck: true });
    const job = await q.add("job", {});
    await waitFor(async () => (await job.getState()) === "active", "an active job");
    await dead.close(true);
    const found = [];
    const heir = worker("stalled", async () => "inherited", { lockDuration: 1000, stalledInterval: 100 });
    heir.on("stalled", (id) => found.push(id));
    await waitFor(async () => (await job.getState()) === "completed", "a job of a worker that is gone");
    assert.deepEqual(found, [job.id]);
    assert.equal((await q.getJob(job.id)).returnvalue, "inherited");
}

// A parent waits for its children, which wait for theirs.
async function flows() {
    const flow = open(new FlowProducer({ connection }));
    const q = queue("parents");
    worker("leaves", async (job) => job.data.n * 10);
    worker("parents", async (job) => {
        const values = Object.values(await job.getChildrenValues());
        return values.reduce((sum, n) => sum + n, 0);
    });
    const leaf = (n) => ({ name: "leaf", queueName: "leaves", data: { n } });
    const tree = await flow.add({
        name: "root",
        queueName: "parents",
        children: [
            { name: "branch", queueName: "parents", children: [leaf(1), leaf(2)] },
            leaf(3),
        ],
    });
    assert.equal(tree.children.length, 2);
    const done = async () => (await q.getJob(tree.job.id)).returnvalue === 60;
    await waitFor(done, "the sum of a tree of jobs");
    const { processed } = await tree.job.getDependencies();
    assert.equal(Object.keys(processed).length, 2);
}

const redis = new Redis(connection);
await redis.flushall();
const cleanly = (part) => async () => {
    await part();
    await Promise.all(closing.map((made) => made.close()));
    closing = [];
};
await run(`BullMQ ${version}`, [
    ["adding", cleanly(adding)],
    ["delayed", cleanly(delayed)],
    ["repeated", cleanly(repeated)],
    ["limited", cleanly(limited)],
    ["prioritized", cleanly(prioritized)],
    ["stalled", cleanly(stalled)],
    ["flows", cleanly(flows)],
    ["obliterated", async () => {
        const q = queue("plain");
        await q.obliterate({ force: true });
        await q.close();
        assert.deepEqual(await redis.keys("bull:plain:*"), []);
    }],
]);
redis.disconnect();
