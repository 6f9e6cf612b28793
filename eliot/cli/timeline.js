"use strict";
// The page of `eliot timeline`. All that comes from the log is shown as text: with textContent or on a canvas.

const $ = id => document.getElementById(id);

// Kinds of entries, as eliot/_timeline.py counts them; all from MESSAGE on have no bar.
const SUCCEEDED = 0, FAILED = 1, OPEN = 2, UNKNOWN = 3, MESSAGE = 4, WARNING = 5, ERROR = 6, MISSING = 7;
const WORDS = ["succeeded", "failed", "never ended", "unknown", "message", "warning", "error", "missing"];
const SIGNS = ["✓", "✗", "▶", "?", "·", "!", "✗", "…"];

const ROW = 22, BAR = 18, RULER = 22;
const LETTER = 6.6;
const FONT = "11px ui-monospace, Menlo, Consolas, monospace";
const SHOWN = 300; // so many messages are listed of one action

// --- The data -----------------------------------------------------------------------------------

async function decoded(id) {
  const binary = atob($(id).textContent.trim());
  $(id).remove();
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

// The numbers as the log has them: large ones do not fit into those of JavaScript.
const exact = (key, value, context) =>
  typeof value === "number" && context && JSON.rawJSON && context.source !== String(value)
    ? JSON.rawJSON(context.source) : value;

let names = [], end = 0, tasks = [], texts = null, lowTexts = null;

class Task {
  constructor([uuid, start, known, rows, actions, failures, columns], offset) {
    Object.assign(this, {uuid, start, known, rows, actions, failures, columns, offset});
    this.kind = columns[0][0];
    this.count = columns[0].length;
    this.name = columns[3][0];
    this.ready = false;
  }

  // What is needed to draw it, made when it is looked at for the first time.
  open() {
    if (this.ready) return this;
    this.ready = true;
    const [kinds, parents, numbers, types, starts, durations, rows] = this.columns;
    const rest = Math.max(0, end - this.start);
    this.kinds = kinds;
    this.numbers = numbers;
    this.types = types;
    this.starts = starts;
    this.parents = parents.map((distance, i) => i - distance);
    this.parents[0] = -1;
    this.ends = durations.map((duration, i) => duration < 0 ? Math.max(starts[i], rest) : starts[i] + duration);
    this.place = rows;
    this.total = this.ends.reduce((a, b) => Math.max(a, b), 1);
    this.firstKid = new Int32Array(this.count).fill(-1);
    this.nextKid = new Int32Array(this.count).fill(-1);
    this.previousKid = new Int32Array(this.count).fill(-1);
    const last = new Int32Array(this.count).fill(-1);
    this.bars = Array.from({length: this.rows}, () => []);
    this.marks = Array.from({length: this.rows}, () => []);
    this.failed = Array.from({length: this.rows}, () => []);
    for (let i = 0; i < this.count; i++) {
      const parent = this.parents[i];
      if (parent >= 0) {
        if (last[parent] < 0) this.firstKid[parent] = i;
        else { this.nextKid[last[parent]] = i; this.previousKid[i] = last[parent]; }
        last[parent] = i;
      }
      if (kinds[i] < MESSAGE) this.bars[rows[i]].push(i);
      else if (kinds[i] < MISSING) this.marks[rows[i]].push(i);
    }
    const byStart = (i, j) => starts[i] - starts[j] || this.ends[i] - this.ends[j] || i - j;
    for (const row of this.bars) row.sort(byStart);
    for (const row of this.marks) row.sort(byStart);
    this.bars.forEach((row, r) => { this.failed[r] = row.filter(i => kinds[i] === FAILED); });
    return this;
  }

  level(i) {
    const parts = [];
    for (; this.parents[i] >= 0; i = this.parents[i]) parts.push(this.numbers[i]);
    // A message has a number even where it is all there is.
    if (this.kinds[0] >= MESSAGE) parts.push(this.numbers[0]);
    return "/" + parts.reverse().join("/");
  }

  depth(i) {
    let depth = 0;
    for (; this.parents[i] >= 0; i = this.parents[i]) depth++;
    return depth;
  }

  fields(i) {
    return JSON.parse(texts[this.offset + i], exact);
  }
}

// --- Text ---------------------------------------------------------------------------------------

function duration(us) {
  if (us < 1000) return `${us} µs`;
  if (us < 1e6) return `${+(us / 1e3).toPrecision(us < 1e5 ? 3 : 4)} ms`;
  if (us < 60e6) return `${+(us / 1e6).toPrecision(us < 1e7 ? 3 : 4)} s`;
  const seconds = Math.round(us / 1e6), h = Math.floor(seconds / 3600), m = Math.floor(seconds / 60) % 60;
  const s = seconds % 60, two = n => String(n).padStart(2, "0");
  return h ? `${h} h ${two(m)} min` : `${m} min ${two(s)} s`;
}

function iso(us) {
  const seconds = Math.floor(us / 1e6);
  const rest = String(us - seconds * 1e6).padStart(6, "0");
  const text = new Date(seconds * 1000).toISOString();
  return text.replace("T", " ").replace(/\.\d+Z$/, "." + rest);
}

const valueText = value => {
  if (typeof value === "string") return value;
  const text = JSON.stringify(value);
  return text.length < 80 ? text : JSON.stringify(value, null, 1);
};

// One line; what could move the text about, such as marks of direction, is shown as an escape.
const line = text => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, found =>
  Array.from(found, c => c === "\n" || c === "\t" ? " " : `\\u${c.codePointAt(0).toString(16).padStart(4, "0")}`).join(""));

