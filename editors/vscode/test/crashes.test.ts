import assert from "node:assert/strict";
import { test } from "node:test";

import { Crashes, MAX_RESTARTS } from "../src/crashes";
import { percentage } from "../src/run";

test("a server that keeps dying is given up, after longer and longer waits", () => {
  const crashes = new Crashes(() => 0);
  const waits = Array.from({ length: MAX_RESTARTS + 1 }, () => crashes.add());
  assert.deepEqual(waits, [250, 500, 1000, 2000, undefined]);
  crashes.forget();
  assert.equal(crashes.add(), 250);
});

test("crashes long ago do not count", () => {
  let now = 0;
  const crashes = new Crashes(() => now);
  for (let i = 0; i < 20; i++, now += 60_001) {
    assert.ok(crashes.add() !== undefined);
  }
});

test("the progress of a fetch is read from its last word", () => {
  assert.equal(percentage("starter: downloading from a mirror 49 MB of 491 MB (10%)"), 10);
  assert.equal(percentage("starter: verifying"), undefined);
  assert.equal(percentage("(10%) done"), undefined);
});
