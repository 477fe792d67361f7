import assert from "node:assert/strict";
import { test } from "node:test";

import { needsRestart, serverKeys, userTree, workspaceTree, type Inspected } from "../src/settings";

const KEYS = serverKeys({
  contributes: {
    configuration: [
      { properties: { "devstral.client.command": { scope: "machine" } } },
      { properties: { "devstral.model.name": { scope: "machine" }, "devstral.inline.enable": { scope: "window" } } },
      { properties: { "devstral.inline.model": { scope: "machine" } } },
    ],
  },
});

const inspecting = (values: Record<string, Inspected>) => (name: string) => values[name];

test("the extension's own settings are not the server's", () => {
  assert.deepEqual(KEYS.map((key) => [key.name, key.userOnly]), [
    ["model.name", true],
    ["inline.enable", false],
    ["inline.model", true],
  ]);
});

test("a setting that is not set is not sent", () => {
  const inspect = inspecting({ "model.name": {}, "inline.enable": { globalValue: false } });
  assert.deepEqual(userTree(KEYS, inspect), { inline: { enable: false } });
  assert.deepEqual(workspaceTree(KEYS, () => undefined), {});
});

test("a workspace's word counts where it may, and is nearer than the user's", () => {
  const inspect = inspecting({
    "model.name": { globalValue: "mine", workspaceValue: "theirs" },
    "inline.enable": { globalValue: true, workspaceValue: false },
    "inline.model": { workspaceFolderValue: "theirs" },
  });
  assert.deepEqual(userTree(KEYS, inspect), { model: { name: "mine" }, inline: { enable: true } });
  assert.deepEqual(workspaceTree(KEYS, inspect), { inline: { enable: false } });
});

test("a server is started again only for what cannot reach it otherwise", () => {
  const on = { inline: { enable: true } };
  assert.equal(needsRestart(KEYS, on, { inline: { enable: false } }), false);
  assert.equal(needsRestart(KEYS, {}, on), false);
  assert.equal(needsRestart(KEYS, on, {}), true);
  assert.equal(needsRestart(KEYS, on, { ...on, model: { name: "starter" } }), true);
  assert.equal(needsRestart(KEYS, { model: { name: "a" } }, { model: { name: "a" } }), false);
});
