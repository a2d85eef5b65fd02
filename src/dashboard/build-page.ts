// Builds the script and the style sheet of the dashboard's page.

import { join } from "node:path";

/** The script and the style sheet of the page, minified. */
export interface PageFiles {
  readonly script: string;
  readonly style: string;
}

/** Throws an `Error` with the problems if the page cannot be built. */
export async function buildPage(): Promise<PageFiles> {
  const result = await Bun.build({
    entrypoints: [join(import.meta.dir, "page", "main.tsx")],
    target: "browser",
    format: "esm",
    minify: true,
    define: { "process.env.NODE_ENV": JSON.stringify("production") },
    throw: false,
  });
  if (!result.success)
    throw new Error(`building the dashboard's page: ${result.logs.map(String).join("; ")}`);
  const text = async (end: string) => {
    const file = result.outputs.find(({ path }) => path.endsWith(end));
    if (file === undefined) throw new Error(`building the dashboard's page: it has no ${end} file`);
    return file.text();
  };
  return { script: await text(".js"), style: await text(".css") };
}
