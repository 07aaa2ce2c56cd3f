// What is shown, as the part of the address after "#": whoever opens the link gets the same pictures.

export const MAX_SEED = 9007199254740000;
export const MAX_COLUMNS = 12;
export const MAX_FRAMES = 33;

/** What is shown before anything was chosen. */
export function initial(model) {
  const classes = model.classes.map((_, label) => label);
  return {
    show: "grid",
    classes: classes.slice(0, 4),
    seed: 0,
    columns: 4,
    from: { label: 0, seed: 0 },
    to: { label: Math.min(1, classes.length - 1), seed: 1 },
    frames: 9,
    pair: [0, Math.min(1, classes.length - 1)],
    share: 0.5,
    layers: [0, Math.max(0, Math.floor(model.num_styles / 2) - 1)],
    truncation: model.truncation_default,
  };
}

/** Whether a model has two classes to mix. */
export function mixesClasses(model) {
  return model.has_classes && model.classes.length > 1;
}

export function toHash(model, state) {
  const end = ({ label, seed }) => `${label}:${seed}`;
  const parts = [["model", model.name], ["version", model.version], ["show", state.show]];
  const seeds = [["seed", state.seed], ["columns", state.columns]];
  if (state.show === "grid") {
    parts.push(["classes", state.classes.join(".")], ...seeds);
  } else if (state.show === "classes") {
    parts.push(["pair", state.pair.join(".")], ["share", state.share], ...seeds);
  } else {
    parts.push(["from", end(state.from)], ["to", end(state.to)]);
    parts.push(state.show === "walk" ? ["frames", state.frames] : ["layers", state.layers.join("-")]);
  }
  parts.push(["truncation", state.truncation]);
  return "#" + parts.map(([name, value]) => `${name}=${encodeURIComponent(value).replace("%3A", ":")}`).join("&");
}

/** The model that a link asks for. Returns [model, complaints]. */
export function modelOf(hash, models) {
  const wanted = new URLSearchParams(hash.slice(1));
  if (!wanted.has("model")) return [models[0], []];
  const [name, version] = [wanted.get("model"), wanted.get("version")];
  const exact = models.find((m) => m.name === name && String(m.version) === version);
  if (exact) return [exact, []];
  const other = models.find((m) => m.name === name) ?? models[0];
  return [other, [`The link is for ${name}, version ${version}, which is not served; this is ${other.label}, and the pictures may differ.`]];
}

/** The state that a link asks for. Returns [state, complaints]; what cannot be used keeps its initial value. */
export function fromHash(hash, model) {
  const wanted = new URLSearchParams(hash.slice(1));
  const [state, complaints] = [initial(model), []];
  const read = (name, parse, rule) => {
    if (!wanted.has(name)) return;
    const value = parse(wanted.get(name));
    if (value === null) complaints.push(`The link's ${name} must be ${rule}. Received: ${wanted.get(name)}.`);
    else state[name] = value;
  };
  const last = model.classes.length - 1;
  const [low, high] = model.truncation;
  const end = (text) => {
    const [label, seed] = text.split(":").map((part, i) => integer(part, 0, i ? MAX_SEED : last));
    return label === null || seed === null || seed === undefined ? null : { label, seed };
  };
  const list = (text) => {
    const labels = text === "" ? [] : text.split(".").map((part) => integer(part, 0, last));
    return labels.includes(null) ? null : [...new Set(labels)];
  };
  const shows = ["grid", ...(mixesClasses(model) ? ["classes"] : []), "walk", ...(model.num_styles ? ["mix"] : [])];
  const pair = (text) => {
    const labels = text.split(".").map((part) => integer(part, 0, last));
    return labels.length === 2 && !labels.includes(null) ? labels : null;
  };
  const layers = (text) => {
    const [first, second] = text.split("-").map((part) => integer(part, 0, model.num_styles - 1));
    return first === null || second === null || second === undefined || first > second ? null : [first, second];
  };
  read("show", (text) => (shows.includes(text) ? text : null), shows.join(" or "));
  if (model.num_styles) read("layers", layers, `FIRST-LAST from 0 to ${model.num_styles - 1}`);
  read("classes", list, `numbers from 0 to ${last}, with points between`);
  read("pair", pair, `two numbers from 0 to ${last}, with a point between`);
  read("share", (text) => within(text, 0, 1), "from 0 to 1");
  read("seed", (text) => integer(text, 0, MAX_SEED), `a whole number from 0 to ${MAX_SEED}`);
  read("columns", (text) => integer(text, 1, MAX_COLUMNS), `a whole number from 1 to ${MAX_COLUMNS}`);
  read("from", end, `CLASS:SEED with a class from 0 to ${last}`);
  read("to", end, `CLASS:SEED with a class from 0 to ${last}`);
  read("frames", (text) => integer(text, 2, MAX_FRAMES), `a whole number from 2 to ${MAX_FRAMES}`);
  read("truncation", (text) => within(text, low, high), `from ${low} to ${high}`);
  return [state, complaints];
}

export function integer(text, low, high) {
  return /^\d{1,16}$/.test(text) && Number(text) >= low && Number(text) <= high ? Number(text) : null;
}

function within(text, low, high) {
  return /^\d*\.?\d+$/.test(text) && Number(text) >= low && Number(text) <= high ? Number(text) : null;
}

export function randomSeed() {
  return crypto.getRandomValues(new Uint32Array(1))[0] % 1000000;
}
