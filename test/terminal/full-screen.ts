// A program in place of Codex that uses the full screen like Codex: it shows its size, every key, and every signal.
// With `cooked` among its arguments, it does not change the terminal and reads lines.

import { constants } from "node:os";
import { placeInTerminal } from "../../src/codex/foreground.ts";

const reports: string[] = [];
const tell = (word: string) => {
  reports.push(word);
  if (isRaw) draw();
  else process.stdout.write(`${word}\n`);
};
const isCooked = process.argv.includes("cooked");
let isRaw = false;

function draw(): void {
  const { columns, rows } = process.stdout;
  const lines = [`size ${columns}x${rows} under ${process.ppid}`, ...reports.slice(2 - rows)];
  process.stdout.write(`\u001b[H${lines.map((line) => `${line}\u001b[K`).join("\r\n")}\u001b[J`);
}

function enter(): void {
  process.stdin.setRawMode(true);
  isRaw = true;
  process.stdout.write("\u001b[?1049h\u001b[?25l");
  draw();
}

function leave(): void {
  isRaw = false;
  process.stdout.write("\u001b[?25h\u001b[?1049l");
  process.stdin.setRawMode(false);
}

function typed(key: string): void {
  if (key === "7") {
    leave();
    process.exit(7);
  }
  const signal = { t: "SIGTERM", k: "SIGKILL" }[key];
  if (signal !== undefined) {
    leave();
    process.kill(process.pid, signal as NodeJS.Signals);
  } else if (key === "\u001a") {
    leave();
    process.kill(0, "SIGTSTP");
  } else tell(`key ${JSON.stringify(key)}`);
}

process.on("SIGINT", () => tell(`signal ${constants.signals.SIGINT}`));
process.stdin.setEncoding("utf8");
if (isCooked) {
  tell("cooked");
  process.stdin.on("data", (line: string) => {
    tell(`line ${line.trim()}`);
    if (line.trim() === "end") process.exit(7);
  });
} else {
  process.on("SIGCONT", () => {
    // In the background, setting the modes would stop this process again, perhaps in the middle of its exit.
    if (placeInTerminal() === "background") return;
    reports.push("continued");
    enter();
    // The size may have changed in the meantime.
    process.kill(process.pid, "SIGWINCH");
  });
  process.stdout.on("resize", draw);
  process.stdin.on("data", typed);
  enter();
}
