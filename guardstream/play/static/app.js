// The page: a policy on one side, a stream on the other.

import { ask, events, setup } from "./api.js";
import { Lanes, called, tips } from "./lanes.js";
import { Player } from "./player.js";
import { PolicyEditor } from "./policy.js";
import { packed, unpacked } from "./share.js";

const $ = (id) => document.getElementById(id);
const SPEEDS = [[0.25, "¼×"], [0.5, "½×"], [1, "1×"], [2, "2×"], [4, "4×"], [16, "16×"], [Infinity, "at once"]];
const SIZES = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 1024, 1536, 2048, 3072, 4096, 8192];
const SHOWN = 50; // findings in the table
const AT_ONCE = 2_000; // characters of a text whose chunkings are tried without asking

const still = matchMedia("(prefers-reduced-motion: reduce)");
const format = (number) => number.toLocaleString("en");
const plural = (count, name) => `${format(count)} ${name}${count === 1 ? "" : "s"}`;

const known = await setup();
const texts = { text: "", recording: "", model: "" };
const MODES = ["enforce", "shadow"];
let source = "text", running = null, checking = null, comparing = null, last = null;

const lanes = new Lanes(
  {
    came: $("came"), held: $("held"), released: $("released"), tape: $("tape"),
    counts: { came: $("came-count"), held: $("held-count"), released: $("released-count") },
  },
  still.matches,
);
const player = new Player(lanes, () => SPEEDS[$("speed").value][0]);
tips($("came"), $("tip"));

const sides = MODES.map((mode) => {
  const node = (name) => $(`${mode}-${name}`), came = node("came");
  const counts = { came: node("came-count"), held: node("held-count"), released: node("released-count") };
  const lanes = new Lanes({ came, held: node("held"), released: $(mode), tape: node("tape"), counts }, still.matches);
  tips(came, $("tip"));
  return { mode, lanes, player: new Player(lanes, () => SPEEDS[$("speed").value][0]) };
});

function say(message, error = false) {
  $("status").textContent = message;
  $("status").classList.toggle("error", error);
}

/** The next frame, when what is there by now has been drawn. */
const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));

// The settings

function size() {
  if (source === "recording" && Number($("size").value) === 0) return 0;
  return SIZES[Math.max(Number($("size").value), 1) - 1];
}

function settle() {
  const recorded = source === "recording";
  $("size").min = recorded ? 0 : 1;
  $("size").disabled = source === "model";
  const chosen = size();
  const shown = source === "model" ? "as it comes" : chosen ? plural(chosen, "character") : "as recorded";
  $("size-value").textContent = shown;
  $("size").setAttribute("aria-valuetext", shown);
  $("speed-value").textContent = SPEEDS[$("speed").value][1];
  $("speed").setAttribute("aria-valuetext", SPEEDS[$("speed").value][1]);
  $("recording-choice").hidden = !recorded;
  $("input-label").textContent = { text: "The text that streams", recording: "The recording, JSON lines or server-sent events", model: "What the model is asked" }[source];
  $("input").placeholder = { text: "A text", recording: "A recording: JSON lines, or server-sent events", model: "What the model is asked" }[source];
}

function choose(next) {
  source = next;
  for (const radio of document.querySelectorAll("input[name=source]")) radio.checked = radio.value === next;
  $("input").value = texts[next];
  if (next === "recording") {
    $("size").min = 0;
    $("size").value = 0;
  } else if (Number($("size").value) === 0) $("size").value = 4;
  settle();
}

function input() {
  texts[source] = $("input").value;
  return texts[source];
}

function start(choice) {
  input();
  const [kind, name] = [choice.slice(0, 1), choice.slice(2)];
  if (kind === "p") editor.text = known.packs.find((pack) => pack.name === name).policy;
  else {
    const example = known.examples[Number(name)];
    editor.text = example.policy;
    texts.text = example.text || texts.text;
    texts.recording = example.recording || texts.recording;
    choose(example.recording ? "recording" : "text");
  }
  forget();
}

/** Drop what was said of another policy or text. */
function forget() {
  checking?.abort();
  leave();
  for (const id of ["chunkings", "found", "compared"]) $(id).hidden = true;
  $("facts").replaceChildren();
}

// Playing

function request() {
  const policy = editor.text;
  if (source === "model") return ["live", { policy, prompt: input() }];
  return ["stream", { policy, [source]: input(), size: size() }];
}

async function play() {
  stop();
  checking?.abort();
  const [job, body] = request();
  if (job === "live" && !body.prompt) return say("Write what the model is asked.");
  const before = last;
  forget();
  const findings = [];
  const own = (running = new AbortController());
  $("stop").disabled = false;
  say("Streaming…");
  let end;
  try {
    const coming = events(job, body, own.signal);
    const onStep = (step) => findings.push(...step.findings);
    end = await player.play(coming, { live: job === "live", still: still.matches, onStep });
  } catch (error) {
    if (error.name !== "AbortError") say(error.message, true);
  }
  if (running !== own) return;
  running = null;
  player.stop();
  lanes.end();
  await frame();
  $("stop").disabled = true;
  if (own.signal.aborted) say("Stopped.");
  else if (end?.type === "end") await finished(end, findings, body, before);
  else if (end) say(end.message, true);
}

