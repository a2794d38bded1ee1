// What the sessions of Node's libraries share: waiting, refusals, and the loop over a session's parts.

import assert from "node:assert/strict";

export async function waitFor(condition, what, seconds = 5) {
    const end = Date.now() + seconds * 1000;
    while (!(await condition())) {
        assert(Date.now() < end, `${what} did not happen in ${seconds} seconds`);
        await new Promise((done) => setTimeout(done, 10));
    }
}

// The message of the error that `call` must end with.
export async function refused(call) {
    try {
        await call();
    } catch (error) {
        return error.message;
    }
    throw new Error(`not refused: ${call}`);
}

// Runs the parts one after another; the first that fails ends the session with exit code 1.
export async function run(title, parts) {
    for (const [name, part] of parts) {
        try {
            await part();
        } catch (error) {
            console.log(`clients: ${title}: ${name} failed`);
            console.error(error);
            process.exit(1);
        }
    }
    console.log(`clients: ${title}: ${parts.length} parts passed`);
}
