// What the exit codes of commands mean, for the manual page. The codes are those of the table of errors.

import type { ERROR_CODES, ErrorCode } from "../../errors.ts";

export type ExitStatus = 0 | (typeof ERROR_CODES)[ErrorCode]["exit"];

/** A code that is missing here, or that no error has, does not compile. 10 to 18 are what stops login-with. */
export const EXIT_STATUS: Readonly<Record<ExitStatus, string>> = {
  0: "it is done",
  1: "it failed; the message says why, and what to do next",
  2: "the command line is wrong",
  10: "a CAPTCHA",
  11: "a one-time password is asked for and none was given, or it is not accepted",
  12: "a code was sent by e-mail",
  13: "a passkey is asked for",
  14: "e-mail address or password is wrong",
  15: "the account is locked",
  16: "a screen that is not known, or that does not change",
  17: "--timeout (10 minutes) is over",
  18: "there is no browser, or it does not start",
  130: "Ctrl-C; another signal is told by 128 and its number",
};
