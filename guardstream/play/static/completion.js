// Completion of policies from their own JSON Schema: keys, and values where there are few.

const KEY = /^(\s*)((?:- +)*)(["']?)([\w.-]+)\3\s*:(.*)$/;

/** The keys around a place, outermost first, and what is being written there. */
export function place(lines, column) {
  const line = lines.at(-1).slice(0, column);
  const [, indent, dashes, rest] = line.match(/^(\s*)((?:- +|-$)*)(.*)$/);
  let own = indent.length + dashes.length;
  const inner = [];
  let said = rest;
  for (;;) {
    const open = said.search(/[{[]/);
    if (open < 0 || closed(said, open)) break;
    const key = said.slice(0, open).match(/([\w.-]+)\s*:\s*$/);
    if (key) inner.push(key[1]);
    said = said.slice(open + 1);
  }
  if (inner.length || said !== rest) said = said.slice(said.lastIndexOf(",") + 1).trimStart();
  const value = said.match(/^["']?([\w.-]+)["']?\s*:\s+(.*)$/);
  const path = [...above(lines.slice(0, -1), own), ...inner];
  return value
    ? { path: [...path, value[1]], word: value[2], value: true }
    : { path, word: said, value: false };
}

function closed(text, open) {
  let depth = 0;
  for (const letter of text.slice(open)) {
    if ("{[".includes(letter)) depth += 1;
    if ("}]".includes(letter) && (depth -= 1) === 0) return true;
  }
  return false;
}

function above(lines, column) {
  const path = [];
  let own = column;
  for (let at = lines.length - 1; at >= 0 && own > 0; at -= 1) {
    const found = lines[at].match(KEY);
    if (!found) continue;
    const here = found[1].length + found[2].length;
    if (here < own) {
      path.unshift(found[4]);
      own = here;
    }
  }
  return path;
}

/** A completion source for CodeMirror. */
export function completing(schema, names) {
  const flat = (node, depth = 0) => {
    if (!node || depth > 8) return [];
    if (node.$ref) return flat(schema.$defs[node.$ref.split("/").pop()], depth + 1).map((each) => ({ ...each, said: node.description }));
    const branches = [...(node.anyOf ?? []), ...(node.oneOf ?? []), ...(node.allOf ?? [])];
    const items = node.items && typeof node.items === "object" ? [node.items] : [];
    return [node, ...[...branches, ...items].flatMap((each) => flat(each, depth + 1))];
  };
  const step = (nodes, key) =>
    nodes.flatMap((node) => {
      const more = typeof node.additionalProperties === "object" ? node.additionalProperties : null;
      return flat(node.properties?.[key] ?? more);
    });
  const values = (nodes, key) => {
    const found = new Set(names[key] ?? []);
    for (const node of nodes) {
      for (const each of node.enum ?? []) found.add(String(each));
      if (node.const !== undefined) found.add(String(node.const));
      if (node.type === "boolean") found.add("true").add("false");
    }
    return [...found].map((label) => ({ label, type: "enum" }));
  };
  const keys = (nodes) => {
    const found = new Map();
    for (const node of nodes)
      for (const [label, each] of Object.entries(node.properties ?? {}))
        if (!found.has(label)) found.set(label, { label, apply: `${label}: `, type: "property", info: each.description });
    return [...found.values()];
  };

  return (context) => {
    const line = context.state.doc.lineAt(context.pos);
    const before = context.state.sliceDoc(0, line.from).split("\n").slice(0, -1);
    const here = place([...before, line.text], context.pos - line.from);
    if (here.word.startsWith("#")) return null;
    const word = context.matchBefore(/[\w./-]*/);
    if (word.from === word.to && !context.explicit) return null;
    const nodes = here.path.reduce(step, flat(schema));
    const last = here.path.at(-1);
    const options = here.value ? values(nodes, last) : [...keys(nodes), ...values(nodes, last)];
    return options.length ? { from: word.from, options, validFor: /^[\w./-]*$/ } : null;
  };
}
