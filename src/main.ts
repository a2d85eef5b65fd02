// The executable's entry point.

import { quickAnswer } from "./quick.ts";

const argv = process.argv.slice(2);
if (!(await quickAnswer(argv))) {
  const { main } = await import("./cli/main.ts");
  let code = await main(argv);
  // What a slow reader has not taken yet would be lost with the process. One that reads no more is no error.
  await Promise.all(
    [process.stdout, process.stderr].map(
      (stream) =>
        new Promise<void>((done) => {
          stream.on("error", (error: NodeJS.ErrnoException) => {
            if (error.code !== "EPIPE" && code === 0) code = 1;
            done();
          });
          stream.end(() => done());
        }),
    ),
  );
  process.exit(code);
}
