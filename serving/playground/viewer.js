// One picture of the grid, large, with what can be done with it.

import { save } from "./sheet.js";

const byId = (id) => document.getElementById(id);

export class Viewer {
  /** `walk(end, point)` is called when the picture is to be the end "from" or "to" of the way. */
  constructor(walk) {
    const dialog = byId("viewer");
    byId("viewer-download").addEventListener("click", () => save(byId("viewer-image").src, this.fileName));
    byId("viewer-close").addEventListener("click", () => dialog.close());
    for (const end of ["from", "to"]) {
      byId(`viewer-${end}`).addEventListener("click", () => {
        dialog.close();
        walk(end, this.point);
      });
    }
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  }

  open(image, point, fileName) {
    [this.point, this.fileName] = [point, fileName];
    byId("viewer-image").src = image.src;
    byId("viewer-image").alt = image.alt;
    byId("viewer-caption").textContent = image.alt;
    // A way ends at pictures of one class, without layers of another picture.
    const isEnd = point.labels[0] === point.labels[1] && !point.mix;
    for (const end of ["from", "to"]) byId(`viewer-${end}`).hidden = !isEnd;
    byId("viewer").showModal();
  }
}
