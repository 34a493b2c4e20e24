// Three lanes of text, and a tape of what came, was held and went out over time. Steps are taken
// in at once and drawn once a frame, and never more than a window of the text.

const RUNNING = 2_000; // characters of a text that are drawn while it moves
const RESTING = 5_000; // and when it has ended
const SECONDS = 8; // of the tape, while it moves
const BINS = 420;
const GUTTER = 66; // pixels of the tape in which its lanes are named

const astral = /[\ud800-\udfff]/;

class Slot {
  came = ""; released = ""; wide = false; marks = [];
  #at = { points: 0, units: 0 };

  take(text) {
    this.wide ||= astral.test(text);
    this.came += text;
  }

  /** Where a code point is in the text, which JavaScript counts in UTF-16. */
  unit(point) {
    if (!this.wide) return point;
    if (point < this.#at.points) this.#at = { points: 0, units: 0 };
    let { points, units } = this.#at;
    for (; points < point && units < this.came.length; points += 1) units += this.came.codePointAt(units) > 0xffff ? 2 : 1;
    this.#at = { points, units };
    return units;
  }
}

export class Lanes {
  #slots = new Map(); #steps = []; #held = 0; #findings = 0; #still; #nodes; #moving = false; #last = null;

  constructor(nodes, still) {
    this.#nodes = nodes;
    this.#still = still; // whether motion is not wanted
    new ResizeObserver(() => this.#tape()).observe(nodes.tape);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#tape());
  }

  begin() {
    this.#slots = new Map();
    this.#steps = [];
    this.#held = this.#findings = 0;
    this.#moving = true;
    this.#last = null;
    this.draw();
  }

  take(step) {
    let came = 0, released = 0;
    for (const [name, text] of step.came) {
      this.#slot(name).take(text);
      this.#last = name;
      came += text.length;
    }
    for (const [name, text] of step.released) {
      this.#slot(name).released += text;
      released += text.length;
    }
    for (const finding of step.findings) {
      const place = finding.place, slot = place && this.#slots.get(place.slot);
      if (slot) slot.marks.push({ from: slot.unit(place.start), to: slot.unit(place.end), finding });
    }
    this.#held = step.held;
    this.#findings += step.findings.length;
    this.#steps.push({ t: step.t, came, held: step.held, released, found: step.findings.length });
  }

  end() {
    this.#moving = false;
    this.draw();
  }

  get came() { return this.#slots.get("0/text")?.came ?? ""; }

  #slot(name) {
    if (!this.#slots.has(name)) this.#slots.set(name, new Slot());
    return this.#slots.get(name);
  }

  draw() {
    const { came, held, released } = this.#nodes;
    const most = this.#moving ? RUNNING : RESTING;
    const slots = [...this.#slots];
    came.replaceChildren(...slots.flatMap(([name, slot]) => this.#came(name, slot, most)));
    released.replaceChildren(...slots.flatMap(([name, slot]) => parts(name, slot.released, most)));
    const last = this.#slots.get(this.#last);
    const tail = this.#held && last ? last.came.slice(-Math.min(this.#held, most)) : "";
    if (tail) {
      const span = document.createElement("span");
      span.textContent = tail;
      held.replaceChildren(span);
    } else held.replaceChildren();
    this.#count(slots);
    if (this.#moving) for (const lane of [came, released]) lane.scrollTop = lane.scrollHeight;
    this.#tape();
  }

  #count(slots) {
    const sum = (lane) => slots.reduce((total, [, slot]) => total + slot[lane].length, 0).toLocaleString("en");
    const { counts } = this.#nodes;
    counts.came.textContent = `${sum("came")} characters`;
    counts.held.textContent = this.#held ? `${this.#held.toLocaleString("en")} characters` : "nothing";
    counts.released.textContent = `${sum("released")} characters`;
  }

  #came(name, slot, most) {
    const text = slot.came, begin = Math.max(0, text.length - most);
    const settled = this.#last === name ? text.length - this.#held : text.length;
    const nodes = label(name, begin);
    let at = begin;
    const add = (to) => {
      const edge = Math.max(at, Math.min(to, settled));
      if (edge > at) nodes.push(document.createTextNode(text.slice(at, edge)));
      if (to > edge) {
        const span = document.createElement("span");
        span.className = "tail";
        span.textContent = text.slice(edge, to);
        nodes.push(span);
      }
      at = to;
    };
    const seen = slot.marks.filter((mark) => mark.to > begin).sort((a, b) => a.from - b.from);
    for (const { from, to, finding } of seen) {
      if (from < at) continue; // inside of another, which is marked
      add(from);
      const mark = document.createElement("mark");
      mark.textContent = text.slice(from, to);
      mark.className = finding.action;
      if (!this.#moving) mark.tabIndex = 0;
      mark.setAttribute("aria-describedby", "tip");
      mark.finding = finding;
      nodes.push(mark);
      at = to;
    }
    add(text.length);
    return nodes;
  }

  #tape() {
    const canvas = this.#nodes.tape, scale = devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width) return;
    if (canvas.width !== Math.round(width * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    const { bins, until, from } = this.#binned();
    const style = getComputedStyle(canvas), colour = (name) => style.getPropertyValue(`--${name}`);
    const lane = (height - 12) / 3, step = (width - GUTTER) / BINS;
    pen.font = "11px system-ui, sans-serif";
    ["came", "held", "released"].forEach((name, row) => {
      const base = (row + 1) * lane + 4, most = Math.max(1, ...bins.map((bin) => bin[name]));
      pen.fillStyle = colour("line");
      pen.fillRect(GUTTER, base, width - GUTTER, 1);
      pen.fillStyle = colour(name);
      bins.forEach((bin, at) => {
        const tall = bin[name] && Math.max(2, (bin[name] / most) * (lane - 9));
        if (tall) pen.fillRect(GUTTER + at * step, base - tall, Math.max(name === "held" ? step + 0.5 : 1.5, step - 1), tall);
      });
      pen.fillStyle = colour("soft");
      pen.fillText(name === "came" ? "came in" : name, 8, base - 2);
    });
    pen.fillStyle = colour("found");
    bins.forEach((bin, at) => bin.found && pen.fillRect(GUTTER + at * step, 4, 1.5, height - 12));
    if (until > from) {
      pen.fillStyle = colour("soft");
      pen.textAlign = "right";
      pen.fillText(`${until.toFixed(1)} s`, GUTTER - 8, 12);
      pen.textAlign = "left";
    }
  }

  /** The steps that are to be seen, by place: the last seconds while they move, all at the end. */
  #binned() {
    const bins = Array.from({ length: BINS }, () => ({ came: 0, held: 0, released: 0, found: 0 }));
    const steps = this.#steps, until = steps.at(-1)?.t ?? 0;
    const from = this.#moving && !this.#still ? Math.max(0, until - SECONDS) : 0;
    const span = Math.max(this.#moving && !this.#still ? SECONDS : until - from, 0.001);
    if (this.#moving && (this.#still || steps.length > 50_000)) return { bins, until, from };
    let held = 0, last = -1;
    let at = steps.length;
    while (at > 0 && steps[at - 1].t >= from) at -= 1;
    for (; at < steps.length; at += 1) {
      const step = steps[at], place = Math.min(BINS - 1, Math.floor(((step.t - from) / span) * (BINS - 1)));
      for (let gap = last + 1; gap < place; gap += 1) bins[gap].held = Math.max(bins[gap].held, held);
      const bin = bins[place];
      bin.came += step.came;
      bin.released += step.released;
      bin.found += step.found;
      bin.held = Math.max(bin.held, step.held);
      held = step.held;
      last = place;
    }
    return { bins, until, from };
  }
}

/** What a slot is called; nothing for the answer itself. */
export function called(slot) {
  if (slot === "0/text") return "";
  return slot.replace(/^0\//, "").replace(/^tool_args\/(\d+)$/, (_, call) => `tool call ${Number(call) + 1}`).replaceAll("/", ": ");
}

function label(name, hidden) {
  const said = [];
  if (called(name)) said.push(called(name));
  if (hidden) said.push(`${hidden.toLocaleString("en")} characters before`);
  if (!said.length) return [];
  const span = document.createElement("span");
  span.className = "slot";
  span.textContent = said.join(", ");
  return [span];
}

function parts(name, text, most) {
  if (!text) return [];
  const begin = Math.max(0, text.length - most);
  return [...label(name, begin), document.createTextNode(text.slice(begin))];
}

/** Shows why a span was found, where the pointer or the focus is. */
export function tips(lane, tip) {
  const show = (mark) => {
    const { finding } = mark;
    const lines = [`${finding.rule}: ${finding.action}, characters ${finding.start}–${finding.end}`, ...finding.why];
    tip.replaceChildren(...lines.map((line) => Object.assign(document.createElement("p"), { textContent: line })));
    tip.hidden = false;
    const box = mark.getBoundingClientRect(), own = tip.getBoundingClientRect();
    const above = box.top - own.height - 6;
    tip.style.left = `${Math.max(8, Math.min(box.left, innerWidth - own.width - 8))}px`;
    tip.style.top = `${above > 4 ? above : box.bottom + 6}px`;
  };
  const hide = () => { tip.hidden = true; };
  const marked = (event) => event.target.closest?.("mark");
  lane.addEventListener("pointerover", (event) => { const mark = marked(event); if (mark) show(mark); });
  lane.addEventListener("pointerout", (event) => { if (marked(event)) hide(); });
  lane.addEventListener("focusin", (event) => { const mark = marked(event); if (mark) show(mark); });
  lane.addEventListener("focusout", hide);
  lane.addEventListener("scroll", hide);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
}
