// Panels over virtual time: what uPlot draws, and how one axis, one cursor and one zoom hold them
// together. The numbers come from the page's data; report.js says which run's are drawn.
"use strict";

const byId = (id) => document.getElementById(id);
const tone = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
const limit = (value, least, most) => Math.min(Math.max(value, least), most);

// --- numbers as text ---------------------------------------------------------------------------

const pad = (number, digits) => String(number).padStart(digits, "0");

// "1:20:00", with as many decimals as steps of `step` seconds need.
function clock(seconds, step) {
  const decimals = step >= 1 ? 0 : Math.min(6, Math.ceil(-Math.log10(step) - 1e-9));
  const whole = Math.floor(seconds + 1e-9);
  const rest = decimals ? (seconds - whole).toFixed(decimals).slice(1) : "";
  return `${Math.floor(whole / 3600)}:${pad(Math.floor(whole / 60) % 60, 2)}:` +
    pad(whole % 60, 2) + rest;
}

const three = (value) => {
  if (value === 0) return "0";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  const text = value.toFixed(Math.min(digits, 6));
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
};

function duration(seconds) {
  if (seconds === 0) return "0";
  if (seconds < 1e-3) return three(seconds * 1e6) + "µs";
  if (seconds < 1) return three(seconds * 1e3) + "ms";
  if (seconds < 120) return three(seconds) + "s";
  if (seconds < 7200) return three(seconds / 60) + "m";
  return three(seconds / 3600) + "h";
}

const written = {
  time: duration,
  rate: (value) => three(value) + "/s",
  number: three,
  percent: (value) => three(value) + "%",
};

// --- panels ------------------------------------------------------------------------------------

const timeSteps = [];
for (const decade of [1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1]) {
  timeSteps.push(decade, 2 * decade, 5 * decade);
}
timeSteps.push(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600,
  43200, 86400, 172800, 432000, 864000);

// Lines that say "this much failed" also without color.
function hatched(color) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 6;
  const pen = tile.getContext("2d");
  pen.strokeStyle = color;
  pen.lineWidth = 2;
  pen.beginPath();
  for (const shift of [-6, 0, 6]) {
    pen.moveTo(shift - 1, 7);
    pen.lineTo(shift + 7, -1);
  }
  pen.stroke();
  return pen.createPattern(tile, "repeat");
}

// The panels of one run: one axis, one cursor, one zoom.
class Panels {
  constructor(data) {
    this.data = data;
    this.root = byId(data.id + "-panels");
    this.end = data.end_ms / 1000;
    this.least = Math.max(data.bucket_us / 1e6, this.end / 5000);
    this.range = [0, this.end];
    this.lit = null;
    this.plots = [];
    this.log = false;
    const buckets = data.panels.length ? data.panels[0].lines[0].values.length : 0;
    // The last bucket has an end, too.
    this.times = Array.from({ length: buckets + 1 }, (_, i) => (i * data.bucket_us) / 1e6);
  }

  build() {
    if (this.plots.length || !this.data.panels.length) return;
    for (const panel of this.data.panels) {
      const figure = byId(`${this.data.id}-panel-${panel.name}`);
      const entry = { panel, figure, box: figure.querySelector(".plot") };
      entry.outputs = [...figure.querySelectorAll(".legend output")];
      entry.columns = panel.lines.map((line) =>
        line.values.map((value) => (value < 0 ? null : value / panel.divisor)));
      this.plots.push(entry);
      this.draw(entry);
      this.listen(entry);
    }
    this.root.querySelector(".reset").addEventListener("click", () => this.reset());
    new ResizeObserver(() => this.resize()).observe(this.root.querySelector(".panels"));
  }

