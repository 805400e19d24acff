// The interactive spectrum: two plots on one reversed ppm axis, fit above, residual below.
import { get } from "./page.js";

const HOME = [0.5, 4.5];
const WHOLE = [0, 5];
const STEP = 0.01;
const BOTTOM = -12;
const TOP = 112;
const DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3]];

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

export class Spectrum {
  /** @param {string} base address of the study @param {string[]} components all names @param {string[]} levels keys that can be drawn */
  constructor(base, components, levels) {
    this.address = base;
    this.components = components;
    this.levels = levels;
    this.cache = new Map();
    this.shown = new Set(["data", "fit", "baseline", "residual"]);
    this.overlays = new Set();
    this.mode = "real";
    this.ownScale = true;
    this.broadening = 0;
    this.range = [...HOME];
    this.cursor = null;
    this.plots = [];
    this.box = document.getElementById("plot");
    this.readout = document.getElementById("readout");
    this.spoken = document.getElementById("spoken");
    this.ticket = 0;
    new ResizeObserver(() => this.resize()).observe(this.box);
    matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => this.draw());
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.box.addEventListener("mousemove", () => this.box.classList.remove("by-keyboard"));
  }

  /** Fetch a level's curves, once for each line broadening. */
  async load(key) {
    const address = `${this.address}/spectrum/${key}?broadening=${this.broadening}`;
    if (!this.cache.has(address)) this.cache.set(address, get(address));
    const { ok, answer } = await this.cache.get(address);
    if (!ok) {
      this.cache.delete(address);
      throw new Error(answer.error);
    }
    return answer;
  }

  async show(key) {
    this.key_ = key;
    await this.refresh();
  }

  /** Load what is to be seen, and draw it; a later call makes an earlier one void. */
  async refresh() {
    const ticket = ++this.ticket;
    const key = this.key_;
    const others = this.levels.filter((k) => this.overlays.has(k) && k !== key);
    const [current, ...rest] = await Promise.all([key, ...others].map((k) => this.load(k)));
    if (ticket !== this.ticket) return;
    this.current = current;
    this.others = rest;
    this.draw();
    this.box.dataset.drawn = `${key}:${this.broadening}:${this.mode}:${others.length}`;
  }

  part(spectrum, name) {
    const curve = spectrum.curves[name];
    if (!curve) return spectrum.ppm.map(() => null);
    if (this.mode === "real") return curve.real;
    return curve.real.map((value, n) => Math.hypot(value, curve.imaginary[n]));
  }

  inWindow(spectrum, values) {
    const [low, high] = spectrum.window_ppm;
    return values.map((v, n) => (spectrum.ppm[n] >= low && spectrum.ppm[n] <= high ? v : null));
  }

  /** The lines of the upper plot, in the order of drawing. */
  lines() {
    const found = [];
    const add = (label, values, stroke, width, dash = [], fitted = true) =>
      found.push({ label, values: fitted ? this.inWindow(this.current, values) : values, stroke, width, dash });
    const laid = this.shown.has("data") ? "data" : "fit"; // smooth lines compare where data are hidden
    this.others.forEach((other) => {
      const n = this.levels.indexOf(other.key) % 6;
      found.push({ label: other.title, values: this.part(other, laid), stroke: colour(`overlay-${n}`), width: 1.3, dash: DASHES[n % 4] });
    });
    if (this.shown.has("data")) add("data", this.part(this.current, "data"), colour("data"), 1.2, [], false);
    if (this.shown.has("baseline")) add("baseline", this.part(this.current, "baseline"), colour("baseline"), 1.4, [6, 4]);
    this.components.forEach((name, n) => {
      if (this.shown.has(`component ${name}`) && this.current.curves[name])
        add(name, this.part(this.current, name), colour(`component-${n % 8}`), 1.6, DASHES[n % 4]);
    });
    if (this.shown.has("fit")) add("fit", this.part(this.current, "fit"), colour("fit"), 2);
    return found;
  }

  residual() {
    const fit = this.part(this.current, "fit");
    return this.inWindow(this.current, this.part(this.current, "data").map((v, n) => v - fit[n]));
  }

  draw() {
    if (!this.current) return;
    this.plots.forEach((plot) => plot.destroy());
    const lines = this.lines();
    this.drawn = lines;
    const residual = this.shown.has("residual") ? this.residual() : null;
    const main = [this.current.ppm, ...lines.map((line) => line.values)];
    this.plots = [new uPlot(this.options(lines, !residual), main, document.getElementById("main-plot"))];
    if (residual) {
      const noise = 2 * this.current.noise_sd;
      const band = this.current.ppm.map(() => noise);
      const data = [this.current.ppm, band, band.map((v) => -v), residual];
      this.plots.push(new uPlot(this.residualOptions(residual, noise), data, document.getElementById("residual-plot")));
    }
    this.tellScale();
    if (this.cursor !== null) this.point(this.cursor, false);
  }

  /** Write the components' names above the upper plot, each at its line; neighbours move apart. */
  nameLines(plot) {
    if (plot !== this.plots[0] && this.plots.length) return;
    const { ctx, bbox } = plot;
    const pixel = devicePixelRatio || 1;
    const [low, high] = this.range;
    const seen = this.current.lines.filter((line) => line.ppm >= low && line.ppm <= high).sort((a, b) => b.ppm - a.ppm);
    ctx.save();
    ctx.font = `${12 * pixel}px system-ui, sans-serif`;
    ctx.textAlign = "center";
    ctx.textBaseline = "top";
    const gap = 6 * pixel;
    const title = (line) => (line.under ? `(${line.name})` : line.name);
    const names = seen.map((line) => ({ line, x: plot.valToPos(line.ppm, "x", true), half: ctx.measureText(title(line)).width / 2 }));
    let free = -Infinity;
    names.forEach((name) => {
      name.at = Math.max(name.x, free + name.half);
      free = name.at + name.half + gap;
    });
    free = bbox.left + bbox.width;
    [...names].reverse().forEach((name) => {
      name.at = Math.min(name.at, free - name.half);
      free = name.at - name.half - gap;
    });
    names.forEach(({ line, x, half, at }) => {
      if (at - half < bbox.left - 2 * half) return; // no room for all: the leftmost go
      ctx.strokeStyle = colour("grid");
      ctx.lineWidth = pixel;
      ctx.beginPath();
      ctx.moveTo(at, bbox.top + 14 * pixel);
      ctx.lineTo(x, bbox.top + 20 * pixel);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.fillStyle = colour(`component-${this.components.indexOf(line.name) % 8}`);
      ctx.fillText(title(line), at, bbox.top);
    });
    ctx.restore();
  }

  axes(bottom) {
    const axis = { stroke: () => colour("muted"), grid: { stroke: () => colour("grid"), width: 1 }, ticks: { stroke: () => colour("grid"), size: 4 }, font: "12px system-ui, sans-serif" };
    const x = { ...axis, show: bottom, label: "chemical shift (ppm)", labelFont: "12px system-ui, sans-serif", labelSize: 18, size: 30 };
    return { x, y: { ...axis, size: 46, values: (_, ticks) => ticks.map((v) => String(Number(v.toFixed(6))).replace("-", "\u2212")) } };
  }

  base(height, bottom, yRange) {
    const { x, y } = this.axes(bottom);
    return {
      width: Math.max(this.box.clientWidth - 2, 200),
      height,
      padding: [8, 14, bottom ? 0 : 4, 0],
      legend: { show: false },
      cursor: {
        sync: { key: "spectrum", setSeries: false },
        drag: { x: true, y: false, setScale: false },
        points: { show: false },
        focus: { prox: -1 },
      },
      scales: {
        x: { time: false, dir: -1, range: () => this.range },
        y: { range: yRange },
      },
      axes: [x, y],
      hooks: {
        draw: [(plot) => this.nameLines(plot)],
        setSelect: [(plot) => this.selected(plot)],
        setCursor: [(plot) => this.hovered(plot)],
      },
    };
  }

  options(lines, bottom) {
    const options = this.base(bottom ? 400 : 320, bottom, () => this.yRange());
    options.series = [{}, ...lines.map((l) => ({ label: l.label, stroke: l.stroke, width: l.width, dash: l.dash, points: { show: false } }))];
    return options;
  }

  residualOptions(residual, noise) {
    const largest = Math.max(...residual.filter((v) => v !== null).map(Math.abs), 1.5 * noise, 1e-6);
    const options = this.base(132, true, () => [-1.1 * largest, 1.1 * largest]);
    const hidden = { stroke: "transparent", points: { show: false } };
    options.series = [{}, hidden, hidden, { label: "residual", stroke: colour("residual"), width: 1.1, points: { show: false } }];
    options.axes[1].space = 16; // so close that a number stands on both sides of zero
    options.hooks.draw = [(plot) => this.nameResidual(plot)];
    options.bands = [{ series: [1, 2], fill: colour("band") }];
    return options;
  }

  nameResidual({ ctx, bbox }) {
    const pixel = devicePixelRatio || 1;
    ctx.save();
    ctx.font = `${12 * pixel}px system-ui, sans-serif`;
    ctx.fillStyle = colour("muted");
    ctx.textAlign = "left";
    ctx.textBaseline = "top";
    ctx.fillText("residual; band: ± 2 × noise", bbox.left + 4 * pixel, bbox.top);
    ctx.restore();
  }

  yRange() {
    if (!this.ownScale) return this.mode === "real" ? [BOTTOM, TOP] : [0, TOP];
    const [from, to] = this.range;
    let low = 0;
    let high = 1e-6;
    this.drawn.forEach((line) =>
      line.values.forEach((value, n) => {
        const ppm = this.current.ppm[n];
        if (value === null || ppm < Math.max(from, 0.4) || ppm > Math.min(to, 4.25)) return;
        if (value < low) low = value;
        if (value > high) high = value;
      }),
    );
    const room = 0.05 * (high - low);
    return [low - room, high + 2 * room]; // the names of the lines stand above
  }

  tellScale() {
    const words = this.ownScale ? "Height fitted to this view; 100 is the tallest fitted point of this study." : "One scale for all levels; 100 is the tallest fitted point of this study.";
    const broad = this.broadening ? ` Lines broadened by ${this.broadening} Hz for the eye; no number changes.` : "";
    document.getElementById("scale").textContent = words + broad;
  }

  // ------------------------------------------------------------------ zoom

  selected(plot) {
    const { left, width } = plot.select;
    if (width < 5) return;
    const a = plot.posToVal(left, "x");
    const b = plot.posToVal(left + width, "x");
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.zoomTo(Math.min(a, b), Math.max(a, b));
  }

  zoomTo(low, high) {
    const width = Math.min(Math.max(high - low, 0.08), WHOLE[1] - WHOLE[0]);
    const middle = (low + high) / 2;
    let from = Math.max(middle - width / 2, WHOLE[0]);
    const to = Math.min(from + width, WHOLE[1]);
    from = to - width;
    this.range = [from, to];
    this.box.dataset.range = `${from.toFixed(2)} to ${to.toFixed(2)}`;
    this.plots.forEach((plot) => plot.setScale("x", { min: from, max: to }));
  }

  zoom(factor) {
    const [low, high] = this.range;
    const middle = this.cursor !== null && this.cursor > low && this.cursor < high ? this.cursor : (low + high) / 2;
    this.zoomTo(middle - ((middle - low) * factor), middle + (high - middle) * factor);
  }

  pan(share) {
    const step = share * (this.range[1] - this.range[0]);
    this.zoomTo(this.range[0] + step, this.range[1] + step);
  }

  /** Show the surroundings of a component's strongest line, or of the region that it fills. */
  zoomToLine(name) {
    const line = this.current?.lines.find((l) => l.name === name);
    if (line) this.zoomTo(line.low - 0.35, line.high + 0.35);
  }

  reset() {
    this.zoomTo(...HOME);
  }

  resize() {
    const width = Math.max(this.box.clientWidth - 2, 200);
    this.plots.forEach((plot) => {
      if (Math.abs(plot.width - width) > 1) plot.setSize({ width, height: plot.height });
    });
  }

  // ------------------------------------------------------------------ reading

  hovered(plot) {
    if (plot.cursor.idx === null || plot.cursor.idx === undefined || plot.cursor.left < 0) return;
    this.cursor = this.current.ppm[plot.cursor.idx];
    this.readout.textContent = this.words(plot.cursor.idx);
  }

  words(index) {
    const tell = (value) =>
      (Math.abs(value) < 10 ? value.toFixed(2) : value.toFixed(1)).replace(/^-(?=0\.00$)/, "").replace("-", "\u2212");
    const parts = this.drawn.filter((l) => l.values[index] !== null).map((l) => `${l.label} ${tell(l.values[index])}`);
    if (this.shown.has("residual") && this.plots[1]) {
      const value = this.plots[1].data[3][index];
      if (value !== null) parts.push(`residual ${tell(value)} (${tell(value / this.current.noise_sd)} × noise)`);
    }
    return `${this.current.ppm[index].toFixed(2)} ppm: ${parts.join(" · ")}`;
  }

  /** Put the cursor on a chemical shift, and say what stands there. */
  point(ppm, speak = true) {
    const [low, high] = this.range;
    this.cursor = Math.min(Math.max(ppm, low), high);
    this.box.classList.add("by-keyboard"); // which reads along one axis only
    const plot = this.plots[0];
    const index = plot.valToIdx(this.cursor);
    plot.setCursor({ left: plot.valToPos(this.current.ppm[index], "x"), top: plot.over.clientHeight / 2 });
    this.readout.textContent = this.words(index);
    if (speak) this.spoken.textContent = this.readout.textContent;
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.current) return;
    const step = (event.shiftKey ? 10 : 1) * STEP * Math.max((this.range[1] - this.range[0]) / 4, 0.4);
    const here = this.cursor ?? (this.range[0] + this.range[1]) / 2;
    const actions = {
      ArrowLeft: () => this.point(here + step),
      ArrowRight: () => this.point(here - step),
      Home: () => this.point(this.range[1]),
      End: () => this.point(this.range[0]),
      PageUp: () => this.pan(0.25),
      PageDown: () => this.pan(-0.25),
      "+": () => this.zoom(0.6),
      "=": () => this.zoom(0.6),
      "-": () => this.zoom(1 / 0.6),
      0: () => this.reset(),
      Escape: () => this.reset(),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  }
}
