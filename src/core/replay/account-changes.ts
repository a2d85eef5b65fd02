// The accounts that a simulation adds or removes, as the user writes them: `-bob,+plus,+=alice`.

/** `copy`: an account with the windows and the options of another one. */
export type AccountChange =
  | { readonly kind: "without"; readonly alias: string }
  | { readonly kind: "plan"; readonly plan: string }
  | { readonly kind: "copy"; readonly alias: string };

/** The changes in `text`, or the part of it that is not a change. */
export function accountChanges(text: string): readonly AccountChange[] | { readonly wrong: string } {
  const changes: AccountChange[] = [];
  for (const part of text.split(",").map((one) => one.trim())) {
    if (part === "") continue;
    const [, sign, name = ""] = /^(-|\+=|\+)(.+)$/.exec(part) ?? [];
    if (sign === undefined) return { wrong: part };
    if (sign === "-") changes.push({ kind: "without", alias: name });
    else if (sign === "+=") changes.push({ kind: "copy", alias: name });
    else changes.push({ kind: "plan", plan: name.toLowerCase() });
  }
  return changes;
}