  // Columns as drawn: the last value lasts until its bucket's end; stacks are sums.
  columnsOf(entry) {
    const drawn = entry.columns.filter((_, i) => entry.panel.lines[i].drawn);
    const sums = this.times.map(() => 0);
    const columns = drawn.map((column) => {
      const values = [...column, column[column.length - 1]];
      if (entry.panel.stacked) {
        return values.map((value, i) => (sums[i] += value === null ? 0 : value));
      }
      const useless = this.log && entry.panel.unit === "time";
      return useless ? values.map((value) => (value > 0 ? value : null)) : values;
    });
    return entry.panel.stacked ? columns.reverse() : columns;
  }

  // A stack's highest line comes first, so that it lies under those it equals.
  linesOf({ panel }) {
    const lines = panel.lines.filter((line) => line.drawn);
    return panel.stacked ? lines.reverse() : lines;
  }

  seriesOf(entry) {
    const stepped = uPlot.paths.stepped({ align: 1 });
    return this.linesOf(entry).map((line, i, all) => ({
      label: line.label,
      stroke: () => tone(line.tone),
      width: 1.5,
      dash: line.dash ? line.dash.split(" ").map(Number) : undefined,
      paths: stepped,
      points: { show: false },
      fill: entry.panel.stacked && i === all.length - 1 ? () => this.fill(line) : undefined,
      show: line.shown !== false,
    }));
  }

  fill(line) {
    const color = tone(line.tone);
    return line.label === "failed" ? hatched(color) : color + "55";
  }

  draw(entry) {
    const { panel, box } = entry;
    if (entry.plot) entry.plot.destroy();
    const style = getComputedStyle(document.documentElement);
    const gutter = parseFloat(style.getPropertyValue("--gutter"));
    const end = parseFloat(style.getPropertyValue("--end"));
    const log = this.log && panel.unit === "time";
    const all = (_, splits) => splits;
    const decades = (_, splits) =>
      splits.map((at) => (Math.abs(Math.log10(at) % 1) < 1e-6 ? at : null));
    const font = "11px system-ui, sans-serif";
    const axis = {
      stroke: () => tone("quiet"), font,
      grid: { stroke: () => tone("plot-grid"), width: 1 },
      ticks: { stroke: () => tone("plot-grid"), width: 1, size: 4 },
    };
    const lines = this.linesOf(entry);
    const options = {
      width: box.clientWidth, height: 190, padding: [12, end, 0, 0],
      legend: { show: false },
      focus: { alpha: 1 },
      cursor: {
        sync: { key: this.data.id, setSeries: false },
        drag: { x: true, y: false, dist: 4 },
        points: { size: 6 },
        y: false,
        bind: { dblclick: () => () => { this.reset(); return null; } },
      },
      scales: {
        x: { time: false, range: (_, least, most) => [least, most] },
        y: log
          ? { distr: 3, range: (_, least, most) =>
            least > 0 ? uPlot.rangeLog(least, most, 10, true) : [0.1, 100] }
          : { range: (_, __, most) => panel.unit === "percent" ? [0, 100]
            : [0, most > 0 ? most * 1.08 : 1] },
      },
      axes: [
        { ...axis, incrs: timeSteps, space: 70, size: 30,
          values: (_, splits, __, ___, step) => splits.map((at) => clock(at, step)) },
        { ...axis, size: gutter, space: 30,
          grid: { ...axis.grid, filter: log ? decades : all },
          ticks: { ...axis.ticks, filter: log ? decades : all },
          values: (_, splits) =>
            splits.map((value) => (value === null ? "" : written[panel.unit](value))) },
      ],
      series: [{}, ...this.seriesOf(entry)],
      bands: panel.stacked
        ? lines.slice(0, -1).map((line, i) =>
          ({ series: [i + 1, i + 2], fill: () => this.fill(line) }))
        : undefined,
      hooks: {
        drawClear: [(plot) => this.shade(plot)],
        setScale: [(plot, key) => {
          if (key === "x") this.setRange(plot.scales.x.min, plot.scales.x.max);
        }],
        setCursor: [(plot) => this.tell(entry, plot.cursor.idx)],
      },
    };
    box.replaceChildren();
    entry.plot = new uPlot(options, [this.times, ...this.columnsOf(entry)], box);
    box.plot = entry.plot;  // for whoever scripts the page
    entry.plot.setScale("x", { min: this.range[0], max: this.range[1] });
  }