// A field may have line feeds, and is otherwise as careful.
const several = text => text.split("\n").map(line).join("\n");

function make(tag, text, ...more) {
  const element = document.createElement(tag);
  if (text !== null) element.textContent = text;
  element.append(...more);
  return element;
}

// --- Tables of any length: only the rows in sight are there --------------------------------------

class Table {
  constructor(box, label, columns, pick) {
    Object.assign(this, {box, columns, pick, count: 0, chosen: -1, high: 25, from: -1, to: -1});
    this.table = make("table", null);
    this.table.tabIndex = 0;
    this.table.setAttribute("role", "grid");
    this.table.setAttribute("aria-label", label);
    this.heads = columns.map(column => {
      const head = make("th", null);
      head.scope = "col";
      head.className = column.className || "";
      if (column.sort) {
        const button = make("button", column.title);
        button.type = "button";
        button.addEventListener("click", () => column.sort(column));
        head.append(button);
      } else head.append(make("span", column.title));
      return head;
    });
    this.body = make("tbody", null);
    this.table.append(make("thead", null, make("tr", null, ...this.heads)), this.body);
    box.append(this.table);
    box.addEventListener("scroll", () => this.fill());
    new ResizeObserver(() => this.fill()).observe(box);
    this.table.addEventListener("keydown", event => this.key(event));
    this.body.addEventListener("click", event => {
      const row = event.target.closest("tr[aria-rowindex]");
      if (row) this.pick(row.getAttribute("aria-rowindex") - 2);
    });
  }

  show(count) {
    this.count = count;
    this.table.setAttribute("aria-rowcount", count + 1);
    this.again();
  }

  again() {
    this.from = -1;
    this.fill();
  }

  fill() {
    const page = Math.ceil(this.box.clientHeight / this.high);
    if (!page) return;
    const top = Math.floor(this.box.scrollTop / this.high);
    const from = Math.max(0, Math.min(top - 10, this.count - page)), to = Math.min(this.count, top + page + 10);
    if (from === this.from && to === this.to) return;
    this.from = from;
    this.to = to;
    const space = height => {
      const cell = make("td", null);
      cell.className = "space";
      cell.style.height = height + "px";
      const row = make("tr", null, cell);
      row.setAttribute("aria-hidden", "true");
      return row;
    };
    const rows = [space(from * this.high)];
    for (let i = from; i < to; i++) {
      const row = make("tr", null, ...this.columns.map(column => {
        const text = column.text(i), cell = make("td", text);
        cell.className = column.className || "";
        if (column.about) cell.title = column.about(i);
        if (column.indent) cell.style.paddingLeft = 6 + 10 * Math.min(30, column.indent(i)) + "px";
        return cell;
      }));
      row.id = `${this.box.id}-${i}`;
      row.setAttribute("aria-rowindex", i + 2);
      row.setAttribute("aria-selected", i === this.chosen);
      if (this.columns.failed(i)) row.classList.add("failed");
      rows.push(row);
    }
    rows.push(space((this.count - to) * this.high));
    this.body.replaceChildren(...rows);
    this.mark();
  }

  mark() {
    if (this.chosen >= this.from && this.chosen < this.to) this.table.setAttribute("aria-activedescendant", `${this.box.id}-${this.chosen}`);
    else this.table.removeAttribute("aria-activedescendant");
  }

  choose(i) {
    this.chosen = i;
    if (i >= 0) {
      const top = i * this.high, page = this.box.clientHeight - 2 * this.high;
      if (top < this.box.scrollTop) this.box.scrollTop = top;
      else if (top > this.box.scrollTop + page) this.box.scrollTop = top - page;
    }
    this.again();
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.box.clientHeight / this.high) - 2);
    const steps = {ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -this.count, End: this.count};
    if (!(event.key in steps) || event.target !== this.table || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const to = Math.max(0, Math.min(this.count - 1, this.chosen + steps[event.key]));
    if (this.count) this.pick(to);
  }
}

// --- State --------------------------------------------------------------------------------------

let task = null, chosen = -1, from = 0, to = 1;
let order = [], places = new Map(), sorted = "start", backwards = false;
let hits = [], hitSets = new Map(), hit = -1, hitRows = null;
let failures = null;
let drawings = 0, spent = 0;
let crossed = 0; // where the last cross of a row is

const canvas = $("canvas"), scroll = $("scroll"), overview = $("overview");
let colours = {};

// --- Drawing ------------------------------------------------------------------------------------

let waiting = false;
function redraw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; draw(); });
}

function sized(element) {
  const ratio = window.devicePixelRatio || 1, width = element.clientWidth, height = element.clientHeight;
  if (element.width !== Math.round(width * ratio) || element.height !== Math.round(height * ratio)) {
    element.width = Math.round(width * ratio);
    element.height = Math.round(height * ratio);
  }
  const context = element.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return [context, width, height];
}

// The first entry of a row, in the order of time, that ends, or begins, after a time.
function after(row, times, time) {
  let low = 0, high = row.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[row[middle]] <= time) low = middle + 1; else high = middle;
  }
  return low;
}

