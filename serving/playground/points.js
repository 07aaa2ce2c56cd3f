// Points of the generator's input: a latent z, and weights y over the classes.

/** One row of weights that is a single class, or a mixture of two. */
export function classWeights(count, first, second = first, share = 0) {
  const weights = new Array(count).fill(0);
  weights[first] += 1 - share;
  weights[second] += share;
  return weights;
}

/** The ranges of layers that have names, as in biggan_tf.sample: [[name, first, last]]. */
export function layerRanges(count) {
  const middle = Math.min(4, Math.floor(count / 3));
  const fine = Math.min(8, Math.floor((2 * count) / 3));
  const ranges = [["coarse", 0, middle - 1], ["middle", middle, fine - 1], ["fine", fine, count - 1]];
  return ranges.filter(([, first, last]) => first <= last);
}

/** Styles of `a`, but for the layers from `first` to `last`, which are those of `b`. */
export function mixed(a, b, first, last) {
  return a.map((style, layer) => (layer >= first && layer <= last ? b[layer] : style));
}

/** The point at a share of the great circle from a to b, its length between theirs; as biggan_tf.sample walks. */
export function greatCircle(a, b, share) {
  const lengthA = Math.hypot(...a);
  const lengthB = Math.hypot(...b);
  const dot = a.reduce((sum, value, i) => sum + value * b[i], 0);
  const cosine = Math.min(1, Math.max(-1, dot / (lengthA * lengthB)));
  const angle = Math.acos(cosine);
  if (!(Math.sin(angle) > 1e-6)) return a.map((value, i) => value + share * (b[i] - value));
  const length = lengthA + share * (lengthB - lengthA);
  const fromA = Math.sin((1 - share) * angle) / Math.sin(angle) / lengthA;
  const fromB = Math.sin(share * angle) / Math.sin(angle) / lengthB;
  return a.map((value, i) => length * (fromA * value + fromB * b[i]));
}
