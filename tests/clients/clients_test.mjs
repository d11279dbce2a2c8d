// What real clients do on every fault that they may meet: node clients_test.mjs BROWNOUT [NAME]
//
// From the root of the repository; UPDATE_GOLDEN=1 writes the tables of docs/guide/clients.md. With
// NAME only the tests with that in their name run. Needs the packages of package.json (./dev setup)
// and curl. Much runs at once, because clients spend their time waiting.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { clients, version } from "./clients.mjs";
import { creates, responses, streams } from "./faults.mjs";
import { measure } from "./measure.mjs";
import { Serving } from "./serving.mjs";

const [program, wanted = ""] = process.argv.slice(2);
const tables = { create: creates, stream: streams, responses };
const page = "docs/guide/clients.md";

// SDKs write about frames they cannot read. What they do is told by the tests.
console.error = () => {};

// --- the page ------------------------------------------------------------------------------------

const openai = `openai ${version("openai")} and ${version("openai7")}`;
const anthropic = `@anthropic-ai/sdk ${version("@anthropic-ai/sdk")}`;
const ai = `ai ${version("ai")}`;
const titles = {
  create: { openai, anthropic, ai, curl: "curl" },
  stream: {
    openai: `${openai}, \`for await\``,
    openaiStream: "their `.stream()`",
    anthropic: `${anthropic}, \`for await\``,
    anthropicStream: "its `.stream()`",
    aiOpenai: `${ai}, \`openai.chat\``,
    aiAnthropic: "its `anthropic`",
    curl: "curl",
  },
  responses: { openai: `${openai}, \`for await\``, openaiStream: "their `responses.stream()`" },
};

const line = (cells) => `| ${cells.join(" | ")} |\n`;

function faultCell({ fault, timeout }) {
  if (!fault) return "none";
  const limit = timeout ? `, and a timeout of ${timeout / 1000} s` : "";
  return `\`${JSON.stringify(fault, null, 1).replace(/\s+/g, " ").slice(2, -2)}\`${limit}`;
}

// What openai 7 does stands beside what openai 6 does, where they differ.
function cell(lines, name) {
  const newer = lines[name.replace("openai", "openai7")];
  if (!name.startsWith("openai") || newer === lines[name]) return lines[name];
  return `6: ${lines[name]}<br>7: ${newer}`;
}

function pageTable(kind, measured) {
  const names = Object.keys(titles[kind]);
  return line(["fault", ...Object.values(titles[kind])]) + line(["---", ...names.map(() => "---")]) +
    tables[kind].map((row, i) =>
      line([faultCell(row), ...names.map((name) => cell(measured[i].lines, name))])).join("");
}

function expectPage(measured) {
  let text = readFileSync(page, "utf8");
  for (const kind of Object.keys(tables)) {
    const between = new RegExp(`(<!-- ${kind} -->\n)[^]*?(?=\n<!-- end -->)`);
    assert.match(text, between);
    const table = pageTable(kind, measured[kind]).trimEnd();
    text = text.replace(between, (_, marker) => marker + table);
  }
  if (process.env.UPDATE_GOLDEN === "1") writeFileSync(page, text);
  assert.equal(readFileSync(page, "utf8"), text);
}

// --- the waits -----------------------------------------------------------------------------------

// In milliseconds, by the clients' sources. The least is certain; above the most there is room for a
// machine that is slow to wake them.
const ownWaits = {
  openai: [[375, 500], [750, 1000]],
  openai7: [[375, 500], [750, 1000]],
  anthropic: [[375, 500], [750, 1000]],
  ai: [[2000, 2000], [4000, 4000]],
  curl: [[1000, 1000], [2000, 2000]],
};
const room = 3000;

function expectWaits(waits, expected) {
  for (const [name, limits] of Object.entries(expected)) {
    assert.equal(waits[name].length, limits.length, name);
    for (const [i, [least, most]] of limits.entries()) {
      const said = `${name} came back after ${waits[name][i]} ms`;
      assert.ok(waits[name][i] >= least - 2, said);
      assert.ok(waits[name][i] <= most + room, said);
    }
  }
}

const ownFault = { error: "server_error" };
const toldFault = { error: "rate_limited", retry_after: "2s" };
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

// --- all of it -----------------------------------------------------------------------------------

// Rows in which a client's pace matters come last, when the crowd has left the machine.
const isTimed = ({ fault, timeout, patience }) =>
  timeout || patience || same(fault, ownFault) || same(fault, toldFault);

async function measureAll(serving) {
  // What is loaded on first use is not counted against anybody's timeout.
  const warm = { fault: { wire: "crlf", share: 1 } };
  for (const kind of Object.keys(clients)) await measure(serving, kind, warm);
  const measured = Object.fromEntries(Object.keys(tables).map((kind) => [kind, []]));
  for (const timed of [false, true]) {
    await Promise.all(Object.entries(tables).flatMap(([kind, rows]) => rows.map(async (row, i) => {
      if (Boolean(isTimed(row)) === timed) measured[kind][i] = await measure(serving, kind, row);
    })));
  }
  return measured;
}

// A row leaves out what openai 7 does as openai 6 does.
function withNewer({ openai: line6, openaiStream: helper6, ...rest }) {
  const helpers = helper6 && { openaiStream: helper6, openai7Stream: helper6 };
  return { openai: line6, openai7: line6, ...helpers, ...rest };
}

function testsOf(measured) {
  const tests = [];
  for (const [kind, rows] of Object.entries(tables)) {
    for (const [i, { fault, timeout, patience, ...expected }] of rows.entries()) {
      tests.push([`${kind} ${fault ? JSON.stringify(fault) : "without a fault"}`, () =>
        assert.deepEqual(measured[kind][i].lines, withNewer(expected))]);
    }
  }
  const waits = (fault) => measured.create[creates.findIndex((row) => same(row.fault, fault))].waits;
  tests.push(["waits between tries", () => expectWaits(waits(ownFault), ownWaits)]);
  tests.push(["waits as told by retry-after", () => {
    const told = Object.keys(ownWaits).map((name) => [name, [[2000, 2000], [2000, 2000]]]);
    expectWaits(waits(toldFault), Object.fromEntries(told));
  }]);
  tests.push(["the tables of the page", () => expectPage(measured)]);
  return tests;
}

async function main() {
  const serving = await Serving.start(program);
  const begin = performance.now();
  const measured = await measureAll(serving);
  let failed = 0;
  for (const [name, body] of testsOf(measured).filter(([each]) => each.includes(wanted))) {
    try {
      body();
      console.log(`ok   ${name}`);
    } catch (error) {
      ++failed;
      console.log(`FAIL ${name}\n     ${error.message}`);
    }
  }
  const code = await serving.stop();
  if (code !== 0) console.log(`FAIL brownout serve ended with ${code}`);
  console.log(failed ? `${failed} failed` : "all passed",
    `in ${((performance.now() - begin) / 1000).toFixed(1)} s`);
  return failed || code !== 0 ? 1 : 0;
}

// Some clients sleep for a minute and a half still.
process.exit(await main());