// Call back for entries in sight, at most one for each pixel: the rest would be drawn over each other.
function each(row, begins, finishes, width, back) {
  const scale = width / (to - from);
  for (let k = after(row, finishes, from - 1e-9); k < row.length;) {
    const i = row[k];
    if (begins[i] > to) break;
    const x = (begins[i] - from) * scale, right = (finishes[i] - from) * scale;
    back(i, x, right);
    k++;
    // Skip what is within the pixel where this one ends.
    if (k < row.length && (finishes[row[k]] - from) * scale < Math.floor(Math.max(x, right)) + 1) {
      const next = after(row, finishes, from + (Math.floor(Math.max(x, right)) + 1) / scale);
      k = Math.max(k, next);
    }
  }
}

function step(pixels) {
  const least = (to - from) / Math.max(1, pixels / 110);
  let power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  for (const factor of [1, 2, 5, 10]) if (factor * power >= least) return factor * power;
  return 10 * power;
}

function draw() {
  if (!task || !canvas.clientWidth) return;
  const began = performance.now();
  const [c, width, height] = sized(canvas), scale = width / (to - from), top = scroll.scrollTop;
  c.fillStyle = colours.back;
  c.fillRect(0, 0, width, height);
  c.font = FONT;
  c.textBaseline = "middle";
  drawGrid(c, width, height, scale);
  c.save();
  c.beginPath();
  c.rect(0, RULER, width, height - RULER);
  c.clip();
  const first = Math.floor(top / ROW), last = Math.min(task.rows - 1, Math.ceil((top + height - RULER) / ROW));
  for (let r = first; r <= last; r++) {
    const y = RULER + r * ROW - top + 2;
    each(task.bars[r], task.starts, task.ends, width, (i, x, right) => { if (task.kinds[i] !== FAILED) drawBar(c, i, x, right, y, width); });
    crossed = -Infinity;
    each(task.failed[r], task.starts, task.ends, width, (i, x, right) => drawBar(c, i, x, right, y, width));
    each(task.marks[r], task.starts, task.starts, width, (i, x) => drawMark(c, i, x, y));
    if (hitRows) {
      each(hitRows.bars[r], task.starts, task.ends, width, (i, x, right) => drawHit(c, x - 1, y, right - x + 2));
      each(hitRows.marks[r], task.starts, task.starts, width, (i, x) => drawHit(c, x - 3, y, 6));
    }
  }
  if (chosen >= 0) drawChosen(c, scale, top, height);
  c.restore();
  drawOverview();
  drawings++;
  spent = performance.now() - began;
}

function drawGrid(c, width, height, scale) {
  c.fillStyle = colours.panel;
  c.fillRect(0, 0, width, RULER);
  const unit = step(width);
  c.textAlign = "left";
  for (let t = Math.ceil(from / unit) * unit; t <= to; t += unit) {
    const x = Math.round((t - from) * scale) + .5;
    c.fillStyle = colours.line;
    c.fillRect(x, 0, 1, height);
    c.fillStyle = colours.dim;
    c.fillText(tick(t, unit), x + 4, RULER / 2);
  }
}

function tick(t, unit) {
  const [factor, name] = unit >= 1e6 ? [1e6, "s"] : unit >= 1e3 ? [1e3, "ms"] : [1, "µs"];
  return `${+(t / factor).toFixed(6)} ${name}`;
}

function drawBar(c, i, x, right, y, width) {
  const kind = task.kinds[i];
  const left = Math.max(-2, x), w = Math.max(1, Math.min(width + 2, right) - left);
  c.fillStyle = kind === FAILED ? colours.failed : kind === OPEN ? colours.open
    : kind === UNKNOWN ? colours.unknown : colours.types[task.types[i] % 8];
  c.fillRect(left, y, w, BAR);
  if (w > 3) {
    c.lineWidth = 1;
    c.strokeStyle = kind === OPEN ? colours.text : colours.back;
    if (kind === OPEN) c.setLineDash([4, 3]);
    c.strokeRect(left + .5, y + .5, w - 1, BAR - 1);
    c.setLineDash([]);
  }
  if (kind === FAILED && w > 8) hatch(c, left, y, w);
  const sign = kind === SUCCEEDED ? "" : SIGNS[kind] + " ";
  if (kind === FAILED && w <= 14) { // seen however short it was, by its shape, too
    c.fillStyle = colours.failed;
    c.fillRect(left, y - 2, Math.max(3, w), BAR + 4);
    if (w > 8) { c.fillStyle = colours["failed-text"]; c.fillText("✗", left + 2, y + BAR / 2); }
    else if (left - crossed > 12) { crossed = left; drawCross(c, left + Math.max(3, w) / 2, y + BAR / 2); }
    return;
  }
  const room = Math.floor((w - 6) / LETTER);
  if (room < 3) return;
  const name = shownName(task.types[i]), text = sign + name;
  c.fillStyle = kind === FAILED ? colours["failed-text"] : colours["bar-text"];
  c.fillText(text.length > room ? text.slice(0, room - 1) + "…" : text, Math.max(0, left) + 4, y + BAR / 2 + .5);
}

function drawCross(c, x, y) {
  c.strokeStyle = colours.failed;
  c.lineWidth = 2.5;
  c.beginPath();
  c.moveTo(x - 5, y - 5);
  c.lineTo(x + 5, y + 5);
  c.moveTo(x + 5, y - 5);
  c.lineTo(x - 5, y + 5);
  c.stroke();
}

function hatch(c, left, y, w) {
  c.save();
  c.beginPath();
  c.rect(left, y, w, BAR);
  c.clip();
  c.strokeStyle = "#0003";
  c.lineWidth = 2;
  c.beginPath();
  for (let x = left - BAR + (-left % 8); x < left + w; x += 8) { c.moveTo(x, y + BAR); c.lineTo(x + BAR, y); }
  c.stroke();
  c.restore();
}

