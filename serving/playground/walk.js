// The way between two pictures: one frame large, a slider through all of them, and playing to and fro.

import { encodeGif } from "./gif.js";

const FRAME_MS = 150;
const byId = (id) => document.getElementById(id);

export class Walk {
  constructor() {
    this.images = [];
    byId("position").addEventListener("input", () => this.goTo(Number(byId("position").value)));
    byId("play").addEventListener("click", () => (this.timer ? this.stop() : this.play()));
  }

  /** Begins a way whose frames arrive later; none hides it. */
  begin(images) {
    this.stop();
    this.images = images;
    byId("walk").hidden = images.length === 0;
    byId("position").max = Math.max(images.length - 1, 0);
    byId("frame").removeAttribute("src");
    this.goTo(0);
  }

  arrived(number) {
    if (this.images.length && number === Number(byId("position").value)) this.goTo(number);
  }

  goTo(number) {
    const image = this.images[number];
    if (!image) return;
    byId("position").value = number;
    byId("position").setAttribute("aria-valuetext", image.alt);
    if (image.src) byId("frame").src = image.src;
    byId("frame").alt = image.alt;
    this.images.forEach((other, i) => other.parentElement.setAttribute("aria-current", String(i === number)));
    const [strip, place] = [image.closest("ol"), image.closest("li")];
    strip.scrollLeft = place.offsetLeft - strip.offsetLeft - (strip.clientWidth - place.clientWidth) / 2;
  }

  play() {
    let step = 1;
    this.timer = setInterval(() => {
      const next = Number(byId("position").value) + step;
      if (next < 0 || next >= this.images.length) step = -step;
      else this.goTo(next);
    }, FRAME_MS);
    this.name(true);
  }

  /** The way to and fro, as it is played, as a GIF file. */
  async toGif() {
    await Promise.all(this.images.map((image) => image.decode()));
    const { naturalWidth: width, naturalHeight: height } = this.images[0];
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [width, height];
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const pictures = this.images.map((image) => {
      context.drawImage(image, 0, 0);
      return context.getImageData(0, 0, width, height).data;
    });
    const there = [...pictures.keys()];
    const file = encodeGif(pictures, [...there, ...there.slice(1, -1).reverse()], width, height, FRAME_MS);
    return new Blob([file], { type: "image/gif" });
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.name(false);
  }

  name(playing) {
    byId("play").textContent = playing ? "Stop" : "Play";
    byId("play").setAttribute("aria-pressed", String(playing));
  }
}
