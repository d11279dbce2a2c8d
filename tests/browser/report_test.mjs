// The HTML report in a real browser: node report_test.mjs BROWNOUT [NAME]
//
// From the root of the repository. With NAME only the tests with that in their name run. Needs
// Debian's chromium, and playwright-core from npm (./dev setup).

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [program, wanted = ""] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "report-"));
const tests = [];
const test = (name, body) => tests.push({ name, body });

// --- the pages -----------------------------------------------------------------------------------

function brownout(...args) {
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  // 1: an expectation failed; 4: no verdict.
  assert.ok([0, 1, 4].includes(status), `brownout ${args.join(" ")}: ${status}\n${stderr}`);
}

const place = (name, ending) => join(folder, `${name}.${ending}`);
const outputs = (name) => ["--html", place(name, "html"), "--json", place(name, "json")];
const documentOf = (name) => JSON.parse(readFileSync(place(name, "json"), "utf8")).runs[0];

const evilText = "</script><img src=x onerror=\"document.title='owned'\">";

// The same result with a text of this kind wherever a scenario, a policy or a reply may bring one.
function writeEvil(from) {
  const results = JSON.parse(readFileSync(place(from, "json"), "utf8"));
  for (const run of results.runs) {
    for (const key of ["scenario", "scenario_description", "scenario_source", "policy",
      "policy_description", "replay"]) {
      run[key] = evilText;
    }
    run.expectations[0].expression = run.expectations[0].actual = evilText;
    run.timeline.series.find(({ metric }) => metric === "quota").of = evilText;
  }
  writeFileSync(place("evil", "json"), JSON.stringify(results));
  brownout("report", place("evil", "json"), "--html", place("evil", "html"));
}

function writePages() {
  const guide = ["--policy", "scenarios/policies/guide-layered.json"];
  const hedged = "scenarios/museum/C57-everything-is-hedged.json";
  const stall = "scenarios/incidents/dns-30s-stall.json";
  brownout("run", "scenarios/incidents/openai-control-plane-collapse.json", ...outputs("flagship"));
  brownout("run", stall, ...guide, ...outputs("failing"));
  brownout("run", hedged, ...outputs("hedged"));
  brownout("run", hedged, "scenarios/museum/C48-abandoned-wait-keeps-its-charge.json",
    "scenarios/museum/C08-thundering-recovery.json", ...outputs("several"));
  writeEvil("failing");
  brownout("compare", "--policies", "scenarios/policies/recommended.json",
    "scenarios/policies/guide-layered.json", "scenarios/policies/presets/portkey.json",
    "--scenarios", "scenarios/healthy.json", "scenarios/drills", "--html",
    place("compared", "html"), "--reports", `${folder}/reports`);
}

// A page of the report that may ask for nothing and must not complain.
async function open(browser, name, options = {}, hash = "") {
  const context = await browser.newContext({
    viewport: { width: 1400, height: 900 }, offline: true, ...options,
  });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => {
    const url = request.url();
    const isPage = url.startsWith("file:") && url.includes(`${name}.html`);
    if (!isPage) complaints.push(`asked for ${url}`);
  });
  page.complaints = complaints;
  await page.goto(`file://${folder}/${name}.html${hash}`);
  if (name !== "compared") {
    await page.waitForFunction(() => document.documentElement.dataset.drawn);
  }
  return page;
}

const scales = (page) =>
  page.evaluate(() => [...document.querySelectorAll(".plot")].filter((box) => box.plot)
    .map(({ plot }) => [plot.scales.x.min, plot.scales.x.max]));

async function drag(page, from, to) {
  const over = page.locator(".u-over").first();
  await over.scrollIntoViewIfNeeded();
  const box = await over.boundingBox();
  const y = box.y + box.height / 2;
  await page.mouse.move(box.x + box.width * from, y);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * (from + to) / 2, y);
  await page.mouse.move(box.x + box.width * to, y);
  await page.mouse.up();
  await page.waitForTimeout(50);
}

test("opens without a network, a request or a complaint", async (browser) => {
  for (const name of ["flagship", "failing", "hedged", "several", "evil", "compared"]) {
    const page = await open(browser, name);
    assert.deepEqual(page.complaints, [], name);
    await page.context().close();
  }
});

