// Writes pictures as an animated GIF (CompuServe, "Graphics Interchange Format, Version 89a", 1990).

const MAX_COLOURS = 256;
const COARSE_BITS = 2; // of each channel's 8, left out where a picture has more colours than a table holds
const MAX_CODE_BITS = 12;
const MAX_BLOCK_BYTES = 255;

/**
 * An animation that begins again after its last picture.
 *
 * @param {Uint8ClampedArray[]} pictures Pixels as a canvas gives them: red, green, blue and an opacity that is not used.
 * @param {number[]} order The pictures to show by their number, one after the other; a picture may come twice.
 * @param {number} width In pixels, as is `height`.
 * @param {number} frameMs How long each is shown, in milliseconds; GIF counts in hundredths of a second.
 * @returns {Uint8Array} The file.
 */
export function encodeGif(pictures, order, width, height, frameMs) {
  const parts = [
    ascii("GIF89a"),
    [...short(width), ...short(height), 0x70, 0, 0], // no table of colours for all pictures: each has its own
    [0x21, 0xff, 11, ...ascii("NETSCAPE2.0"), 3, 1, ...short(0), 0], // without end
  ];
  const control = [0x21, 0xf9, 4, 0, ...short(Math.round(frameMs / 10)), 0, 0];
  const images = pictures.map((pixels) => image(pixels, width, height));
  for (const number of order) parts.push(control, ...images[number]);
  parts.push([0x3b]);
  return joined(parts);
}

/** One picture with its table of colours. */
function image(pixels, width, height) {
  const { table, indices } = quantised(pixels);
  const bits = Math.max(2, Math.ceil(Math.log2(table.length))); // a table has 2^bits colours
  const bytes = new Uint8Array(3 * 2 ** bits);
  table.forEach((colour, i) => bytes.set(colour, 3 * i));
  const descriptor = [0x2c, ...short(0), ...short(0), ...short(width), ...short(height), 0x80 | (bits - 1)];
  return [descriptor, bytes, [bits], ...blocks(compressed(indices, bits)), [0]];
}

/** The colours of a picture, at most as many as a table holds, and for each pixel the number of its colour. */
function quantised(pixels) {
  let bins = counted(pixels, 0, MAX_COLOURS);
  const shift = bins ? 0 : COARSE_BITS;
  bins ??= counted(pixels, shift, Infinity);
  const boxes = cut([...bins.values()]);
  boxes.forEach((box, number) => box.forEach((bin) => (bin.number = number)));
  const indices = new Uint8Array(pixels.length / 4);
  for (let i = 0; i < indices.length; i++) indices[i] = bins.get(keyOf(pixels, 4 * i, shift)).number;
  return { table: boxes.map(mean), indices };
}

function keyOf(pixels, at, shift) {
  return ((pixels[at] >> shift) << 16) | ((pixels[at + 1] >> shift) << 8) | (pixels[at + 2] >> shift);
}

/** How many pixels have each colour, and the sum of their channels; null where there are more colours than `most`. */
function counted(pixels, shift, most) {
  const bins = new Map();
  for (let at = 0; at < pixels.length; at += 4) {
    const key = keyOf(pixels, at, shift);
    let bin = bins.get(key);
    if (!bin) {
      if (bins.size === most) return null;
      bin = { count: 0, sum: [0, 0, 0] };
      bins.set(key, bin);
    }
    bin.count += 1;
    for (let channel = 0; channel < 3; channel++) bin.sum[channel] += pixels[at + channel];
  }
  return bins;
}

/**
 * Boxes of similar colours: again and again the box with the most variance is cut at the mean of its widest channel
 * (after Heckbert 1982, "Color image quantization for frame buffer display", who cuts at the median).
 */
function cut(bins) {
  const boxes = [spread(bins)];
  while (boxes.length < MAX_COLOURS) {
    const worst = boxes.reduce((a, b) => (b.error > a.error ? b : a));
    if (!(worst.error > 0)) break;
    const { bins: all, channel, middle } = worst;
    const parts = [all.filter((bin) => level(bin, channel) <= middle), all.filter((bin) => level(bin, channel) > middle)];
    if (!parts[0].length || !parts[1].length) break; // what is left differs by less than a computer can tell
    boxes.splice(boxes.indexOf(worst), 1, ...parts.map(spread));
  }
  return boxes.map((box) => box.bins);
}

function level(bin, channel) {
  return bin.sum[channel] / bin.count;
}

/** Some colours, the channel in which they vary most, its mean, and the sum of squares around that. */
function spread(bins) {
  const count = bins.reduce((sum, bin) => sum + bin.count, 0);
  const means = [0, 1, 2].map((channel) => bins.reduce((sum, bin) => sum + bin.sum[channel], 0) / count);
  const errors = means.map((middle, channel) =>
    bins.length < 2 ? 0 : bins.reduce((sum, bin) => sum + bin.count * (level(bin, channel) - middle) ** 2, 0),
  );
  const channel = errors.indexOf(Math.max(...errors));
  return { bins, channel, middle: means[channel], error: errors[channel] };
}

function mean(bins) {
  const count = bins.reduce((sum, bin) => sum + bin.count, 0);
  return [0, 1, 2].map((channel) => Math.round(bins.reduce((sum, bin) => sum + bin.sum[channel], 0) / count));
}

/** GIF's LZW: codes of growing width, the lowest bits first (appendix F of the specification). */
function compressed(indices, bits) {
  const [clear, end] = [2 ** bits, 2 ** bits + 1];
  const bytes = [];
  let [pending, pendingBits, codes, next, width] = [0, 0, new Map(), end + 1, bits + 1];
  const write = (code) => {
    pending |= code << pendingBits;
    pendingBits += width;
    for (; pendingBits >= 8; pendingBits -= 8) {
      bytes.push(pending & 0xff);
      pending >>>= 8;
    }
  };
  write(clear);
  let prefix = indices[0];
  for (let i = 1; i < indices.length; i++) {
    const key = (prefix << 8) | indices[i];
    const known = codes.get(key);
    if (known !== undefined) {
      prefix = known;
      continue;
    }
    write(prefix);
    prefix = indices[i];
    if (next === 2 ** MAX_CODE_BITS) {
      write(clear);
      [codes, next, width] = [new Map(), end + 1, bits + 1];
      continue;
    }
    // The reader learns a code one step later than the writer, so the width grows when the first code needs it.
    if (next === 2 ** width) width += 1;
    codes.set(key, next++);
  }
  write(prefix);
  if (next === 2 ** width && width < MAX_CODE_BITS) width += 1;
  write(end);
  if (pendingBits) bytes.push(pending & 0xff);
  return Uint8Array.from(bytes);
}

function blocks(bytes) {
  const found = [];
  for (let start = 0; start < bytes.length; start += MAX_BLOCK_BYTES) {
    const part = bytes.subarray(start, start + MAX_BLOCK_BYTES);
    found.push([part.length], part);
  }
  return found;
}

function joined(parts) {
  const file = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

function ascii(text) {
  return Array.from(text, (letter) => letter.charCodeAt(0));
}

function short(number) {
  return [number & 0xff, number >> 8];
}
