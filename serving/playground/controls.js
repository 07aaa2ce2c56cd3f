// The form: shows a state, and reads one from what a person entered.

import { labelOf, showChosen, suggest } from "./class_names.js";
import { integer, MAX_COLUMNS, MAX_FRAMES, MAX_SEED, mixesClasses, randomSeed } from "./link.js";

const byId = (id) => document.getElementById(id);
const wide = matchMedia("(min-width: 56rem)"); // where playground.css puts the form and the pictures side by side

const PAIR = ["first-class", "second-class"];

/** The pictures come first on a narrow screen, also for the tab key, and to the right of the form on a wide one. */
function arrange() {
  const [main, pictures, focused] = [byId("drawing"), byId("results"), document.activeElement];
  if (wide.matches) main.append(pictures);
  else main.prepend(pictures);
  focused?.focus({ preventScroll: true }); // which an element loses that is moved
}

/** Connects the form. `changed()` is called when a person has changed the state. */
export class Controls {
  constructor(changed) {
    this.changed = changed;
    byId("controls").addEventListener("submit", (event) => {
      event.preventDefault();
      this.addClass(false);
      this.changed();
      if (!wide.matches) byId("pictures-heading").scrollIntoView();
    });
    wide.addEventListener("change", arrange);
    byId("to-controls").addEventListener("click", () => {
      byId("controls").scrollIntoView();
      [...document.getElementsByName("show")].find((radio) => radio.checked).focus({ preventScroll: true });
    });
    arrange();
    byId("class-add").addEventListener("click", () => this.addClass(true));
    byId("class-search").addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      this.addClass(true);
    });
    byId("new-seed").addEventListener("click", () => this.set("seed", randomSeed()));
    byId("truncation").addEventListener("input", () => this.nameTruncation());
    byId("truncation").addEventListener("change", () => this.set("truncation", Number(byId("truncation").value)));
    document.getElementsByName("show").forEach((radio) =>
      radio.addEventListener("change", () => this.set("show", radio.value)),
    );
    this.number("seed", 0, MAX_SEED, (value) => this.set("seed", value));
    this.number("columns", 1, MAX_COLUMNS, (value) => this.set("columns", value));
    this.number("frames", 2, MAX_FRAMES, (value) => this.set("frames", value));
    PAIR.forEach((id, place) => byId(id).addEventListener("change", () => this.readPair(id, place)));
    byId("share").addEventListener("input", () => this.nameShare());
    byId("share").addEventListener("change", () => this.set("share", Number(byId("share").value)));
    for (const [id, place] of [["first-layer", 0], ["last-layer", 1]]) {
      byId(id).addEventListener("change", () => this.readLayer(id, place));
    }
    for (const end of ["from", "to"]) {
      this.number(`${end}-seed`, 0, MAX_SEED, (seed) => this.set(end, { ...this.state[end], seed }));
      byId(`${end}-class`).addEventListener("change", () => this.readEnd(end));
    }
  }

  /** Shows a state of a model; from here on `this.state` follows what is entered. */
  show(model, state) {
    if (this.model !== model) suggest(byId("class-names"), model.classes);
    [this.model, this.state] = [model, state];
    const names = model.classes;
    document.getElementsByName("show").forEach((radio) => (radio.checked = radio.value === state.show));
    document.querySelectorAll("[data-show]").forEach((part) => (part.hidden = !part.dataset.show.split(" ").includes(state.show)));
    byId("mix-mode").hidden = !model.num_styles;
    byId("classes-mode").hidden = !mixesClasses(model);
    document.querySelectorAll("[data-classes]").forEach((part) => (part.hidden = !model.has_classes));
    ["first-layer", "last-layer"].forEach((id, place) => (byId(id).value = state.layers[place]));
    showChosen(byId("chosen"), state.classes, names, (label) => this.removeClass(label));
    [byId("truncation").min, byId("truncation").max] = model.truncation;
    PAIR.forEach((id, place) => (byId(id).value = names[state.pair[place]]));
    for (const name of ["seed", "columns", "frames", "share", "truncation"]) byId(name).value = state[name];
    for (const end of ["from", "to"]) {
      byId(`${end}-class`).value = names[state[end].label];
      byId(`${end}-seed`).value = state[end].seed;
    }
    document.querySelectorAll("#controls input").forEach((input) => input.setCustomValidity(""));
    this.nameTruncation();
    this.nameShare();
  }

  set(name, value) {
    this.state = { ...this.state, [name]: value };
    this.show(this.model, this.state);
    this.changed();
  }

  number(id, low, high, take) {
    const input = byId(id);
    input.addEventListener("change", () => {
      const value = integer(input.value, low, high);
      input.setCustomValidity(value === null ? `A whole number from ${low} to ${high}.` : "");
      if (value === null) input.reportValidity();
      else take(value);
    });
  }

  /** Reads an end of the range of layers; where it would pass the other end, that one goes along. */
  readLayer(id, place) {
    const input = byId(id);
    const value = integer(input.value, 0, this.model.num_styles - 1);
    input.setCustomValidity(value === null ? `A whole number from 0 to ${this.model.num_styles - 1}.` : "");
    if (value === null) {
      input.reportValidity();
      return;
    }
    const layers = [...this.state.layers];
    layers[place] = value;
    if (layers[0] > layers[1]) layers[1 - place] = value;
    this.set("layers", layers);
  }

  addClass(complain) {
    const text = byId("class-search").value;
    const [label, complaint] = labelOf(text, this.model.classes);
    byId("class-note").textContent = text || complain ? complaint : "";
    if (label === null) return;
    byId("class-search").value = "";
    byId("class-note").textContent = `${this.model.classes[label]} added.`;
    this.set("classes", [...new Set([...this.state.classes, label])]);
  }

  removeClass(label) {
    const place = this.state.classes.indexOf(label);
    this.set("classes", this.state.classes.filter((other) => other !== label));
    byId("class-note").textContent = `${this.model.classes[label]} removed.`;
    // The button that had the focus is gone.
    const buttons = byId("chosen").querySelectorAll("button");
    (buttons[Math.min(place, buttons.length - 1)] ?? byId("class-search")).focus();
  }

  readEnd(end) {
    const label = this.readClass(`${end}-class`);
    if (label !== null) this.set(end, { ...this.state[end], label });
  }

  readPair(id, place) {
    const label = this.readClass(id);
    if (label !== null) this.set("pair", this.state.pair.map((other, i) => (i === place ? label : other)));
  }

  /** The class that an input names; null, and the reason beside the input, where it names none. */
  readClass(id) {
    const input = byId(id);
    const [label, complaint] = labelOf(input.value, this.model.classes);
    input.setCustomValidity(complaint);
    if (label === null) input.reportValidity();
    return label;
  }

  nameShare() {
    const second = Math.round(100 * Number(byId("share").value));
    byId("share-value").textContent = `${second}%`;
    byId("share").setAttribute("aria-valuetext", `${second}% of the second class, ${100 - second}% of the first`);
  }

  nameTruncation() {
    byId("truncation-value").textContent = Number(byId("truncation").value).toFixed(2);
  }
}
