// Fills in the templates in packaging/, in which `{{name}}` stands for a value.

import { readFileSync } from "node:fs";
import { join } from "node:path";

const PACKAGING = join(import.meta.dir, "..", "..", "packaging");

/** The path of a file below packaging/. */
export function packagingPath(name: string): string {
  return join(PACKAGING, name);
}

/** Fills in the template `name` (below packaging/). Throws an Error if a value is missing. */
export function fillTemplate(name: string, values: Readonly<Record<string, string>>): string {
  return readFileSync(packagingPath(name), "utf8").replaceAll(/\{\{(\w+)\}\}/g, (_, key: string) => {
    const value = values[key];
    if (value === undefined) throw new Error(`filling in packaging/${name}: ${key} has no value`);
    return value;
  });
}