function drawMark(c, i, x, y) {
  const kind = task.kinds[i], bad = kind >= WARNING;
    c.fillStyle = bad ? colours.error : colours["bar-text"];
  c.globalAlpha = bad ? 1 : .55;
  const high = kind === ERROR ? 12 : bad ? 9 : 5;
  c.fillRect(x - (bad ? 1 : .5), y + BAR - high, bad ? 3 : 1, high);
  c.globalAlpha = 1;
  if (task.rows === 1 && i === 0) { c.beginPath(); c.arc(x, y + BAR / 2, 5, 0, 7); c.fill(); }
}

function drawHit(c, x, y, width) {
  c.strokeStyle = colours.hit;
  c.lineWidth = 3;
  c.strokeRect(x, y - 1, Math.max(4, width), BAR + 2);
}

function drawChosen(c, scale, top, height) {
  const x = (task.starts[chosen] - from) * scale, right = (task.ends[chosen] - from) * scale;
  const y = RULER + task.place[chosen] * ROW - top + 2;
  c.fillStyle = colours.accent;
  c.globalAlpha = .35;
  c.fillRect(x, RULER, 1, height);
  c.globalAlpha = 1;
  c.strokeStyle = colours.accent;
  c.lineWidth = 1;
  // What it is in, up to the top.
  c.beginPath();
  for (let i = chosen, up = task.parents[i]; up >= 0; i = up, up = task.parents[i]) {
    const h = RULER - top + ROW * task.place[up] + ROW, xi = (task.starts[i] - from) * scale + .5;
    c.moveTo(xi, h);
    c.lineTo(xi, RULER - top + ROW * task.place[i] + 2);
  }
  c.stroke();
  c.lineWidth = 3;
  const wide = Math.max(7, right - x + 2);
  c.strokeRect(Math.max(-4, right - x < 5 ? x - 3 : x - 1), y - 1, Math.min(wide, canvas.clientWidth + 8), BAR + 2);
}

// How many actions there are at a time, and where failures are.
function profileOf(width) {
  if (task.profile && task.profile.width === width) return task.profile;
  const counts = new Int32Array(width + 1), red = new Uint8Array(width + 1), scale = width / task.total;
  for (let i = 0; i < task.count; i++) {
    if (task.kinds[i] >= MESSAGE) continue;
    const a = Math.min(width - 1, Math.floor(task.starts[i] * scale)), b = Math.min(width - 1, Math.floor(task.ends[i] * scale));
    counts[a]++;
    counts[b + 1]--;
    if (task.kinds[i] === FAILED) red[a] = 1;
  }
  let most = 1;
  for (let x = 0, sum = 0; x < width; x++) { sum += counts[x]; counts[x] = sum; most = Math.max(most, sum); }
  return task.profile = {width, counts, red, most};
}

function drawOverview() {
  const [c, width, height] = sized(overview);
  const {counts, red, most} = profileOf(Math.max(1, Math.floor(width)));
  c.fillStyle = colours.panel;
  c.fillRect(0, 0, width, height);
  for (let x = 0; x < width; x++) {
    const high = Math.ceil((height - 4) * Math.sqrt(counts[x] / most));
    c.fillStyle = red[x] ? colours.failed : colours.dim;
    c.globalAlpha = red[x] ? 1 : .5;
    c.fillRect(x, height - (red[x] ? height : high), 1, red[x] ? height : high);
  }
  c.globalAlpha = 1;
  const left = from / task.total * width, right = to / task.total * width;
  c.globalAlpha = .15;
  c.fillStyle = colours.accent;
  c.fillRect(left, 0, Math.max(2, right - left), height);
  c.globalAlpha = 1;
  c.strokeStyle = colours.accent;
  c.lineWidth = 2;
  c.strokeRect(Math.max(1, left), 1, Math.max(2, Math.min(width - 1, right) - Math.max(1, left)), height - 2);
}

// --- Looking around -----------------------------------------------------------------------------

function look(a, b) {
  const span = Math.min(Math.max(b - a, 4), task.total * 1.2 + 2), pad = span * .1;
  a = Math.max(Math.min(a, task.total + pad - span), -pad);
  from = a;
  to = a + span;
  redraw();
}

function zoom(factor, at = .5) {
  const span = (to - from) * factor, time = from + (to - from) * at;
  look(time - span * at, time - span * at + span);
}

function pan(part) {
  look(from + (to - from) * part, to + (to - from) * part);
}

function fit() {
  look(-task.total * .01, task.total * 1.01);
}

// A task of which an action never ended may be much shorter than the log.
function fitKnown() {
  const known = Math.max(1, task.known);
  look(-known * .02, task.total > known ? known * 1.15 : known * 1.02);
}

function zoomTo(i) {
  const span = Math.max(task.ends[i] - task.starts[i], task.total / 1e6, 4);
  look(task.starts[i] - span * .1, task.starts[i] + span * 1.1);
  reveal(i);
}

function reveal(i) {
  if (task.ends[i] < from || task.starts[i] > to) {
    const half = (to - from) / 2, middle = (task.starts[i] + Math.min(task.ends[i], task.starts[i] + half)) / 2;
    look(middle - half, middle + half);
  }
  const y = task.place[i] * ROW, page = scroll.clientHeight - RULER - ROW;
  if (y < scroll.scrollTop) scroll.scrollTop = Math.max(0, y - ROW);
  else if (y > scroll.scrollTop + page) scroll.scrollTop = y - page + ROW;
}

