import assert from "node:assert/strict";
import { test } from "node:test";

import { hasModel, shown, type Situation } from "../src/status";

const server = { state: "ready", model: "starter", engine: "llama.cpp", latencyMs: { p50: 210, p90: 400 } };

const CASES: readonly (readonly [Situation, string, string])[] = [
  [{ client: "running", server }, "$(sparkle) Devstral · starter · 210 ms", "none"],
  [{ client: "running", server, paused: true }, "$(debug-pause) Devstral · paused · starter", "none"],
  [{ client: "running", server: { state: "absent", model: null } }, "$(circle-slash) Devstral · no model", "warning"],
  [
    { client: "running", server: { state: "absent", model: "starter", message: "downloading starter", progress: 0.42 } },
    "$(cloud-download) Devstral · downloading · starter · 42 %",
    "none",
  ],
  [{ client: "running", server: { state: "loading", progress: 0.425 } }, "$(loading~spin) Devstral · loading · 43 %", "none"],
  [{ client: "running", server: { state: "lost" }, paused: true }, "$(debug-disconnect) Devstral · engine lost", "warning"],
  [{ client: "running", server: { state: "dreaming" } }, "$(question) Devstral · dreaming", "none"],
  [{ client: "running" }, "$(loading~spin) Devstral · starting", "none"],
  [{ client: "crashed", server }, "$(error) Devstral · server crashed", "error"],
  [{ client: "notFound" }, "$(circle-slash) Devstral · not installed", "warning"],
];

for (const [situation, text, severity] of CASES) {
  test(text, () => {
    const found = shown(situation);
    assert.equal(found.text, text);
    assert.equal(found.severity, severity);
  });
}

test("a model that is being downloaded is not there yet", () => {
  assert.equal(hasModel({ state: "absent", model: "starter", progress: 0.42 }), false);
  assert.equal(hasModel({ state: "loading", model: "starter" }), true);
});

test("the tooltip says what is going on and what can be done, line by line", () => {
  const { tooltip } = shown({ client: "running", server: { state: "absent", message: "no model", hint: "Get one." } });
  assert.deepEqual(tooltip, ["Devstral: absent", "no model", "Get one."]);
});
