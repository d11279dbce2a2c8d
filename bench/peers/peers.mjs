// What cockatiel and opossum cost a call, in nanoseconds of CPU time. Prints JSON: for each
// library and path the best of several rounds, beside the floor: an awaited async function.
//
// Usage: node peers.mjs DIRECTORY_WITH_NODE_MODULES [SECONDS_PER_ROUND]

import { createRequire } from "node:module";
import { resolve } from "node:path";
import process from "node:process";

const require = createRequire(resolve(process.argv[2], "package.json"));
const cockatiel = require("cockatiel");
const Opossum = require("opossum");

const rounds = 5;
const round_ns = Number(process.argv[3] ?? 0.2) * 1e9;

const answer = { text: "An answer." };
const succeed = async () => answer;
const fail = async () => {
  throw new Error("the provider is down");
};

const cpu_ns = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
};

// A call must end as its path should, or the figure would be that of another path.
async function measure(call, should_succeed) {
  const once = async () => {
    try {
      await call();
      return true;
    } catch {
      return false;
    }
  };
  if ((await once()) !== should_succeed) throw new Error("a call did not end as it should");
  const run = should_succeed ? call : once;
  const batch = async (calls) => {
    const begin = cpu_ns();
    for (let i = 0; i < calls; ++i) await run();
    return cpu_ns() - begin;
  };
  let calls = 1000;
  while ((await batch(calls)) < round_ns) calls *= 2;
  let best = Infinity;
  for (let i = 0; i < rounds; ++i) best = Math.min(best, (await batch(calls)) / calls);
  return best;
}

function cockatiel_policies() {
  const breaker = () =>
    cockatiel.circuitBreaker(cockatiel.handleAll, {
      halfOpenAfter: 60_000,
      breaker: new cockatiel.ConsecutiveBreaker(5),
    });
  const retry = cockatiel.retry(cockatiel.handleAll, {
    maxAttempts: 2,
    backoff: new cockatiel.ExponentialBackoff({ initialDelay: 500, maxDelay: 8000 }),
  });
  return { breaker, retry };
}

async function measure_cockatiel() {
  const { breaker, retry } = cockatiel_policies();
  const closed = breaker();
  const both = cockatiel.wrap(breaker(), retry); // the outermost first
  const open = breaker();
  open.isolate();
  return {
    retry: await measure(() => retry.execute(succeed), true),
    breaker: await measure(() => closed.execute(succeed), true),
    breaker_retry: await measure(() => both.execute(succeed), true),
    rejected: await measure(() => open.execute(succeed), false),
  };
}

// opossum has no retry. Its timeout, a timer for each call, is on by default; the breaker alone is
// measured without it.
async function measure_opossum() {
  const options = { timeout: false, volumeThreshold: 5, resetTimeout: 60_000 };
  const closed = new Opossum(succeed, options);
  const open = new Opossum(fail, options);
  open.open();
  const results = {
    breaker: await measure(() => closed.fire(), true),
    rejected: await measure(() => open.fire(), false),
  };
  closed.shutdown();
  open.shutdown();
  return results;
}

const version = (name) => require(`${name}/package.json`).version;
const result = {
  runtime: `node ${process.versions.node}`,
  floor: await measure(succeed, true),
  floor_rejected: await measure(fail, false),
  libraries: {
    [`cockatiel ${version("cockatiel")}`]: await measure_cockatiel(),
    [`opossum ${version("opossum")}`]: await measure_opossum(),
  },
};
console.log(JSON.stringify(result));
process.exit(0);