function openTask(index, item = -1) {
  if (!task || task.index !== index) {
    task = tasks[index].open();
    chosen = -1;
    $("space").style.height = RULER + task.rows * ROW + "px";
    scroll.scrollTop = 0;
    $("rows").scrollTop = 0;
    fitKnown();
    showHits();
    const name = shownName(task.name);
    $("name").textContent = `${SIGNS[task.kind]} ${name} · ${iso(task.start)} UTC · ${duration(task.known)} · ${line(task.uuid)}`;
    $("name").title = $("name").textContent;
    taskTable.choose(places.get(index));
    entryTable.chosen = -1;
    entryTable.show(task.count);
  }
  select(item < 0 ? 0 : item);
}

function select(i) {
  chosen = i;
  entryTable.choose(i);
  if (i >= 0) {
    reveal(i);
    $("status").textContent = summary(i);
  }
  details();
  redraw();
}

const shownName = type => line(names[type]);

const summary = i => {
  const kind = task.kinds[i];
  const lasted = kind < MESSAGE && kind !== OPEN ? `, ${duration(task.ends[i] - task.starts[i])}` : "";
  return `${SIGNS[kind]} ${shownName(task.types[i])} ${task.level(i)}, ${WORDS[kind]}${lasted}`;
};

// --- Details ------------------------------------------------------------------------------------

function pairs(object, without = []) {
  const list = make("dl", null);
  for (const [key, value] of Object.entries(object)) {
    if (without.includes(key)) continue;
    const text = valueText(value);
    list.append(make("dt", line(key)), make("dd", null, text.includes("\n") ? make("pre", several(text)) : line(text)));
  }
  return list;
}

function button(i) {
  const text = texts && task.kinds[i] !== MISSING ? brief(i) : "";
  const result = make("button", `${SIGNS[task.kinds[i]]} ${shownName(task.types[i])} ${text}`);
  result.type = "button";
  result.title = `${task.level(i)}, +${duration(task.starts[i])}`;
  result.addEventListener("click", () => select(i));
  return make("li", null, result);
}

// The fields of an entry on one line.
function brief(i) {
  const text = texts[task.offset + i];
  return text.length < 5000 ? line(task.fields(i).map(fields => Object.entries(fields).map(([k, v]) => `${k}=${typeof v === "string" ? v : JSON.stringify(v)}`).join(" ")).filter(Boolean).join(" → "))
    : line(text.slice(0, 500)) + "…";
}

function details() {
  const box = $("details"), parts = [];
  box.scrollTop = 0;
  if (!task || chosen < 0) {
    box.replaceChildren(make("p", "Nothing is selected. Click an action, or press ? for the keys."));
    return;
  }
  const kind = task.kinds[chosen], i = chosen, isAction = kind < MESSAGE;
  const badge = make("span", `${SIGNS[kind]} ${WORDS[kind]}`);
  badge.className = kind === FAILED || kind === ERROR ? "badge failed" : "badge";
  parts.push(make("h2", shownName(task.types[i])), badge);
  if (kind === OPEN) parts.push(make("p", "It was still running when the log ended."));
  if (kind === MISSING) parts.push(make("p", "Messages must have been here that are not in the log."));
  const facts = {task: task.uuid, level: task.level(i)};
  if (kind !== MISSING) {
    facts[isAction ? "start" : "time"] = `${iso(task.start + task.starts[i])} UTC`;
    facts["since start"] = `+${duration(task.starts[i])}`;
  }
  if (isAction && kind !== OPEN) {
    const lasted = task.ends[i] - task.starts[i], parent = task.parents[i];
    facts.duration = duration(lasted);
    const whole = parent < 0 ? 0 : task.ends[parent] - task.starts[parent];
    if (whole > 0 && task.kinds[parent] !== OPEN) facts.share = `${(100 * lasted / whole).toPrecision(3)} % of what it is in`;
  }
  parts.push(pairs(facts));
  const [fields, ending] = texts ? task.fields(i) : [{}, {}];
  if (!texts) parts.push(make("p", "The fields are still being read."));
  if (ending && (kind === FAILED || "exception" in ending)) {
    parts.push(make("h3", "Exception"));
    if ("exception" in ending) parts.push(make("p", line(valueText(ending.exception))));
    if (ending.reason) parts.push(make("pre", several(valueText(ending.reason))));
    if ("traceback" in ending) parts.push(make("pre", several(valueText(ending.traceback))));
  }
  if (Object.keys(fields).length) parts.push(make("h3", "Fields"), pairs(fields));
  const rest = ["exception", "reason", "traceback"];
  if (ending && Object.keys(ending).some(key => !rest.includes(key))) parts.push(make("h3", "Fields at the end"), pairs(ending, rest));
  if (task.parents[i] >= 0) {
    const up = make("ol", null, button(task.parents[i]));
    parts.push(make("h3", "In"), up);
  }
  for (const [title, wanted] of [["Actions in it", k => k < MESSAGE], ["Messages in it", k => k >= MESSAGE]]) {
    const list = make("ol", null);
    let count = 0;
    for (let kid = task.firstKid[i]; kid >= 0; kid = task.nextKid[kid]) {
      if (wanted(task.kinds[kid]) && ++count <= SHOWN) list.append(button(kid));
    }
    if (count) parts.push(make("h3", `${title} (${count.toLocaleString("en")})`), list);
    if (count > SHOWN) parts.push(make("p", `The first ${SHOWN} are listed.`));
  }
  box.replaceChildren(...parts);
}

