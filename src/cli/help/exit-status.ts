// The meaning of the exit codes, for the manual page. The codes are those of the table of errors.

import type { ERROR_CODES, ErrorCode } from "../../errors.ts";

/** An exit code of codexlb. */
export type ExitStatus = 0 | (typeof ERROR_CODES)[ErrorCode]["exit"];

/** The compiler refuses a missing code, and a code that no error has. 3 and 4 are for wait, 10 to 18 for login-with. */
export const EXIT_STATUS: Readonly<Record<ExitStatus, string>> = {
  0: "success",
  1: "the command failed; the message gives the reason and the next step",
  2: "the command line is wrong",
  3: "codexlb wait: --timeout has passed",
  4: "codexlb wait: waiting does not help",
  10: "the sign-in shows a CAPTCHA",
  11: "the sign-in requires a one-time password, and none was given or it was rejected",
  12: "the sign-in requires a code that was sent by e-mail",
  13: "the sign-in requires a passkey",
  14: "the e-mail address or the password is wrong",
  15: "the account is locked",
  16: "the sign-in shows an unknown screen, or does not continue",
  17: "the login took longer than --timeout (10 minutes)",
  18: "no browser was found, or it does not start",
  130: "interrupted by Ctrl-C (for other signals, 128 plus the number of the signal)",
};