test("draws every panel of every series", async (browser) => {
  const page = await open(browser, "failing");
  const panels = await page.locator("figure.panel").count();
  assert.ok(panels >= 6, `${panels} panels`);
  assert.equal(await page.locator("figure.panel canvas").count(), panels);
  // Something is drawn on each: a canvas of one color is empty.
  const colors = await page.evaluate(() =>
    [...document.querySelectorAll("figure.panel canvas")].map((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return new Set(new Uint32Array(data.buffer)).size;
    }));
  for (const count of colors) assert.ok(count > 20, `${count} colors`);
});

test("a drag zooms all panels and strips, reset restores them", async (browser) => {
  const page = await open(browser, "failing");
  const before = await scales(page);
  const track = page.locator(".track").first();
  const viewBox = await track.getAttribute("viewBox");
  assert.ok(await page.locator(".reset").isDisabled());

  await drag(page, 0.25, 0.5);
  const zoomed = await scales(page);
  const end = before[0][1];
  for (const [from, to] of zoomed) {
    assert.ok(Math.abs(from - end / 4) < end / 100, `from ${from} of ${end}`);
    assert.ok(Math.abs(to - end / 2) < end / 100, `to ${to} of ${end}`);
  }
  const [left, , width] = (await track.getAttribute("viewBox")).split(" ").map(Number);
  assert.ok(Math.abs(left / 1000 - zoomed[0][0]) < 1, `strips from ${left} ms`);
  assert.ok(Math.abs(width / 1000 - end / 4) < end / 100, `strips over ${width} ms`);

  await page.locator(".reset").click();
  await page.waitForTimeout(50);
  assert.deepEqual(await scales(page), before);
  assert.equal(await track.getAttribute("viewBox"), viewBox);

  await drag(page, 0.1, 0.2);
  await page.locator(".u-over").first().dblclick();
  await page.waitForTimeout(50);
  assert.deepEqual(await scales(page), before, "a double click resets, too");
  assert.deepEqual(page.complaints, []);
});

test("the keyboard zooms, moves the cursor and resets", async (browser) => {
  const page = await open(browser, "failing");
  const before = await scales(page);
  await page.locator(".plot").first().focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await page.waitForTimeout(50);
  assert.match(await page.locator(".range").innerText(), /^at 0:00:30$/);
  assert.match(await page.locator("#run-1-panel-attempts output").first().innerText(), /\d/);
  await page.keyboard.press("+");
  await page.waitForTimeout(50);
  const zoomed = await scales(page);
  for (const [from, to] of zoomed) assert.ok(to - from < before[0][1] * 0.51);
  await page.keyboard.press("0");
  await page.waitForTimeout(50);
  assert.deepEqual(await scales(page), before);
});

test("hovering one panel shows values in all", async (browser) => {
  const page = await open(browser, "failing");
  const over = page.locator(".u-over").nth(1);
  await over.scrollIntoViewIfNeeded();
  const box = await over.boundingBox();
  await page.mouse.move(box.x + box.width * 0.05, box.y + box.height / 2);
  await page.waitForTimeout(50);
  const run = documentOf("failing");
  const text = (await page.locator(".range").innerText()).match(/^at (\d+):(\d+):(\d+)$/);
  assert.ok(text, "the time under the pointer");
  const at = text.slice(1).reduce((sum, part) => sum * 60 + Number(part), 0);
  const bucket = (at * 1e9) / run.timeline.bucket_ns;
  const series = (metric, of) =>
    run.timeline.series.find((one) => one.metric === metric && one.of === of).values;
  const shown = await page.locator("#run-1-panel-latency output").first().innerText();
  assert.equal(shown, (series("latency", "p50")[bucket] / 1e9).toPrecision(3).replace(/\.?0+$/, "") + "s");
  assert.equal(parseFloat(await page.locator("#run-1-panel-outcomes output").first().innerText()),
    Number((series("ended", "success")[bucket] / (run.timeline.bucket_ns / 1e9)).toPrecision(3)));
});

test("the latency panel has a logarithmic scale", async (browser) => {
  const page = await open(browser, "failing");
  const distribution = () =>
    page.evaluate(() => document.querySelector(".plot").plot.scales.y.distr);
  assert.notEqual(await distribution(), 3);
  await page.locator("button.log").click();
  assert.equal(await distribution(), 3);
  assert.deepEqual(page.complaints, []);
});