// --- Search and failures ------------------------------------------------------------------------

function find(query) {
  hits = [];
  hitSets = new Map();
  hit = -1;
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length && texts) {
    lowTexts = lowTexts || texts.map(text => text.toLowerCase());
    const inName = words.map(word => names.map(name => name.toLowerCase().includes(word)));
    for (const each of tasks) {
      const types = each.columns[3], uuid = each.uuid.toLowerCase();
      for (let i = 0; i < each.count; i++) {
        const text = lowTexts[each.offset + i];
        if (words.every((word, w) => inName[w][types[i]] || text.includes(word) || (i === 0 && uuid.startsWith(word)))) {
          hits.push([each.index, i]);
          if (!hitSets.has(each.index)) hitSets.set(each.index, []);
          hitSets.get(each.index).push(i);
        }
      }
    }
  }
  showHits();
  count();
  redraw();
}

function showHits() {
  hitRows = null;
  if (!task || !hitSets.has(task.index)) return;
  const found = new Set(hitSets.get(task.index)), only = row => row.filter(i => found.has(i));
  hitRows = {bars: task.bars.map(only), marks: task.marks.map(only)};
}

function count() {
  $("found").textContent = !$("query").value.trim() ? "" : !hits.length ? "none"
    : hit < 0 ? `${hits.length.toLocaleString("en")} found` : `${(hit + 1).toLocaleString("en")} of ${hits.length.toLocaleString("en")}`;
}

// The one before or behind what is selected, in the order of the log; then around the corner.
function move(list, steps) {
  if (!list.length) return -1;
  const here = task ? [task.index, chosen] : [-1, -1];
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1, [t, i] = list[middle];
    if (t < here[0] || (t === here[0] && i < here[1])) low = middle + 1; else high = middle;
  }
  const isHere = low < list.length && list[low][0] === here[0] && list[low][1] === here[1];
  const index = steps > 0 ? (isHere ? low + 1 : low) : low - 1;
  return (index + list.length) % list.length;
}

function nextHit(steps) {
  clearTimeout(typing);
  if (sought !== $("query").value) search();
  // The first of a new search is where the log begins, or what is selected.
  const index = hit < 0 && steps > 0 && hits.length ? firstHit() : move(hits, steps);
  if (index < 0) return;
  hit = index;
  openTask(...hits[hit]);
  count();
}

function firstHit() {
  const here = task ? hits.findIndex(([t, i]) => t === task.index && i === chosen) : -1;
  return here >= 0 ? here : move(hits, 1);
}

function nextFailure(steps) {
  if (!failures) {
    failures = [];
    for (const each of tasks) each.columns[0].forEach((kind, i) => { if (kind === FAILED) failures.push([each.index, i]); });
  }
  const index = move(failures, steps);
  if (index >= 0) openTask(...failures[index]);
}

let typing = 0, sought = "";
function search() {
  sought = $("query").value;
  find(sought);
}

// --- The lists ----------------------------------------------------------------------------------

const at = i => tasks[order[i]];
let days = false;

const sorts = {
  status: (a, b) => (b.kind === FAILED) - (a.kind === FAILED) || b.kind - a.kind,
  type: (a, b) => names[a.name] < names[b.name] ? -1 : names[a.name] > names[b.name] ? 1 : 0,
  start: (a, b) => a.start - b.start,
  duration: (a, b) => b.known - a.known,
  actions: (a, b) => b.actions - a.actions,
  failures: (a, b) => b.failures - a.failures,
};

const byColumn = column => sortTasks(column.key, sorted === column.key ? !backwards : false);
const taskColumns = [
  {title: "?", className: "s", text: i => SIGNS[at(i).kind], about: i => WORDS[at(i).kind], key: "status", sort: byColumn},
  {title: "Task", text: i => shownName(at(i).name), about: i => line(at(i).uuid), key: "type", sort: byColumn},
  {title: "Start", className: "w", text: i => days ? iso(at(i).start).slice(5, 19) : iso(at(i).start).slice(11, 23), about: i => iso(at(i).start) + " UTC", key: "start", sort: byColumn},
  {title: "Duration", className: "d", text: i => duration(at(i).known), key: "duration", sort: byColumn},
  {title: "Actions", className: "n few", text: i => at(i).actions.toLocaleString("en"), about: i => at(i).actions.toLocaleString("en"), key: "actions", sort: byColumn},
  {title: "Failed", className: "n bad", text: i => at(i).failures ? `✗ ${at(i).failures.toLocaleString("en")}` : "", key: "failures", sort: byColumn},
];
taskColumns.failed = i => at(i).kind === FAILED || at(i).kind === ERROR;
const taskTable = new Table($("tasks"), "Tasks", taskColumns, i => openTask(order[i]));

function sortTasks(key, back) {
  sorted = key;
  backwards = back;
  order = tasks.map((_, i) => i);
  order.sort((a, b) => (back ? -1 : 1) * sorts[key](tasks[a], tasks[b]) || a - b);
  places = new Map(order.map((index, i) => [index, i]));
  taskColumns.forEach((column, i) => {
    const is = column.key === key;
    // Durations and numbers begin with the largest.
    const falls = (key !== "type" && key !== "start") !== back;
    taskTable.heads[i].setAttribute("aria-sort", is ? (falls ? "descending" : "ascending") : "none");
    taskTable.heads[i].firstChild.textContent = column.title + (is ? (falls ? " ▾" : " ▴") : "");
  });
  taskTable.show(tasks.length);
  if (task) taskTable.choose(places.get(task.index));
}

