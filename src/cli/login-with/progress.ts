// How a login tells what it is at: on stderr for people, as lines of JSON on stdout for programs.

import { createConsola } from "consola";
import type { CodexlbError } from "../../errors.ts";
import { said } from "../../login/container.ts";
import type { LastScreen } from "../../login/last-screen.ts";
import { print, printJson } from "../../print.ts";
import { oneLine } from "../../printable.ts";
import type { Given } from "./input.ts";

export interface Teller {
  step(what: string): void;
  note(what: string): void;
  done(message: string, total: number): void;
  failed(error: CodexlbError): void;
}

export function tellerOf({ quiet, json, export: exported }: Given): Teller {
  if (json || exported) {
    const onTheWay = quiet ? () => {} : line;
    return {
      step: (step) => onTheWay(said.step(step)),
      note: (note) => onTheWay({ note }),
      done: (message, total) => line({ ok: true, message, total }),
      failed: (error) => line(said.failure(error)),
    };
  }
  const consola = createConsola({ level: quiet ? 0 : 3, stdout: process.stderr, stderr: process.stderr });
  return {
    step: (what) => consola.start(oneLine(what)),
    note: (what) => consola.info(oneLine(what)),
    done: (message) => print(`${message}\n`),
    // The message itself comes at the end of every command.
    failed: () => {},
  };
}

/** Hands the login to the program outside of the container. */
export function exportLogin(auth: string): void {
  line(said.login(auth));
}

/** As `exportLogin`, what a failed one had on its screen. */
export function exportLastScreen(screen: LastScreen): void {
  line(said.lastScreen(screen));
}

// --- internal ---

function line(value: unknown): void {
  printJson(value);
}
