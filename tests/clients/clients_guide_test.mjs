// The commands of docs/guide/clients.md print what stands there: node clients_guide_test.mjs BROWNOUT
//
// From the root of the repository; UPDATE_GOLDEN=1 writes the page. A ```js block whose first line
// is a comment with a file's name is that file. A ```console block holds commands, each after "$ ",
// and what they print; all blocks are one session, in a folder with the packages of package.json. The
// page's port stands for one that is free.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { version } from "./clients.mjs";

const program = resolve(process.argv[2]);
const page = "docs/guide/clients.md";
const pagePort = "8080";
const patience = 120_000; // for anything, sanitizers and a busy machine included

function freePort() {
  return new Promise((answer) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => answer(String(port)));
    });
  });
}

function makeFolder(text, port) {
  const folder = mkdtempSync(join(tmpdir(), "clients-guide-"));
  mkdirSync(join(folder, "bin"));
  symlinkSync(program, join(folder, "bin", "brownout"));
  const packages = fileURLToPath(new URL("node_modules", import.meta.url));
  symlinkSync(packages, join(folder, "node_modules"));
  for (const [, code, name] of text.matchAll(/```js\n(\/\/ (\S+)\n[^]*?)```/g)) {
    writeFileSync(join(folder, name), code.replaceAll(pagePort, port));
  }
  return folder;
}

// What each command prints, standard error included, in one shell, which leaves nobody behind.
function session(commands, folder) {
  const script = commands.map((command) => `printf '\\0'; (exit $last); ${command}\nlast=$?\n`);
  const path = `${folder}/bin:${process.env.PATH}`;
  const ended = spawnSync("bash", ["--norc", "-c",
    `exec 2>&1\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\nlast=0\n${script.join("")}`],
  { cwd: folder, encoding: "utf8", timeout: patience, env: { ...process.env, PATH: path } });
  return ended.stdout.split("\0").slice(1);
}

function real(text, port) {
  const folder = makeFolder(text, port);
  const block = /```console\n([^]*?)```\n/g;
  const commandsOf = (shown) => shown.split("\n").filter((line) => line.startsWith("$ "));
  const lines = [...text.matchAll(block)].flatMap(([, shown]) => commandsOf(shown));
  try {
    const outputs = session(lines.map((line) => line.slice(2).replaceAll(pagePort, port)), folder);
    let next = 0;
    return text.replace(block, (_, shown) => {
      const made = commandsOf(shown).map((line) =>
        `${line}\n${(outputs[next++] ?? "").replaceAll(port, pagePort)}`);
      return `\`\`\`console\n${made.join("")}\`\`\`\n`;
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const shown = readFileSync(page, "utf8");
assert.ok(shown.includes(`openai@${version("openai")}`), "the page names the tested version");
const printed = real(shown, await freePort());
if (process.env.UPDATE_GOLDEN === "1") writeFileSync(page, printed);
assert.equal(readFileSync(page, "utf8"), printed);