test("a panel's numbers are there as a table", async (browser) => {
  const page = await open(browser, "failing");
  await page.locator("#run-1-panel-latency summary").click();
  const run = documentOf("failing");
  await page.waitForSelector("#run-1-panel-latency table");
  assert.equal(await page.locator("#run-1-panel-latency tbody tr").count(), run.timeline.buckets);
});

test("the replay command is the document's and can be copied", async (browser) => {
  const page = await open(browser, "flagship");
  const { replay } = documentOf("flagship");
  assert.equal(await page.locator(".replay code").innerText(), replay);
  await page.locator(".copy").click();
  await page.waitForFunction(() => document.querySelector(".copied").textContent !== "");
  const says = await page.locator(".copied").innerText();
  if (says !== "Copied") {
    assert.equal(await page.evaluate(() => getSelection().toString()), replay, says);
  }
  // Without a clipboard the command is selected instead.
  await page.evaluate(() => {
    Object.defineProperty(navigator, "clipboard", { value: undefined });
    document.querySelector(".copied").textContent = "";
  });
  await page.locator(".copy").click();
  await page.waitForFunction(() => document.querySelector(".copied").textContent !== "");
  assert.equal(await page.evaluate(() => getSelection().toString()), replay);
});

test("where something failed is framed in the panels", async (browser) => {
  const page = await open(browser, "failing");
  const link = page.locator(".failure a[data-phase]").first();
  await link.click();
  await page.waitForTimeout(50);
  const top = await page.evaluate(() =>
    document.getElementById("run-1-panels").getBoundingClientRect().top);
  assert.ok(Math.abs(top) < 50, `panels at ${top}`);
  const breakers = documentOf("failing").breakers.length;
  assert.equal(await page.locator(".track .lit").count(), breakers);
  await page.locator(".plot").first().focus();
  await page.keyboard.press("Escape");
  assert.equal(await page.locator(".track .lit").count(), 0);
});

test("nothing is wider than a phone or a desk", async (browser) => {
  for (const width of [360, 1400]) {
    for (const name of ["flagship", "failing", "hedged", "several", "evil", "compared"]) {
      const page = await open(browser, name, { viewport: { width, height: 800 } },
        name === "several" ? "#run-2" : "");
      for (const kind of ["failed", "slowest", "random"]) {
        const button = page.locator(`.filter button[data-kind=${kind}]:visible`);
        if (await button.count()) await button.first().click();
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(over <= 0, `${name} at ${width} px is ${over} px too wide`);
      }
      await page.context().close();
    }
  }
});

// Runs in the page: every visible text whose contrast to what lies behind it is below 4.5.
function faintTexts() {
  const parse = (color) => {
    const parts = color.match(/[\d.]+/g).map(Number);
    return parts.length === 3 ? [...parts, 1] : parts;
  };
  const over = (top, below) =>
    [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const luminance = (color) => {
    const [r, g, b] = color.map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const isInBox = at.localName === "g" && !element.classList.contains("o");
      const rect = isInBox ? at.querySelector("rect") : null;
      if (rect) layers.push(parse(getComputedStyle(rect).fill));
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color[3] > 0) layers.push(color);
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const faint = [];
  let texts = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const element = node.parentElement;
    const isText = node.data.trim() && !["SCRIPT", "STYLE", "title"].includes(element.nodeName);
    if (!isText || !element.checkVisibility({ checkVisibilityCSS: true })) continue;
    const style = getComputedStyle(element);
    const back = behind(element);
    const front = over(parse(element.closest("svg") ? style.fill : style.color), back);
    const [a, b] = [luminance(front), luminance(back)].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    ++texts;
    if (contrast >= 4.5) continue;
    faint.push(`${contrast.toFixed(2)} ${element.nodeName}: ${node.data.trim()}`);
  }
  // What panels write into their canvas has no element.
  const token = (name) => {
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.color = `var(--${name})`;
    const color = parse(getComputedStyle(probe).color);
    probe.remove();
    return color;
  };
  for (const shade of ["page", "phase", "faulted"]) {
    const back = over(token(shade), token("page"));
    const [a, b] = [luminance(token("quiet")), luminance(back)].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) faint.push(`axis on ${shade}`);
  }
  return { faint: [...new Set(faint)], texts };
}

