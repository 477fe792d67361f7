import assert from "node:assert/strict";
import { test } from "node:test";

import { explained } from "../src/why";

test("the server's sentence comes first, its code is among the details", () => {
  const trace = { reason: "unsure", sentence: "The model was not sure.", hint: "Lower it.", model: "m", stages: { model: 3.1 } };
  assert.deepEqual(explained(trace), {
    label: "The model was not sure.",
    hint: "Lower it.",
    details: [{ label: "unsure, m" }, { label: "model", description: "3.1 ms" }],
  });
});

test("without a sentence the code is shown", () => {
  assert.deepEqual(explained({ reason: "empty" }), { label: "empty", hint: undefined, details: [] });
  assert.equal(explained(null).label, "nothing was asked here yet");
});
