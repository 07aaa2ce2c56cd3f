// The page: state in the form and in the address, pictures from the server.

import { Controls } from "./controls.js";
import { Enlarging } from "./enlarge.js";
import { fromHash, modelOf, toHash } from "./link.js";
import { fetchModels, hasToken, keepToken, Model, TokenNeeded } from "./model_api.js";
import { classWeights, greatCircle, mixed } from "./points.js";
import { classRows, gridRows, mixRows, walkRows } from "./rows.js";
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
    byId("download-gif").addEventListener("click", () => this.downloadGif());
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
      `${model.label}: ${model.has_classes ? `${model.classes.length} classes` : "no classes"}, ${model.resolution} × ${model.resolution} pixels${seen}.`;
    this.controls.show(model, state);
    this.redraw([...complaints, ...(model.notes ?? [])]);
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
    this.rows = { grid: gridRows, classes: classRows, walk: walkRows, mix: mixRows }[state.show](this.model, state);
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
      if (error instanceof TokenNeeded) askForToken(true);
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
    const take = (number, url) => {
      if (signal.aborted) return;
      this.images[number].src = url;
      this.walk.arrived(number);
      this.say(`Drawing: ${number + 1} of ${points.length} …`);
    };
    if (!this.model.num_styles) {
      await this.model.draw(inputs, state.truncation, signal, take);
      return;
    }
    // By way of styles a picture has the noise of its seed, as a sample of the server has; on a walk, of the first end's.
    const styles = await this.model.styles(inputs, state.truncation, signal);
    const styled = points.map(({ seeds, mix }, i) => ({
      w: mix ? mixed(styles[mix.of], styles[mix.with], mix.first, mix.last) : styles[i],
      seed: seeds[0],
    }));
    await this.model.drawStyles(styled, signal, take);
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

  async downloadGif() {
    save(await this.walk.toGif(), `${this.fileName()}.gif`);
  }

  fileName() {
    const { show, seed, truncation } = this.controls.state;
    const what = { grid: `seed${seed}`, classes: `classes-seed${seed}` }[show] ?? show;
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

/** Adds the version to the labels of models that would look the same. */
function nameApart(models) {
  const same = models.filter((model) => models.some((other) => other !== model && other.label === model.label));
  same.forEach((model) => (model.label += `, version ${model.version}`));
}

function times({ enlargement }) {
  return enlargement ? ` ${enlargement} times` : "";
}

/** Shows the field for the token that the server asks for. */
function askForToken(isWrong) {
  byId("token-form").hidden = false;
  byId("token-note").textContent = isWrong ? "The server does not know this token." : "";
  byId("token").focus();
}

function takeToken(event) {
  event.preventDefault();
  // A header can carry no other characters.
  if (!/^[\x21-\x7e]+$/.test(byId("token").value)) {
    askForToken(true);
    return;
  }
  keepToken(byId("token").value);
  byId("token").value = "";
  byId("token-form").hidden = true;
  if (!page && !enlarge) begin();
  page?.redraw();
  enlarge?.redraw();
}

let page = null;
let enlarge = null;

async function begin() {
  let models = [];
  let problem = "The server serves no model.";
  try {
    models = (await fetchModels()).map((description) => new Model(description));
    nameApart(models);
    const unfit = models.find((model) => model.problem);
    if (unfit) problem = `${unfit.label} cannot be shown. ${unfit.problem}`;
  } catch (error) {
    if (error instanceof TokenNeeded) {
      byId("about").textContent = "";
      byId("controls").hidden = true;
      askForToken(hasToken());
      return;
    }
    problem = error instanceof TypeError ? "The server cannot be reached." : error.message;
  }
  const enlarging = models.filter((model) => "enlargement" in model);
  if (enlarging.length) enlarge = new Enlarging(enlarging, () => askForToken(true));
  const fit = models.filter((model) => !model.problem && !("enlargement" in model));
  byId("drawing").hidden = enlarging.length > 0 && fit.length === 0;
  if (byId("drawing").hidden) {
    byId("about").textContent = enlarging.map((model) => `${model.label}, enlarges pictures${times(model)}`).join("; ") + ".";
    return;
  }
  if (fit.length) {
    byId("controls").hidden = false;
    page = new Playground(fit);
    return;
  }
  byId("about").textContent = "";
  byId("error").textContent = problem;
  byId("error").hidden = false;
  byId("controls").hidden = true;
}

byId("token-form").addEventListener("submit", takeToken);
begin();
