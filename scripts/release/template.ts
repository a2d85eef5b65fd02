// Files of package managers are templates below packaging/, with `{{name}}` where a value goes.

import { readFileSync } from "node:fs";
import { join } from "node:path";

const PACKAGING = join(import.meta.dir, "..", "..", "packaging");

/** The path of a file below packaging/. */
export function packagingPath(name: string): string {
  return join(PACKAGING, name);
}

/** Fills the template `name` (below packaging/). Throws an Error for a place without a value. */
export function fillTemplate(name: string, values: Readonly<Record<string, string>>): string {
  return readFileSync(packagingPath(name), "utf8").replaceAll(/\{\{(\w+)\}\}/g, (_, key: string) => {
    const value = values[key];
    if (value === undefined) throw new Error(`filling packaging/${name}: there is no value for ${key}`);
    return value;
  });
}
