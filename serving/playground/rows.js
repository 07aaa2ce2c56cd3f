// What each way of showing draws: rows of pictures, each with its classes, its seeds and its place between two of them.

import { layerRanges } from "./points.js";

/** Classes, each with the same seeds. */
export function gridRows(model, { classes, seed, columns }) {
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

/** The way from one picture to another. */
export function walkRows(model, { from, to, frames }) {
  const names = [from, to].map(({ label, seed }) => `${model.classes[label]}, seed ${seed}`);
  const pictures = Array.from({ length: frames }, (_, i) => ({
    alt: `${Math.round((100 * i) / (frames - 1))}% of the way from ${names[0]} to ${names[1]}`,
    labels: [from.label, to.label],
    seeds: [from.seed, to.seed],
    share: i / (frames - 1),
  }));
  return [{ caption: "", pictures }];
}

/** The same seeds in a mixture of two classes, and in each of them alone. */
export function classRows(model, { pair, share, seed, columns }) {
  const names = pair.map((label) => model.classes[label]);
  const [first, second] = [100 - Math.round(100 * share), Math.round(100 * share)];
  const alone = (end) => [names[end], [pair[end], pair[end]], 0];
  const rows = [[`${first}% ${names[0]}, ${second}% ${names[1]}`, pair, share], alone(0), alone(1)];
  return rows.map(([caption, labels, part]) => ({
    caption,
    pictures: Array.from({ length: columns }, (_, i) => ({
      alt: `${caption}, seed ${seed + i}`,
      labels,
      seeds: [seed + i, seed + i],
      share: part,
    })),
  }));
}

/** The two pictures, and each with ranges of layers of the other; `mix` says which pictures' styles are taken. */
export function mixRows(model, { from, to, layers: [first, last] }) {
  const ends = [from, to];
  const names = ends.map(({ label, seed }) => `${model.classes[label]}, seed ${seed}`);
  const picture = (end, alt, mix) => {
    const { label, seed } = ends[end];
    return { alt, labels: [label, label], seeds: [seed, seed], share: 0, mix };
  };
  const ranges = [...layerRanges(model.num_styles), [`layers ${first} to ${last}`, first, last]];
  const rows = [0, 1].map((own) => ({
    caption: `${names[own]}, with layers of ${names[1 - own]}: ${ranges.map(([name]) => name).join(", ")}`,
    pictures: ranges.map(([name, start, end]) =>
      picture(own, `${names[own]}, with ${name} of ${names[1 - own]}`, { of: own, with: 1 - own, first: start, last: end }),
    ),
  }));
  return [{ caption: names.join(" and "), pictures: [0, 1].map((end) => picture(end, names[end])) }, ...rows];
}