const entryColumns = [
  {title: "Type", text: i => shownName(task.types[i]), indent: i => task.depth(i)},
  {title: "Level", className: "w", text: i => task.level(i)},
  {title: "Status", className: "v", text: i => `${SIGNS[task.kinds[i]]} ${WORDS[task.kinds[i]]}`},
  {title: "Since start", className: "w", text: i => task.kinds[i] === MISSING ? "" : duration(task.starts[i])},
  {title: "Duration", className: "w", text: i => task.kinds[i] < MESSAGE && task.kinds[i] !== OPEN ? duration(task.ends[i] - task.starts[i]) : ""},
  {title: "Fields", text: i => texts ? brief(i) : ""},
];
entryColumns.failed = i => task.kinds[i] === FAILED || task.kinds[i] === ERROR;
const entryTable = new Table($("rows"), "Entries of the task", entryColumns, i => select(i));

function toggleView() {
  const asTable = $("rows").hidden;
  $("rows").hidden = !asTable;
  $("frame").hidden = $("overview").hidden = asTable;
  $("view").setAttribute("aria-pressed", asTable);
  if (asTable) { entryTable.choose(chosen); entryTable.table.focus({preventScroll: true}); }
  else { scroll.focus(); if (chosen >= 0) reveal(chosen); }
  redraw();
}

// --- Dark and light -----------------------------------------------------------------------------

const dark = matchMedia("(prefers-color-scheme: dark)");
let theme = null;

function paint() {
  const now = theme || (dark.matches ? "dark" : "light");
  document.documentElement.dataset.theme = now;
  $("theme").textContent = now === "dark" ? "Light" : "Dark";
  const style = getComputedStyle(document.documentElement), value = name => style.getPropertyValue("--" + name).trim();
  for (const name of ["back", "panel", "text", "dim", "line", "accent", "hit", "failed", "failed-text", "open", "unknown", "bar-text", "error"]) colours[name] = value(name);
  colours.types = Array.from({length: 8}, (_, i) => value("c" + i));
  redraw();
}

function toggleTheme() {
  theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  paint();
}

// --- Mouse --------------------------------------------------------------------------------------

// The entry at a point of the timeline.
function pick(x, y) {
  const row = Math.floor((y - RULER + scroll.scrollTop) / ROW);
  if (!task || y < RULER || row < 0 || row >= task.rows) return -1;
  const scale = canvas.clientWidth / (to - from), time = from + x / scale, near = 4 / scale;
  const nearest = (list, finishes) => {
    let best = -1, least = near;
    for (let k = Math.max(0, after(list, finishes, time - near) - 1); k < list.length && task.starts[list[k]] <= time + near; k++) {
      const i = list[k], distance = Math.max(task.starts[i] - time, time - finishes[i], 0);
      if (distance < least) { best = i; least = distance; if (!distance) break; }
    }
    return best;
  };
  const low = (y - RULER + scroll.scrollTop) % ROW > ROW / 2;
  const mark = nearest(task.marks[row], task.starts), failed = nearest(task.failed[row], task.ends), bar = nearest(task.bars[row], task.ends);
  if (mark >= 0 && (low || bar < 0)) return mark;
  // A failure is drawn over what is on the same pixel.
  return failed >= 0 && (task.ends[failed] - task.starts[failed]) * scale < 3 ? failed : bar;
}

let drag = null;
scroll.addEventListener("pointerdown", event => {
  if (event.button !== 0 || event.offsetX > scroll.clientWidth) return;
  drag = {x: event.clientX, y: event.clientY, from, to, top: scroll.scrollTop, moved: false};
});
window.addEventListener("pointermove", event => {
  if (!drag) return;
  const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
  if (!drag.moved && Math.hypot(dx, dy) > 4) {
    drag.moved = true;
    scroll.setPointerCapture(event.pointerId);
    scroll.classList.add("dragged");
  }
  if (drag.moved) {
    const shift = dx / canvas.clientWidth * (drag.to - drag.from);
    look(drag.from - shift, drag.to - shift);
    scroll.scrollTop = drag.top - dy;
  }
});
const where = event => {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
};
const drop = event => {
  if (!drag) return;
  const moved = drag.moved;
  drag = null;
  scroll.classList.remove("dragged");
  if (!moved && event.type === "pointerup") select(pick(...where(event)));
};
window.addEventListener("pointerup", drop);
window.addEventListener("pointercancel", drop);
scroll.addEventListener("dblclick", event => {
  const i = pick(...where(event));
  if (i >= 0) zoomTo(i);
});
scroll.addEventListener("scroll", redraw);
scroll.addEventListener("wheel", event => {
  const [x] = where(event), pixels = event.deltaMode === 1 ? 16 : 1;
  const scrolls = scroll.scrollHeight > scroll.clientHeight && !event.ctrlKey && !event.metaKey;
  const across = event.shiftKey && !event.deltaX ? event.deltaY : event.deltaX;
  if (event.shiftKey || Math.abs(across) > Math.abs(event.deltaY)) pan(across * pixels / canvas.clientWidth);
  else if (!scrolls) zoom(Math.exp(event.deltaY * pixels * .0025), x / canvas.clientWidth);
  else return;
  event.preventDefault();
}, {passive: false});
scroll.addEventListener("mousemove", event => {
  const i = drag ? -1 : pick(...where(event)), tip = $("tip");
  tip.hidden = i < 0;
  if (i < 0) return;
  tip.textContent = summary(i);
  tip.style.left = Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8) + "px";
  tip.style.top = Math.min(event.clientY + 16, innerHeight - 30) + "px";
});
scroll.addEventListener("mouseleave", () => { $("tip").hidden = true; });

