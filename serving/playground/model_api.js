// The server: what it serves, and pictures over TensorFlow Serving's REST API.

const ROWS_AT_ONCE = 4; // so that the first pictures show while the others are drawn, and no request grows old

export async function fetchModels() {
  return answer(await fetch("playground/models.json"));
}

/** One version of a model. */
export class Model {
  constructor(description) {
    Object.assign(this, description);
    this.label = `${this.name}, version ${this.version}`;
  }

  /** Latents by seed. */
  async latents(seeds, truncation, signal) {
    const unique = [...new Set(seeds)];
    const inputs = { seed: unique, truncation: unique.map(() => truncation) };
    const rows = await this.predict("latents", inputs, signal);
    return new Map(unique.map((seed, i) => [seed, rows[i]]));
  }

  /** Draws points and hands over each picture, a data: URL of its PNG, with its number. */
  async draw(points, truncation, signal, take) {
    for (let start = 0; start < points.length; start += ROWS_AT_ONCE) {
      const rows = points.slice(start, start + ROWS_AT_ONCE);
      const inputs = { z: rows.map((p) => p.z), y: rows.map((p) => p.y), truncation: rows.map(() => truncation) };
      const pictures = await this.predict("synthesize_png", inputs, signal);
      pictures.forEach((picture, i) => take(start + i, `data:image/png;base64,${picture.b64}`));
    }
  }

  async predict(signature, inputs, signal) {
    const url = `v1/models/${encodeURIComponent(this.name)}/versions/${this.version}:predict`;
    const body = JSON.stringify({ signature_name: signature, inputs });
    return (await answer(await fetch(url, { method: "POST", body, signal }))).outputs;
  }
}

async function answer(response) {
  const text = await response.text();
  let found = null;
  try {
    found = JSON.parse(text);
  } catch {
    throw new Error(`The server answered ${response.status} with something that is no JSON.`);
  }
  if (!response.ok) throw new Error(`The server answered ${response.status}: ${found.error ?? text}`);
  return found;
}
