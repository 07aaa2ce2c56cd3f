// Classes as people write them: the index of a name, however it is spaced and cased.

/**
 * Lower case, with single blanks between words. A hyphen joins words, but for the minus of a number: "-1".
 *
 * By the rule of `biggan_tf.data.class_names`, but without a lookbehind, which Safari before 16.4 cannot read: what is
 * in front of a minus is matched with it, and kept.
 */
const plain = (text) =>
  text
    .toLowerCase()
    .replaceAll("_", " ")
    .replaceAll(/((?:^|\s)-(?=\p{Nd}))|-/gu, (hyphen, minus) => minus ?? " ")
    .replaceAll(/\s+/g, " ")
    .trim();

/** Fills the list that the inputs for classes suggest from. */
export function suggest(list, names) {
  list.replaceChildren(
    ...names.map((name) => {
      const option = document.createElement("option");
      option.value = name;
      return option;
    }),
  );
}

/** The label of a name or number. Returns [label, complaint]. */
export function labelOf(text, names) {
  const wanted = plain(text);
  if (!wanted) return [null, "Write the name of a class."];
  const found = names.flatMap((name, label) => (plain(name) === wanted ? [label] : []));
  if (found.length === 1) return [found[0], ""];
  if (found.length > 1) return [null, `${found.length} classes are called ${text}; give a number: ${found.join(", ")}.`];
  if (/^\d+$/.test(wanted) && Number(wanted) < names.length) return [Number(wanted), ""];
  const near = names.filter((name) => plain(name).includes(wanted));
  if (near.length === 1) return [names.indexOf(near[0]), ""];
  const hint = near.length ? ` Did you mean ${near.slice(0, 5).join(", ")}?` : "";
  return [null, `There is no class ${text}.${hint}`];
}

/** The chosen classes as a list of buttons that take them away. */
export function showChosen(list, labels, names, remove) {
  list.replaceChildren(
    ...labels.map((label) => {
      const [item, button] = [document.createElement("li"), document.createElement("button")];
      button.type = "button";
      button.textContent = `${names[label]} ×`;
      button.setAttribute("aria-label", `Remove ${names[label]}`);
      button.addEventListener("click", () => remove(label));
      item.append(button);
      return item;
    }),
  );
}
