// The editor of the policy: errors at their place, completion, and a list of problems to jump to.

import {
  EditorState, EditorView, HighlightStyle, autocompletion, bracketMatching, closeBrackets, closeBracketsKeymap,
  completionKeymap, defaultKeymap, drawSelection, highlightActiveLine, history, historyKeymap, indentOnInput,
  indentUnit, indentWithTab, keymap, lineNumbers, lintGutter, lintKeymap, setDiagnostics, syntaxHighlighting, tags, yaml,
} from "./editor.js";
import { ask } from "./api.js";
import { completing } from "./completion.js";

const theme = EditorView.theme({
  "&": { height: "100%", color: "var(--ink)", backgroundColor: "var(--card)", fontSize: "13.5px" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-2px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55" },
  ".cm-content": { caretColor: "var(--ink)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "var(--card)", color: "var(--soft)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--accent) 7%, transparent)" },
  ".cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--accent) 25%, transparent)",
  },
  ".cm-tooltip": { backgroundColor: "var(--card)", color: "var(--ink)", border: "1px solid var(--line)", borderRadius: "7px", maxWidth: "min(30rem, 90vw)" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--on-accent)" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--found)" },
  ".cm-diagnostic-warning": { borderLeftColor: "var(--held)" },
  ".cm-matchingBracket": { backgroundColor: "color-mix(in srgb, var(--released) 25%, transparent) !important" },
});

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--key)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--string)" },
  { tag: [tags.comment, tags.lineComment], color: "var(--soft)", fontStyle: "italic" },
  { tag: [tags.keyword, tags.bool, tags.number, tags.null], color: "var(--found)" },
  { tag: [tags.punctuation, tags.separator, tags.brace, tags.squareBracket], color: "var(--soft)" },
]);

// Of what an input method composes it would set style attributes, which the page does not allow.
EditorView.EDIT_CONTEXT = false;

const PAUSE = 250;

/** Where a line and a column, counted in code points from 1, are in the document. */
function offset(doc, line, column) {
  const found = doc.line(Math.min(Math.max(line, 1), doc.lines));
  const before = [...found.text].slice(0, column - 1).join("");
  return Math.min(found.from + before.length, found.to);
}

function marked(doc, note) {
  let from = offset(doc, note.line, note.column);
  const line = doc.lineAt(from);
  let to = from + (line.text.slice(from - line.from).match(/^(?:[\w./-]+|"[^"]*"|'[^']*'|\S+)/)?.[0].length ?? 0);
  if (from === to && from > line.from) from -= 1; // the end of a line: mark the character before
  return { from, to, severity: note.level, message: note.message };
}

export class PolicyEditor {
  #view; #asked = null; #timer = 0; #problems; #verdict; #changed;

  constructor({ parent, problems, verdict, setup, text, changed }) {
    this.#problems = problems;
    this.#verdict = verdict;
    this.#changed = changed;
    const names = { extends: setup.packs.map((pack) => `guardstream/${pack.name}`), validate: setup.validators };
    this.#view = new EditorView({
      parent,
      state: EditorState.create({
        doc: text,
        extensions: [
          EditorView.cspNonce.of(document.querySelector("meta[name=style-nonce]").content),
          EditorView.contentAttributes.of({ "aria-label": "Policy, YAML", "aria-multiline": "true", tabindex: "0" }),
          lineNumbers(), lintGutter(), history(), drawSelection(), indentOnInput(), indentUnit.of("  "),
          EditorState.tabSize.of(2), EditorView.lineWrapping, bracketMatching(), closeBrackets(), highlightActiveLine(), yaml(),
          syntaxHighlighting(colours), theme, autocompletion({ override: [completing(setup.schema, names)] }),
          keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap, ...lintKeymap, indentWithTab]),
          EditorView.updateListener.of((update) => { if (update.docChanged) this.#later(); }),
        ],
      }),
    });
    this.#lint();
  }

  get text() { return this.#view.state.doc.toString(); }

  set text(text) {
    this.#view.dispatch({ changes: { from: 0, to: this.#view.state.doc.length, insert: text } });
  }

  #later() {
    this.#changed();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lint(), PAUSE);
  }

  async #lint() {
    this.#asked?.abort();
    const asked = (this.#asked = new AbortController());
    const text = this.text;
    let notes;
    try {
      ({ notes } = await ask("lint", { policy: text }, asked.signal));
    } catch (error) {
      if (error.name === "AbortError") return;
      notes = [{ line: 1, column: 1, level: "error", message: error.message }];
    }
    if (text === this.text) this.#show(notes);
  }

  #show(notes) {
    const { state } = this.#view;
    this.#view.dispatch(setDiagnostics(state, notes.map((note) => marked(state.doc, note))));
    this.#problems.replaceChildren(...notes.map((note) => this.#item(note)));
    const errors = notes.filter((note) => note.level === "error").length;
    const said = (count, name) => `${count} ${name}${count === 1 ? "" : "s"}`;
    this.#verdict.className = errors ? "error" : notes.length ? "warning" : "";
    this.#verdict.textContent = errors ? said(errors, "error") : notes.length ? `valid, ${said(notes.length, "warning")}` : "valid";
  }

  #item(note) {
    const item = document.createElement("li"), button = document.createElement("button");
    const place = document.createElement("span"), message = document.createElement("span");
    button.type = "button";
    place.className = "place";
    place.textContent = `${note.line}:${note.column}`;
    message.className = note.level;
    message.textContent = `${note.level}: ${note.message}`;
    button.append(place, message);
    button.addEventListener("click", () => {
      const anchor = offset(this.#view.state.doc, note.line, note.column);
      this.#view.dispatch({ selection: { anchor }, scrollIntoView: true });
      this.#view.focus();
    });
    item.append(button);
    return item;
  }
}