function sweep(event) {
  if (!task || !(event.buttons & 1)) return;
  const middle = event.offsetX / overview.clientWidth * task.total, half = (to - from) / 2;
  look(middle - half, middle + half);
}
overview.addEventListener("pointerdown", event => { overview.setPointerCapture(event.pointerId); sweep(event); });
overview.addEventListener("pointermove", sweep);
overview.addEventListener("wheel", event => {
  event.preventDefault();
  zoom(Math.exp(event.deltaY * .0025));
}, {passive: false});

// --- Keys ---------------------------------------------------------------------------------------

const beside = (wanted, none) => { if (task && chosen >= 0 && wanted(chosen) >= 0) select(wanted(chosen)); else if (task && chosen < 0) select(none); };
const otherTask = steps => {
  const i = places.get(task.index) + steps;
  if (i >= 0 && i < order.length) openTask(order[i]);
};
const keys = {
  "/": () => { $("query").focus(); $("query").select(); },
  n: () => nextHit(1), N: () => nextHit(-1),
  e: () => nextFailure(1), E: () => nextFailure(-1),
  "[": () => otherTask(-1), "]": () => otherTask(1),
  ArrowUp: () => beside(i => task.parents[i], 0), ArrowDown: () => beside(i => task.firstKid[i], 0),
  ArrowLeft: () => beside(i => task.previousKid[i], 0), ArrowRight: () => beside(i => task.nextKid[i], 0),
  "+": () => zoom(1 / 1.5), "=": () => zoom(1 / 1.5), w: () => zoom(1 / 1.5), "-": () => zoom(1.5), s: () => zoom(1.5),
  a: () => pan(-.2), d: () => pan(.2),
  f: () => { if (chosen >= 0) zoomTo(chosen); }, 0: fit,
  v: toggleView, t: toggleTheme,
  Escape: () => { if (task) select(-1); },
  "?": () => $("keys").showModal(),
};
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.altKey || event.metaKey || $("keys").open || !task) return;
  if (event.target === $("query")) {
    if (event.key === "Escape") { event.preventDefault(); scroll.focus(); }
    return;
  }
  // The details scroll with the arrows.
  if (event.key.startsWith("Arrow") && $("details").contains(event.target)) return;
  if (!Object.hasOwn(keys, event.key)) return;
  event.preventDefault();
  keys[event.key]();
});

$("query").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(search, 150);
});
$("find").addEventListener("submit", event => { event.preventDefault(); nextHit(1); });
$("query").addEventListener("keydown", event => {
  if (event.key === "Enter" && event.shiftKey) { event.preventDefault(); nextHit(-1); }
});
$("previous").addEventListener("click", () => nextHit(-1));
$("failure").addEventListener("click", () => nextFailure(1));
$("view").addEventListener("click", toggleView);
$("theme").addEventListener("click", toggleTheme);
$("help").addEventListener("click", keys["?"]);
$("in").addEventListener("click", () => zoom(1 / 1.5));
$("out").addEventListener("click", () => zoom(1.5));
$("fit").addEventListener("click", fit);
dark.addEventListener("change", paint);
new ResizeObserver(redraw).observe($("frame"));

// --- Begin --------------------------------------------------------------------------------------

async function begin() {
  paint();
  const data = JSON.parse(await decoded("drawn"));
  names = data.names;
  end = data.end;
  let offset = 0;
  for (const each of data.tasks) {
    const task = new Task(each, offset);
    tasks.push(task);
    offset += task.count;
  }
  tasks.sort((a, b) => a.start - b.start);
  tasks.forEach((task, index) => { task.index = index; });
  days = Math.floor(tasks[0].start / 864e8) !== Math.floor(end / 864e8);
  sortTasks("start", false);
  openTask(0);
  scroll.focus();
  draw();
  performance.mark("drawn");
  // The rest once the picture is on the screen.
  await new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve)));
  texts = (await decoded("fields")).split("\n");
  $("query").disabled = false;
  entryTable.again();
  details();
  document.documentElement.dataset.state = "ready";
  performance.mark("ready");
}

begin().catch(error => {
  $("stage").replaceChildren(make("p", `This browser cannot show the page: ${error}. It takes one of 2023 or later.`));
  $("stage").firstChild.className = "message";
  document.documentElement.dataset.state = "broken";
});

// For tests and measurements.
window.timeline = {
  state: () => ({task: task && task.uuid, chosen: chosen < 0 ? null : task.level(chosen), from, to, total: task.total, rows: task.rows, top: scroll.scrollTop, drawings, spent}),
  // Where an entry of the task is drawn.
  spot: level => {
    for (let i = 0; i < task.count; i++) if (task.level(i) === level) {
      const box = canvas.getBoundingClientRect(), scale = canvas.clientWidth / (to - from);
      const middle = (Math.max(from, task.starts[i]) + Math.min(to, task.ends[i])) / 2;
      return {x: box.left + (middle - from) * scale, y: box.top + RULER + task.place[i] * ROW - scroll.scrollTop + 6};
    }
    return null;
  },
  look, draw,
};
