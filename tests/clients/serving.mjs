// A `brownout serve` of its own, and what it has seen. Every call is a session of the server: a
// provider, a clock, a journal and findings of its own (`x-brownout-test`).

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const model = { ttft: "5ms", inter_token: "2ms", error_latency: "1ms" };
const scenario = {
  kind: "scenario", version: 1, name: "clients", duration: "1h", seed: 1,
  roles: { primary: "openai/gpt-4", independent: "anthropic/claude" },
  providers: {
    openai: { dialect: "openai", models: { "gpt-4": model } },
    anthropic: { dialect: "anthropic", models: { claude: model } },
  },
  timeline: [{ phase: "all", until: "1h" }],
  workload: { arrivals: { constant: "1/s" }, input_tokens: 10, output_tokens: 12 },
};

export class Serving {
  static async start(program) {
    const folder = mkdtempSync(join(tmpdir(), "clients-"));
    const path = join(folder, "scenario.json");
    writeFileSync(path, JSON.stringify(scenario));
    const child = spawn(program, ["serve", path, "--port", "0"],
      { stdio: ["ignore", "pipe", "inherit"] });
    process.on("exit", () => {
      child.kill();
      rmSync(folder, { recursive: true });
    });
    const lines = createInterface({ input: child.stdout });
    const { value: line } = await lines[Symbol.asyncIterator]().next();
    const address = /http:\/\/\S+$/.exec(line ?? "");
    assert.ok(address, `brownout serve says: ${line}`);
    return new Serving(child, address[0]);
  }

  constructor(child, url) {
    Object.assign(this, { child, url });
  }

  stop() {
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGTERM");
    return ended;
  }

  // On a connection of its own, which no fault closes.
  admin(session, method, what, body) {
    return new Promise((resolve, reject) => {
      const headers = { "x-brownout-test": session };
      const asked = request(`${this.url}/__brownout/${what}`, { method, headers, agent: false });
      asked.on("error", reject);
      asked.on("response", async (reply) => {
        const text = (await reply.setEncoding("utf8").toArray()).join("");
        if (reply.statusCode >= 400) return reject(new Error(`${what}: ${text}`));
        const lines = what === "journal" ? text.split("\n").filter(Boolean) : undefined;
        return resolve(lines ? lines.map((line) => JSON.parse(line)) : JSON.parse(text));
      });
      asked.end(body && JSON.stringify(body));
    });
  }

  // From now on every request of the session meets the fault.
  inject(session, fault) {
    return this.admin(session, "POST", "faults", { fault: { on: "*", ...fault }, for: "1h" });
  }

  // Once nothing is under way any more: a client that has left is noticed a moment later.
  async seen(session) {
    for (;;) {
      const { under_way: still } = await this.admin(session, "GET", "state");
      if (still === 0) break;
      await new Promise((resolve) => { setTimeout(resolve, 20); });
    }
    const [journal, findings] = await Promise.all(["journal", "findings"].map((what) =>
      this.admin(session, "GET", what)));
    return { journal, findings };
  }
}