test("every text stands out, in light and in dark", async (browser) => {
  for (const colorScheme of ["light", "dark"]) {
    for (const name of ["flagship", "failing", "hedged", "several", "compared"]) {
      const page = await open(browser, name, { colorScheme }, name === "several" ? "#run-3" : "");
      await page.evaluate(() => {
        for (const details of document.querySelectorAll("details")) details.open = true;
      });
      const { faint, texts } = await page.evaluate(faintTexts);
      assert.deepEqual(faint, [], `${name} in ${colorScheme}`);
      assert.ok(texts > 100, `only ${texts} texts were looked at`);
      await page.context().close();
    }
  }
});

test("a comparison shows the metric that is chosen, and leads to the runs", async (browser) => {
  const page = await open(browser, "compared");
  const cell = page.locator(".matrix td").first();
  const shown = () => cell.evaluate((box) => box.innerText);
  const availability = await shown();
  assert.match(availability, /^\d+\.\d\d%/);
  await page.getByLabel("latency p99").check();
  assert.match(await shown(), /^[\d.]+m?s/);
  await cell.locator("a").click();
  await page.waitForFunction(() => document.documentElement.dataset.drawn);
  assert.match(page.url(), /reports\/[\w.-]+\/[\w.-]+\.html$/);
  await page.context().close();
});

test("light and dark are different", async (browser) => {
  const colors = [];
  for (const colorScheme of ["light", "dark"]) {
    const page = await open(browser, "flagship", { colorScheme });
    colors.push(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
  }
  assert.deepEqual(colors, ["rgb(255, 255, 255)", "rgb(20, 23, 27)"]);
});

test("a faint text is caught", async (browser) => {
  const page = await open(browser, "evil");
  await page.evaluate(() => { document.querySelector("h1").style.color = "rgb(200, 200, 200)"; });
  const { faint } = await page.evaluate(faintTexts);
  assert.equal(faint.length, 1);
});

test("the keyboard reaches calls and hears their story", async (browser) => {
  const page = await open(browser, "failing");
  await page.locator(".filter button[data-kind=slowest]").click();
  let reached = false;
  await page.locator(".filter button").last().focus();
  for (let i = 0; i < 12 && !reached; ++i) {
    await page.keyboard.press("Tab");
    reached = await page.evaluate(() => document.activeElement.matches(".calls li"));
  }
  assert.ok(reached, "Tab comes to a call");
  const call = documentOf("failing").samples.filter(({ kept_as }) => kept_as.includes("slowest"))
    .sort((a, b) => (b.ended_ns - b.started_ns) - (a.ended_ns - a.started_ns))[0];
  const parts = call.attempts.length + call.waits.length + call.rejections.length;
  assert.equal(await page.locator(".calls .story li").count(), parts);
  assert.match(await page.locator(".calls .story").innerText(), /attempt 1 to gpt-4: timed_out/);
  await page.keyboard.press("ArrowDown");
  assert.equal(await page.evaluate(() =>
    [...document.activeElement.parentElement.children].indexOf(document.activeElement)), 1);
  assert.equal(await page.locator(".calls .story").count(), 1, "one story at a time");
});

test("the filter shows one kind of calls", async (browser) => {
  const page = await open(browser, "failing");
  for (const kind of ["slowest", "random"]) {
    await page.locator(`.filter button[data-kind=${kind}]`).click();
    assert.deepEqual(await page.evaluate(() =>
      [...document.querySelectorAll(".calls")].filter((box) => box.checkVisibility())
        .map((box) => box.dataset.kind)), [kind]);
  }
});

test("an error leads to the first call that had it", async (browser) => {
  const page = await open(browser, "failing");
  const run = documentOf("failing");
  const error = run.errors.find(({ first_call }) =>
    run.samples.some(({ call }) => call === first_call));
  await page.locator(".filter button[data-kind=random]").click();
  await page.locator(`#run-1-outcomes a[href="#run-1-call-${error.first_call}"]`).first().click();
  await page.waitForFunction(() => document.activeElement.matches(".calls li"));
  assert.equal(await page.locator(":focus .who b").innerText(),
    error.first_call.toLocaleString("en"));
});

test("hedges have a line of their own", async (browser) => {
  const page = await open(browser, "hedged");
  await page.locator(".filter button[data-kind=random]").click();
  const tops = await page.evaluate(() => {
    const row = [...document.querySelectorAll(".calls[data-kind=random] svg.two")][0];
    return [...row.querySelectorAll("rect")].map((rect) => rect.getAttribute("y"));
  });
  assert.deepEqual([...new Set(tops)].sort(), ["2", "20"]);
});

test("text that looks like a script stays text", async (browser) => {
  const page = await open(browser, "evil");
  assert.equal(await page.locator("h1").innerText(), evilText);
  assert.equal(await page.locator("img").count(), 0);
  assert.doesNotMatch(await page.title(), /^owned/);
  assert.deepEqual(page.complaints, []);
});

test("no script but the report's own may run", async (browser) => {
  const page = await open(browser, "evil");
  await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "document.title = 'owned'";
    document.body.append(script);
  });
  assert.doesNotMatch(await page.title(), /^owned/);
  assert.equal(page.complaints.length, 1, "the browser says that it refused");
});