function stop() {
  running?.abort();
  player.stop();
}

async function finished(end, findings, body, before) {
  last = { body, text: end.text, finish: end.finish, size: body.size };
  const ended = end.blocked_by ? `blocked by ${end.blocked_by}` : `finish ${end.finish}`;
  let said = `Ended: ${ended}. ${plural(findings.length, "finding")}.`;
  if (end.cost !== null) said += ` ${end.cost} µs a chunk.`;
  const same = before && before.body.policy === body.policy && before.body.size !== body.size &&
    before.body.text === body.text && before.body.recording === body.recording;
  if (same && before.text === end.text && before.finish === end.finish)
    said += ` The same answer as with chunks of ${before.size || "the recorded sizes"}.`;
  else if (same) said += " Another answer than with the other chunk size!";
  say(said, Boolean(same && before.text !== end.text));
  facts({
    chunks: format(end.chunks), "characters in": format(end.characters_in), "characters out": format(end.characters_out),
    "held at most": format(end.held_max), "held, mean": end.held_mean, "µs a chunk": end.cost ?? "–",
  });
  for (const show of [() => list(findings), () => compare(end)]) {
    await frame(); // a long page is laid out a part at a time
    if (last?.body !== body) return;
    show();
  }
  const text = body.prompt === undefined && lanes.came;
  if (text && text.length <= known.longest && body.text !== undefined) offer(body.policy, body.text);
  else if (text && text.length <= known.longest && isText(body.recording)) offer(body.policy, text);
}

