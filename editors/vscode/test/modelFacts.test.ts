import assert from "node:assert/strict";
import { test } from "node:test";

import { described, rank } from "../src/modelFacts";

test("the facts of a model are described, those that are not told are left out", () => {
  assert.deepEqual(described({ name: "starter" }), {});
  assert.deepEqual(
    described({
      name: "starter",
      title: "Qwen2.5-Coder 0.5B",
      size: 491_400_064,
      licence: "Apache-2.0",
      source: "Hugging Face",
      sha256: "0123456789abcdef",
      fits: true,
      recommended: true,
    }),
    { description: "recommended · 0.49 GB · fits here", detail: "Qwen2.5-Coder 0.5B · Apache-2.0 · from Hugging Face · SHA-256 0123456789ab…" },
  );
  assert.equal(described({ name: "devstral", size: 14_333_915_904, fits: null }).description, "14.3 GB");
  assert.equal(described({ name: "devstral", size: 14_333_915_904, fits: false }).description, "14.3 GB · does not fit here");
});

test("what is recommended comes first, what does not fit last", () => {
  const models = [{ name: "a", fits: false }, { name: "b" }, { name: "c", fits: true, recommended: true }];
  assert.deepEqual(models.sort((one, other) => rank(one) - rank(other)).map(({ name }) => name), ["c", "b", "a"]);
});