  // Phases behind the lines: every second one a little darker, those with faults under an edge.
  shade(plot) {
    const pen = plot.ctx;
    const { left, top, width, height } = plot.bbox;
    const ratio = devicePixelRatio;
    pen.save();
    pen.beginPath();
    pen.rect(left, 0, width, top + height);
    pen.clip();
    pen.font = `${10 * ratio}px system-ui, sans-serif`;
    pen.textBaseline = "alphabetic";
    pen.textAlign = "left";
    pen.setLineDash([]);
    this.data.phases.forEach((phase, i) => {
      const from = plot.valToPos(phase.from_ms / 1000, "x", true);
      const to = plot.valToPos(phase.to_ms / 1000, "x", true);
      if (to < left || from > left + width) return;
      if (phase.faulted || i % 2) {
        pen.fillStyle = tone(phase.faulted ? "faulted" : "phase");
        pen.fillRect(from, top, to - from, height);
      }
      if (phase.faulted) {
        pen.fillStyle = tone("fault-edge");
        pen.fillRect(from, top - 3 * ratio, to - from, 3 * ratio);
      }
      if (i === this.lit) {
        pen.strokeStyle = tone("text");
        pen.lineWidth = 2 * ratio;
        pen.strokeRect(from, top, to - from, height);
      }
      const begin = Math.max(from, left) + 3 * ratio;
      const room = Math.min(to, left + width) - begin - 2 * ratio;
      if (pen.measureText(phase.name).width > room) return;
      pen.fillStyle = tone("quiet");
      pen.fillText(phase.name, begin, top - 5 * ratio);
    });
    pen.restore();
  }

  tell(entry, bucket) {
    const last = this.times.length - 2;
    const known = bucket !== null && bucket !== undefined && last >= 0;
    const at = known ? Math.min(bucket, last) : null;
    entry.columns.forEach((column, i) => {
      const value = at === null ? null : column[at];
      entry.outputs[i].textContent =
        at === null ? "" : value === null ? "–" : written[entry.panel.unit](value);
    });
    const status = this.root.querySelector(".range");
    const [from, to] = this.range;
    const step = (to - from) / 200;
    status.textContent = at === null ? `${clock(from, step)} to ${clock(to, step)}`
      : `at ${clock(this.times[at], this.data.bucket_us / 1e6)}`;
  }

  setRange(from, to) {
    if (to - from < this.least) {
      const middle = (from + to) / 2;
      [from, to] = [middle - this.least / 2, middle + this.least / 2];
    }
    const width = Math.min(to - from, this.end);
    from = limit(from, 0, this.end - width);
    to = from + width;
    const same = Math.abs(from - this.range[0]) + Math.abs(to - this.range[1]) < this.end * 1e-9;
    this.range = [from, to];
    for (const { plot } of this.plots) {
      if (!plot) continue;
      if (plot.scales.x.min === from && plot.scales.x.max === to) continue;
      plot.setScale("x", { min: from, max: to });
    }
    if (same) return;
    for (const track of this.root.querySelectorAll(".track")) {
      track.setAttribute("viewBox", `${from * 1000} 0 ${width * 1000} 24`);
    }
    this.root.querySelector(".reset").disabled = width >= this.end;
    const step = width / 200;
    this.root.querySelector(".range").textContent = `${clock(from, step)} to ${clock(to, step)}`;
  }

  reset() {
    this.light(null);
    this.setRange(0, this.end);
  }