function isText(recording) {
  return recording !== undefined && recording.trimStart().startsWith("{") && !/^\s*\{"t":[^,]*, ?"(json|model|bytes)"/m.test(recording);
}

function facts(said) {
  const pair = ([name, value]) => {
    const group = document.createElement("div"), term = document.createElement("dt"), fact = document.createElement("dd");
    term.textContent = name;
    fact.textContent = value;
    group.append(term, fact);
    return group;
  };
  $("facts").replaceChildren(...Object.entries(said).map(pair));
}

function list(findings) {
  $("found").hidden = !findings.length;
  $("findings").replaceChildren(...findings.slice(0, SHOWN).map(row));
  $("more-findings").textContent = findings.length > SHOWN ? `and ${plural(findings.length - SHOWN, "finding")} more` : "";
}

function row(finding) {
  const made = document.createElement("tr");
  const where = finding.place ? called(finding.place.slot) : finding.path || (finding.channel === "text" ? "" : finding.channel);
  const place = `${finding.start}–${finding.end}${where ? ` of ${where}` : ""}`;
  for (const said of [finding.rule, finding.action, finding.severity, place, finding.why.join("; ")])
    made.insertCell().textContent = said;
  const cell = made.insertCell();
  if (finding.place?.slot === "0/text" && finding.kind === "match" && source !== "model") {
    const save = document.createElement("button");
    save.type = "button";
    save.textContent = "Save as test";
    save.setAttribute("aria-label", `Save as test: this finding of ${finding.rule}`);
    const text = lanes.came;
    save.addEventListener("click", () => saved(save, finding, text));
    cell.append(save);
  }
  return made;
}

async function saved(button, { rule, place: { start, end } }, text) {
  try {
    const made = await ask("save", { policy: editor.text, rule, text, start, end });
    editor.text = made.policy;
    button.textContent = "Saved";
    button.disabled = true;
    say(`A test of ${rule} is in the policy now.`);
  } catch (error) {
    say(error.message, true);
  }
}

function compare(end) {
  $("compared").hidden = false;
  $("timeline").hidden = $("compare").hidden = source === "model";
  for (const each of document.querySelectorAll("#compared .moving")) each.hidden = true;
  for (const mode of MODES) {
    $(`${mode}-released-count`).textContent = "";
    const { text, finish, findings } = end[mode];
    const count = Object.values(findings).reduce((sum, each) => sum + each, 0);
    $(`${mode}-said`).textContent = `finish ${finish}, ${plural(count, "finding")}`;
    $(mode).textContent = text.length > 4_000 ? `${text.slice(0, 4_000)}\n… and ${format(text.length - 4_000)} characters more` : text;
  }
}

/** Play the stream in both modes at once, or stop that. */
async function both() {
  if (comparing) return leave();
  const own = (comparing = new AbortController()), { body } = last;
  $("compare").textContent = "Stop both";
  for (const each of document.querySelectorAll("#compared .moving")) each.hidden = false;
  await Promise.all(sides.map(async ({ mode, lanes, player }) => {
    try {
      const coming = events("stream", { ...body, mode }, own.signal);
      const end = await player.play(coming, { live: false, still: still.matches, onStep() {} });
      if (end?.message) say(end.message, true);
    } catch (error) {
      if (error.name !== "AbortError") say(error.message, true);
    }
    lanes.end();
  }));
  if (comparing === own) leave();
}

function leave() {
  comparing?.abort();
  comparing = null;
  for (const { player } of sides) player.stop();
  $("compare").textContent = "Play both";
}

// Every chunking

function offer(policy, text) {
  $("chunkings").hidden = false;
  $("chunkings-progress").value = 0;
  tried("", "");
  const begin = () => check(policy, text);
  $("chunkings-start").onclick = begin;
  $("chunkings-start").hidden = text.length <= AT_ONCE;
  if (text.length <= AT_ONCE) begin();
}

function tried(said, kind) {
  $("chunkings-said").textContent = said;
  $("chunkings-said").className = kind;
}

async function check(policy, text) {
  checking?.abort();
  const own = (checking = new AbortController());
  $("chunkings-start").hidden = true;
  try {
    for (let begin = 0; begin !== null; ) {
      const slice = await ask("chunkings", { policy, text, begin }, own.signal);
      $("chunkings-progress").max = slice.total;
      $("chunkings-progress").value = slice.done;
      if (slice.differs) return tried(`Another answer in chunks of ${slice.differs.slice(0, 12).join(", ")} characters`, "bad");
      tried(`${format(slice.done)} of ${format(slice.total)}`, "");
      begin = slice.next;
      if (begin === null) tried(`yes: all ${format(slice.total)} chunkings that were tried`, "good");
    }
  } catch (error) {
    if (error.name !== "AbortError") tried(error.message, "bad");
  }
}

// The timeline, as a file

async function timeline() {
  const [, body] = request();
  try {
    const { svg } = await ask("timeline", body);
    const url = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
    Object.assign(document.createElement("a"), { href: url, download: "stream.svg" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1_000);
  } catch (error) {
    say(error.message, true);
  }
}

// Links

async function link() {
  const state = { policy: editor.text, size: Number($("size").value), speed: Number($("speed").value), source };
  if ($("share-text").checked) state.text = input();
  const fragment = await packed(state);
  $("share-link").value = `${location.origin}/#${fragment}`;
  $("copied").textContent = "";
  history.replaceState(null, "", `#${fragment}`);
}

async function opened(address) {
  const state = await unpacked(address);
  if (!state) return false;
  input();
  editor.text = state.policy;
  const kind = state.source === "recording" ? "recording" : "text";
  texts[kind] = typeof state.text === "string" ? state.text : texts[kind];
  choose(kind);
  for (const name of ["size", "speed"]) if (Number.isInteger(state[name])) $(name).value = state[name];
  settle();
  forget();
  return true;
}

// Beginning

const editor = new PolicyEditor({
  parent: $("editor"), problems: $("problems"), verdict: $("verdict"), setup: known, text: known.policy,
  changed: () => { checking?.abort(); },
});

function options(label, choices) {
  const group = Object.assign(document.createElement("optgroup"), { label });
  group.append(...choices.map(([value, text]) => new Option(text, value)));
  return group;
}

$("start").append(
  options("Examples", known.examples.map((example, at) => [`e:${at}`, example.title])),
  options("Packs", known.packs.map(({ name }) => [`p:${name}`, name])),
);
$("start").addEventListener("change", () => { if ($("start").value) start($("start").value); $("start").value = ""; });
texts.text = known.examples[0]?.text ?? "";
texts.recording = known.examples.find((example) => example.recording)?.recording ?? "";
if (known.model) {
  $("model-choice").hidden = false;
  $("model-choice").lastChild.textContent = ` ${known.model}`;
}
choose("text");

for (const radio of document.querySelectorAll("input[name=source]"))
  radio.addEventListener("change", () => { input(); choose(radio.value); forget(); });
$("recording-file").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (file) $("input").value = texts.recording = await file.text();
});
$("input").addEventListener("input", () => checking?.abort());
for (const name of ["size", "speed"]) $(name).addEventListener("input", settle);
$("size").addEventListener("change", () => { if (last || running) play(); });
$("play").addEventListener("click", play);
$("stop").addEventListener("click", stop);
$("compare").addEventListener("click", both);
$("timeline").addEventListener("click", timeline);
$("share").addEventListener("click", async () => { await link(); $("share-dialog").showModal(); });
$("share-text").addEventListener("change", link);
$("copy").addEventListener("click", async () => {
  $("share-link").select();
  try {
    await navigator.clipboard.writeText($("share-link").value);
    $("copied").textContent = "Copied.";
  } catch {
    $("copied").textContent = "Press Ctrl-C to copy it.";
  }
});
$("open").addEventListener("click", async () => {
  if (await opened($("open-link").value)) $("share-dialog").close();
  else $("open-said").textContent = "That is no link of a playground.";
});
addEventListener("hashchange", () => opened(location.hash));
if (location.hash) await opened(location.hash);
document.documentElement.dataset.ready = "yes";
