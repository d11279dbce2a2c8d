// What a client makes of a fault, and what the server has seen of it.

import { clients, outcome } from "./clients.mjs";

const kinds = ["retried_non_retryable", "came_back_early", "accepted_truncated"];
const told = (findings) => kinds.filter((kind) => findings[kind] > 0)
  .map((kind) => `; ${kind}${findings[kind] > 1 ? ` ${findings[kind]}` : ""}`).join("");

// From the end of a try to the arrival of the next, in milliseconds.
const waitsOf = (journal) => journal.slice(1).map((entry, i) =>
  (entry.at_ns - journal[i].at_ns - journal[i].ended_ns) / 1e6);

async function measureClient(serving, kind, name, { fault, timeout, patience }) {
  const session = `${kind} ${name} ${JSON.stringify(fault)}`;
  if (fault) await serving.inject(session, fault);
  const said = await outcome(clients[kind][name], serving.url, session, { timeout, patience });
  const { journal, findings } = await serving.seen(session);
  return {
    name,
    line: `${findings.attempts} × ${said}${told(findings)}`,
    decided: journal.map(({ decision }) =>
      decision.outcome + (decision.injected ? "" : " by itself")),
    waits: waitsOf(journal),
  };
}

/// A row of faults.mjs as it is: `server` and a line for each client. Beside it `waits`, the pauses
/// between tries, by client.
export async function measure(serving, kind, row) {
  const all = await Promise.all(Object.keys(clients[kind]).map((name) =>
    measureClient(serving, kind, name, row)));
  const decided = [...new Set(all.flatMap((one) => one.decided))].sort();
  return {
    lines: {
      server: decided.join(" or "), ...Object.fromEntries(all.map(({ name, line }) => [name, line])),
    },
    waits: Object.fromEntries(all.map(({ name, waits }) => [name, waits])),
  };
}