  // Frames a phase in every panel and strip; null frames none.
  light(phase) {
    this.lit = phase;
    for (const track of this.root.querySelectorAll(".track")) {
      const frame = track.querySelector(".lit");
      if (frame) frame.remove();
      if (phase === null) continue;
      const { from_ms: from, to_ms: to } = this.data.phases[phase];
      const box = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      box.setAttribute("class", "lit");
      box.setAttribute("x", from);
      box.setAttribute("width", to - from);
      box.setAttribute("y", 1);
      box.setAttribute("height", 22);
      track.append(box);
    }
    this.redraw();
    if (phase !== null) this.root.querySelector(".reset").disabled = false;
  }

  redraw() {
    for (const { plot } of this.plots) if (plot) plot.redraw(false, true);
  }

  resize() {
    for (const { plot, box } of this.plots) {
      if (box.clientWidth && box.clientWidth !== plot.width) {
        plot.setSize({ width: box.clientWidth, height: plot.height });
      }
    }
  }

  // Moves everybody's cursor to the bucket after or before the one it is at.
  step(entry, by) {
    const { plot } = entry;
    const [from, to] = this.range;
    const first = this.times.findIndex((time) => time >= from - 1e-9);
    const now = plot.cursor.idx;
    const next = now === null || now === undefined ? first : now + by;
    const at = this.times[limit(next, 0, this.times.length - 2)];
    if (at < from) this.setRange(at, at + (to - from));
    if (at > to) this.setRange(at - (to - from), at);
    queueMicrotask(() => {
      for (const other of this.plots) {
        other.plot.setCursor({ left: other.plot.valToPos(at, "x") + 0.01, top: 20 }, true, false);
      }
    });
  }

  zoom(entry, factor) {
    const [from, to] = this.range;
    const { plot } = entry;
    const under = plot.cursor.left >= 0 ? plot.posToVal(plot.cursor.left, "x") : (from + to) / 2;
    this.setRange(under - (under - from) * factor, under + (to - under) * factor);
  }

  listen(entry) {
    const { figure, box, panel } = entry;
    box.addEventListener("keydown", (event) => {
      const keys = {
        ArrowLeft: () => this.step(entry, -1),
        ArrowRight: () => this.step(entry, 1),
        "+": () => this.zoom(entry, 0.5),
        "=": () => this.zoom(entry, 0.5),
        "-": () => this.zoom(entry, 2),
        0: () => this.reset(),
        Escape: () => this.reset(),
      };
      if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      keys[event.key]();
    });
    const log = figure.querySelector(".log");
    if (log) {
      log.addEventListener("click", () => {
        this.log = !this.log;
        log.setAttribute("aria-pressed", this.log);
        this.draw(entry);
      });
    }
    figure.querySelectorAll(".legend button").forEach((button, i) => {
      const line = panel.lines[i];
      button.addEventListener("click", () => {
        line.shown = line.shown === false;
        button.setAttribute("aria-pressed", line.shown);
        entry.plot.setSeries(i + 1, { show: line.shown });
      });
    });
    const numbers = figure.querySelector(".numbers");
    numbers.addEventListener("toggle", () => {
      if (numbers.open && !numbers.querySelector("table")) numbers.append(this.table(entry));
    });
  }

  table(entry) {
    const { panel, columns } = entry;
    const box = document.createElement("div");
    box.className = "scroll";
    box.tabIndex = 0;
    const table = box.appendChild(document.createElement("table"));
    const head = table.createTHead().insertRow();
    for (const name of ["from", ...panel.lines.map((line) => line.label)]) {
      const cell = head.appendChild(document.createElement("th"));
      cell.scope = "col";
      cell.textContent = name;
    }
    const body = table.createTBody();
    for (let i = 0; i + 1 < this.times.length; ++i) {
      const row = body.insertRow();
      row.insertCell().textContent = clock(this.times[i], this.data.bucket_us / 1e6);
      for (const column of columns) {
        const cell = row.insertCell();
        cell.className = "n";
        cell.textContent = column[i] === null ? "–" : written[panel.unit](column[i]);
      }
    }
    return box;
  }
}
