// The page: state in the form and in the address, pictures from the server.

import { Controls } from "./controls.js";
import { fromHash, modelOf, toHash } from "./link.js";
import { fetchModels, Model } from "./model_api.js";
import { classWeights, greatCircle } from "./points.js";
import { layOut, save, toPng } from "./sheet.js";
import { Viewer } from "./viewer.js";
import { Walk } from "./walk.js";

const byId = (id) => document.getElementById(id);

class Playground {
  constructor(models) {
    this.models = models;
    this.request = new AbortController();
    this.controls = new Controls(() => this.redraw());
    this.viewer = new Viewer((end, point) => this.walkFrom(end, point));
    this.walk = new Walk();
    byId("model").replaceChildren(...models.map((model, i) => new Option(model.label, i)));
    byId("model-field").hidden = models.length === 1;
    byId("model").addEventListener("change", () => this.choose(models[byId("model").value]));
    byId("download").addEventListener("click", () => this.download());
    byId("copy").addEventListener("click", () => this.copy());
    byId("link").addEventListener("focus", () => byId("link").select());
    window.addEventListener("hashchange", () => location.hash !== this.hash && this.open(location.hash));
    this.open(location.hash);
  }

  /** Shows what a link asks for. */
  open(hash) {
    const [model, moved] = modelOf(hash, this.models);
    const [state, complaints] = fromHash(hash, model);
    this.choose(model, state, [...moved, ...complaints]);
  }

  choose(model, state = fromHash(toHash(model, this.controls.state), model)[0], complaints = []) {
    this.model = model;
    byId("model").value = this.models.indexOf(model);
    const seen = model.images_seen ? `, after ${model.images_seen.toLocaleString("en")} training images` : "";
    byId("about").textContent =
      `${model.label}: ${model.classes.length} classes, ${model.resolution} × ${model.resolution} pixels${seen}.`;
    this.controls.show(model, state);
    this.redraw(complaints);
  }

  /** Asks for the pictures of the state; what was asked for before is given up. */
  async redraw(complaints = []) {
    this.request.abort();
    this.request = new AbortController();
    const { signal } = this.request;
    const state = this.controls.state;
    this.hash = toHash(this.model, state);
    history.replaceState(null, "", this.hash);
    byId("link").value = location.href;
    this.complain(complaints);
    this.rows = state.show === "grid" ? gridRows(this.model, state) : walkRows(this.model, state);
    const points = this.rows.flatMap((row) => row.pictures);
    this.images = layOut(byId("pictures"), this.rows, (number) => this.pick(number));
    byId("pictures").className = state.show;
    this.walk.begin(state.show === "walk" ? this.images : []);
    byId("actions").hidden = true;
    byId("pictures").setAttribute("aria-busy", "true");
    try {
      await this.draw(points, state, signal);
      byId("actions").hidden = points.length === 0;
      this.say(points.length ? `${points.length} pictures.` : "Choose a class.");
    } catch (error) {
      if (signal.aborted) return;
      this.complain([...complaints, error instanceof TypeError ? "The server cannot be reached." : error.message]);
      this.say("");
    }
    byId("pictures").removeAttribute("aria-busy");
  }

  async draw(points, state, signal) {
    if (!points.length) return;
    this.say(`Drawing ${points.length} pictures …`);
    const seeds = points.flatMap((point) => point.seeds);
    const latents = await this.model.latents(seeds, state.truncation, signal);
    const count = this.model.classes.length;
    const inputs = points.map(({ labels, seeds: [first, second], share }) => ({
      z: greatCircle(latents.get(first), latents.get(second), share),
      y: classWeights(count, labels[0], labels[1], share),
    }));
    await this.model.draw(inputs, state.truncation, signal, (number, url) => {
      if (signal.aborted) return;
      this.images[number].src = url;
      this.walk.arrived(number);
      this.say(`Drawing: ${number + 1} of ${points.length} …`);
    });
  }

  pick(number) {
    if (this.controls.state.show === "walk") {
      this.walk.goTo(number);
      return;
    }
    const point = this.rows.flatMap((row) => row.pictures)[number];
    this.viewer.open(this.images[number], point, `${this.fileName()}-${number}.png`);
  }

  walkFrom(end, { labels: [label], seeds: [seed] }) {
    this.controls.state = { ...this.controls.state, show: "walk", [end]: { label, seed } };
    this.controls.show(this.model, this.controls.state);
    this.redraw();
  }

  async download() {
    save(await toPng(this.rows, this.images), `${this.fileName()}.png`);
  }

  fileName() {
    const { show, seed, truncation } = this.controls.state;
    const what = show === "grid" ? `seed${seed}` : "walk";
    return `${this.model.name}-${this.model.version}-${what}-truncation${truncation}`.replaceAll(/[^\w.-]/g, "_");
  }

  async copy() {
    try {
      await navigator.clipboard.writeText(location.href);
      this.say("The link is copied.");
    } catch {
      // Browsers give the clipboard to https and localhost only.
      byId("link").focus();
      this.say("Copy the marked link.");
    }
  }

  say(text) {
    byId("status").textContent = text;
  }

  complain(texts) {
    byId("error").textContent = texts.join(" ");
    byId("error").hidden = texts.length === 0;
  }
}

function gridRows(model, { classes, seed, columns }) {
  return classes.map((label) => ({
    caption: model.classes[label],
    pictures: Array.from({ length: columns }, (_, i) => ({
      alt: `${model.classes[label]}, seed ${seed + i}`,
      labels: [label, label],
      seeds: [seed + i, seed + i],
      share: 0,
    })),
  }));
}

function walkRows(model, { from, to, frames }) {
  const names = [from, to].map(({ label, seed }) => `${model.classes[label]}, seed ${seed}`);
  const pictures = Array.from({ length: frames }, (_, i) => ({
    alt: `${Math.round((100 * i) / (frames - 1))}% of the way from ${names[0]} to ${names[1]}`,
    labels: [from.label, to.label],
    seeds: [from.seed, to.seed],
    share: i / (frames - 1),
  }));
  return [{ caption: "", pictures }];
}

async function begin() {
  let models = [];
  let problem = "The server serves no model.";
  try {
    models = (await fetchModels()).map((description) => new Model(description));
    const unfit = models.find((model) => model.problem);
    if (unfit) problem = `${unfit.label} cannot be shown. ${unfit.problem}`;
  } catch (error) {
    problem = error instanceof TypeError ? "The server cannot be reached." : error.message;
  }
  const fit = models.filter((model) => !model.problem);
  if (fit.length) {
    new Playground(fit);
    return;
  }
  byId("about").textContent = "";
  byId("error").textContent = problem;
  byId("error").hidden = false;
  byId("controls").hidden = true;
}

begin();
