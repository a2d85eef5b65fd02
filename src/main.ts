// The executable's entry point.

import { quickAnswer } from "./quick.ts";

const argv = process.argv.slice(2);
if (!(await quickAnswer(argv))) {
  const { main } = await import("./cli/main.ts");
  process.exit(await main(argv));
}
