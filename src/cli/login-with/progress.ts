// Reports the progress of a login: on stderr for people, as lines of JSON on stdout for programs.

import type { CodexlbError } from "../../errors.ts";
import { said } from "../../login/container.ts";
import type { LastScreen } from "../../login/last-screen.ts";
import { printJson, printMessage } from "../../print.ts";
import { markedMessages } from "../terminal/marked-messages.ts";
import type { LoginFlags } from "./input.ts";

/** Reports the progress and the result of a login. */
export interface ProgressReporter {
  /** A step has started. */
  step(what: string): void;
  /** A remark about the login. */
  note(what: string): void;
  /** The login succeeded; `total` is the number of accounts. */
  done(message: string, total: number): void;
  /** The login failed. */
  failed(error: CodexlbError): void;
}

/** The reporter that the flags choose. */
export function progressReporter({ quiet, json, export: exported }: LoginFlags): ProgressReporter {
  if (json || exported) {
    const progress = quiet ? () => {} : line;
    return {
      step: (step) => progress(said.step(step)),
      note: (note) => progress({ note }),
      done: (message, total) => line({ ok: true, message, total }),
      failed: (error) => line(said.failure(error)),
    };
  }
  const messages = markedMessages(process.stderr, quiet);
  return {
    step: messages.start,
    note: messages.info,
    done: (message) => printMessage(message),
    // Every command prints its error at its end.
    failed: () => {},
  };
}

/** Sends the login to the program outside the container. */
export function exportLogin(auth: string): void {
  line(said.login(auth));
}

/** Sends the last screen of a failed login to the program outside the container. */
export function exportLastScreen(screen: LastScreen): void {
  line(said.lastScreen(screen));
}

// --- internal ---

function line(value: unknown): void {
  printJson(value);
}
