// Pictures on the page, and the sheet of them as one PNG.

const CAPTION_PX = 22;
const GAP_PX = 2;

/** Empty places for rows of pictures; `rows` is [{caption, pictures: [{alt}]}]. Returns the images in order. */
export function layOut(container, rows, open) {
  const images = [];
  container.replaceChildren(
    ...rows.map((row) => {
      const section = document.createElement("section");
      const list = document.createElement("ol");
      list.style.setProperty("--columns", row.pictures.length);
      if (row.caption) {
        const heading = document.createElement("h3");
        heading.textContent = row.caption;
        section.append(heading);
      }
      row.pictures.forEach((picture) => list.append(place(picture, images, open)));
      section.append(list);
      return section;
    }),
  );
  return images;
}

function place(picture, images, open) {
  const [item, button, image] = ["li", "button", "img"].map((tag) => document.createElement(tag));
  const number = images.push(image) - 1;
  image.alt = picture.alt;
  button.type = "button";
  button.addEventListener("click", () => image.src && open(number));
  button.append(image);
  item.append(button);
  return item;
}

/** Draws the rows of pictures, with their captions, into one PNG. */
export async function toPng(rows, images) {
  await Promise.all(images.map((image) => image.decode()));
  const size = images[0].naturalWidth;
  const columns = Math.max(...rows.map((row) => row.pictures.length));
  const captioned = rows.some((row) => row.caption);
  const step = size + GAP_PX + (captioned ? CAPTION_PX : 0);
  const canvas = document.createElement("canvas");
  canvas.width = columns * (size + GAP_PX) - GAP_PX;
  canvas.height = rows.length * step - GAP_PX;
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.font = "14px sans-serif";
  let number = 0;
  rows.forEach((row, y) => {
    context.fillStyle = "black";
    if (captioned) context.fillText(row.caption, 1, y * step + 16, canvas.width - 2);
    const top = y * step + (captioned ? CAPTION_PX : 0);
    row.pictures.forEach((_, x) => context.drawImage(images[number++], x * (size + GAP_PX), top));
  });
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

export function save(blobOrUrl, name) {
  const anchor = document.createElement("a");
  const url = typeof blobOrUrl === "string" ? blobOrUrl : URL.createObjectURL(blobOrUrl);
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  if (url !== blobOrUrl) setTimeout(() => URL.revokeObjectURL(url), 10000);
}