test("of several runs the hash chooses one", async (browser) => {
  const page = await open(browser, "several");
  const visible = () => page.evaluate(() =>
    [...document.querySelectorAll(".run")].filter((run) => run.checkVisibility())
      .map(({ id }) => id));
  assert.deepEqual(await visible(), []);
  await page.locator("#runs a").nth(1).click();
  await page.waitForFunction(() => document.querySelector("#run-2 canvas"));
  assert.deepEqual(await visible(), ["run-2"]);
  await page.locator("#run-2 .back a").click();
  await page.waitForFunction(() =>
    location.hash === "#runs" && !document.querySelector(".current"));
  assert.deepEqual(await visible(), []);
  const direct = await open(browser, "several", {}, "#run-1-calls");
  assert.deepEqual(await direct.evaluate(() =>
    [...document.querySelectorAll(".run.current")].map(({ id }) => id)), ["run-1"]);
});

test("paper is white, and shows everything that scrolls", async (browser) => {
  const page = await open(browser, "failing", { colorScheme: "dark" });
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor),
    "rgb(255, 255, 255)");
  assert.equal(await page.locator("nav").isVisible(), false);
  assert.equal(await page.locator(".copy").isVisible(), false);
  const { faint } = await page.evaluate(faintTexts);
  assert.deepEqual(faint, []);
  const pdf = await page.pdf({ format: "A4" });
  assert.ok(pdf.length > 50_000, `${pdf.length} bytes`);
});

// The time is that of a whole process, which reads the result first.
test("is small, soon written and soon painted", async (browser) => {
  const begun = performance.now();
  brownout("report", place("flagship", "json"), "--html", place("again", "html"));
  const ms = Math.round(performance.now() - begun);
  assert.deepEqual(readFileSync(place("again", "html")), readFileSync(place("flagship", "html")));
  const bytes = statSync(place("flagship", "html")).size;
  assert.ok(bytes < 1_000_000, `${bytes} bytes`);
  assert.ok(ms < 300, `written in ${ms} ms`);
  const page = await open(browser, "flagship");
  // The entry comes with the frame after the paint.
  const entry = await page.waitForFunction(() =>
    performance.getEntriesByName("first-contentful-paint")[0]);
  const paint = await entry.evaluate((painted) => painted.startTime);
  assert.ok(paint < 1000, `first paint after ${paint} ms`);
  console.log(`     ${bytes} bytes, written in ${ms} ms, painted after ${Math.round(paint)} ms`);
});

async function main() {
  writePages();
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  let failed = 0;
  for (const { name, body } of tests.filter((one) => one.name.includes(wanted))) {
    try {
      await body(browser);
      console.log(`ok   ${name}`);
    } catch (error) {
      ++failed;
      console.log(`FAIL ${name}\n     ${error.stack}`);
    }
    for (const context of browser.contexts()) await context.close();
  }
  await browser.close();
  console.log(failed ? `${failed} failed` : "all passed");
  return failed ? 1 : 0;
}

let code = 1;
try {
  code = await main();
} finally {
  rmSync(folder, { recursive: true });
}
process.exit(code);
