// The server: what it serves, and pictures over TensorFlow Serving's REST API.

const ROWS_AT_ONCE = 4; // so that the first pictures show while the others are drawn, and no request grows old

const TOKEN = "token"; // kept by the browser until its tab is closed

/** The server asks for a token. */
export class TokenNeeded extends Error {}

export function keepToken(token) {
  sessionStorage.setItem(TOKEN, token);
}

export async function fetchModels() {
  return answer(await fetch("playground/models.json", { headers: tokenHeader() }));
}

export function hasToken() {
  return sessionStorage.getItem(TOKEN) !== null;
}

function tokenHeader() {
  const token = sessionStorage.getItem(TOKEN);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** One version of a model. */
export class Model {
  constructor(description) {
    Object.assign(this, description);
    // The number of a version may be a count of seconds, which tells a person nothing.
    this.label = `${this.name}, ${this.exported ? `exported ${dateOf(this.exported)}` : `version ${this.version}`}`;
  }

  /** Latents by seed. */
  async latents(seeds, truncation, signal) {
    const unique = [...new Set(seeds)];
    const inputs = { seed: unique, truncation: unique.map(() => truncation) };
    const rows = await this.predict("latents", "z", inputs, signal);
    return new Map(unique.map((seed, i) => [seed, rows[i]]));
  }

  /** The input with the classes of points, which a model without classes does not take. */
  weights(points) {
    return this.has_classes ? { y: points.map((p) => p.y) } : {};
  }

  /** The styles of points, truncated as the model's samples are: a vector for each layer. */
  async styles(points, truncation, signal) {
    const found = [];
    for (let start = 0; start < points.length; start += ROWS_AT_ONCE) {
      const rows = points.slice(start, start + ROWS_AT_ONCE);
      const inputs = {
        z: rows.map((p) => p.z),
        ...this.weights(rows),
        truncation: rows.map(() => truncation),
        cutoff: rows.map(() => -1),
      };
      found.push(...(await this.predict("map", "w", inputs, signal)));
    }
    return found;
  }

  /** As `draw`, from styles `w` and the seeds of noises. */
  async drawStyles(points, signal, take) {
    for (let start = 0; start < points.length; start += ROWS_AT_ONCE) {
      const rows = points.slice(start, start + ROWS_AT_ONCE);
      const inputs = { w: rows.map((p) => p.w), seed: rows.map((p) => p.seed) };
      const pictures = await this.predict("synthesize_styles_png", "image_bytes", inputs, signal);
      pictures.forEach((picture, i) => take(start + i, `data:image/png;base64,${picture.b64}`));
    }
  }

  /** Draws points and hands over each picture, a data: URL of its PNG, with its number. */
  async draw(points, truncation, signal, take) {
    for (let start = 0; start < points.length; start += ROWS_AT_ONCE) {
      const rows = points.slice(start, start + ROWS_AT_ONCE);
      const inputs = { z: rows.map((p) => p.z), ...this.weights(rows), truncation: rows.map(() => truncation) };
      const pictures = await this.predict("synthesize_png", "image_bytes", inputs, signal);
      pictures.forEach((picture, i) => take(start + i, `data:image/png;base64,${picture.b64}`));
    }
  }

  /** The rows of one output; of an export of version 0.1, which says nothing of valid rows, it is the only one. */
  async predict(signature, output, inputs, signal) {
    const url = `v1/models/${encodeURIComponent(this.name)}/versions/${this.version}:predict`;
    const body = JSON.stringify({ signature_name: signature, inputs });
    const request = { method: "POST", body, signal, headers: tokenHeader() };
    const { outputs } = await answer(await fetch(url, request));
    if (outputs.valid?.includes(false)) throw new Error("The server marked a row of its answer as not valid.");
    return outputs[output] ?? outputs;
  }
}

/** A date and time in the reader's own zone. */
function dateOf(written) {
  return new Date(written).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

async function answer(response) {
  const text = await response.text();
  let found = null;
  try {
    found = JSON.parse(text);
  } catch {
    throw new Error(`The server answered ${response.status} with something that is no JSON.`);
  }
  if (response.status === 401) throw new TokenNeeded(found.error);
  if (!response.ok) throw new Error(`The server answered ${response.status}: ${found.error ?? text}`);
  return found;
}
