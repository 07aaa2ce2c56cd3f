// A picture of the reader's own, enlarged by the server: before and after, with a divider between them.

import { integer, MAX_SEED } from "./link.js";
import { TokenNeeded } from "./model_api.js";
import { save } from "./sheet.js";

const CHUNK = 0x8000; // as many arguments as every browser lets a function have
const byId = (id) => document.getElementById(id);

export class Enlarging {
  /** `models` enlarge pictures; `askForToken()` is called when the server wants one. */
  constructor(models, askForToken) {
    [this.models, this.askForToken] = [models, askForToken];
    this.request = new AbortController();
    byId("enlarge").hidden = false;
    byId("enlarge-model").replaceChildren(...models.map((model, i) => new Option(model.label, i)));
    byId("enlarge-model-field").hidden = models.length === 1;
    for (const id of ["enlarge-model", "enlarge-file", "enlarge-seed"]) {
      byId(id).addEventListener("change", () => this.redraw());
    }
    byId("divider-place").addEventListener("input", () => this.divide(Number(byId("divider-place").value)));
    byId("compare").addEventListener("pointerdown", (event) => this.drag(event));
    byId("compare").addEventListener("pointermove", (event) => event.buttons && this.drag(event));
    byId("enlarge-download").addEventListener("click", () => save(byId("after").src, this.fileName));
    this.divide(50);
  }

  get model() {
    return this.models[Number(byId("enlarge-model").value)];
  }

  /** Asks for the chosen picture; what was asked for before is given up. */
  async redraw() {
    this.request.abort();
    this.request = new AbortController();
    const { signal } = this.request;
    const [file, seed] = [byId("enlarge-file").files[0], integer(byId("enlarge-seed").value, 0, MAX_SEED)];
    byId("comparison").hidden = true;
    this.complain(seed === null ? `The seed must be a whole number from 0 to ${MAX_SEED}.` : "");
    if (!file || seed === null) {
      this.say("");
      byId("enlarge").removeAttribute("aria-busy"); // for what was asked for before
      return;
    }
    this.say(`Enlarging ${file.name} …`);
    byId("enlarge").setAttribute("aria-busy", "true");
    try {
      const inputs = { image_bytes: [{ b64: base64(await file.arrayBuffer()) }], seed: [seed] };
      const [picture] = await this.model.predict("upscale", "image_bytes", inputs, signal);
      if (signal.aborted) return;
      await this.compare(file, picture.b64, signal);
      if (signal.aborted) return;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof TokenNeeded) this.askForToken();
      this.complain(error instanceof TypeError ? "The server cannot be reached." : error.message);
      this.say("");
    }
    byId("enlarge").removeAttribute("aria-busy");
  }

  async compare(file, large, signal) {
    if (this.before) URL.revokeObjectURL(this.before);
    this.before = URL.createObjectURL(file);
    byId("before").src = this.before;
    byId("after").src = `data:image/png;base64,${large}`;
    await byId("after").decode();
    if (signal.aborted) return;
    const { naturalWidth: width, naturalHeight: height } = byId("after");
    this.fileName = `${file.name.replace(/\.\w+$/, "")}-${width}x${height}.png`;
    byId("comparison").hidden = false;
    this.say(`${width} × ${height} pixels.`);
  }

  /** Moves the divider to where a finger or the mouse is. */
  drag(event) {
    const { left, width } = byId("compare").getBoundingClientRect();
    const place = Math.round((100 * (event.clientX - left)) / width);
    byId("compare").setPointerCapture(event.pointerId);
    event.preventDefault();
    this.divide(Math.min(100, Math.max(0, place)));
  }

  /** Shows so many percent of the width, from the left, as it was before. */
  divide(place) {
    byId("divider-place").value = place;
    byId("divider-place").setAttribute("aria-valuetext", `Before on ${place}% of the width, after on the rest`);
    byId("compare").style.setProperty("--place", `${place}%`);
  }

  say(text) {
    byId("enlarge-status").textContent = text;
  }

  complain(text) {
    byId("enlarge-error").textContent = text;
    byId("enlarge-error").hidden = !text;
  }
}

function base64(buffer) {
  const bytes = new Uint8Array(buffer);
  let text = "";
  for (let start = 0; start < bytes.length; start += CHUNK) {
    text += String.fromCharCode(...bytes.subarray(start, start + CHUNK));
  }
  return btoa(text);
}
