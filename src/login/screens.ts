// The screens of the sign-in as data: how to recognize each, and what to do there. A screen that needs a person is a
// stop. The first visible screen of the list counts, so stops come before the screens that they cover.

import type { ErrorCode } from "../errors.ts";

export interface Screen {
  readonly name: string;
  /** Playwright selectors. The screen is there if one of them is visible. */
  readonly seen: readonly string[];
  /** The screen counts only after the one with this name, because its selectors match other screens too. */
  readonly after?: string;
  readonly act: Act;
}

export type Act =
  /** Fills the first field of `into` with the secret `with`, and submits it. */
  | {
      readonly kind: "fill";
      readonly with: "username" | "password" | "totp";
      readonly into: readonly string[];
      /** The stop if the screen appears again: the value was not accepted, and a second try could lock the account. */
      readonly again: Stop;
      /** The stop if there is no such secret. */
      readonly lacking?: Stop;
    }
  | { readonly kind: "click"; readonly on: readonly string[] }
  | { readonly kind: "stop"; readonly stop: Stop };

/** Why the login cannot continue without a person. */
export interface Stop {
  readonly code: ErrorCode;
  readonly what: string;
  readonly next: string;
}

/** The next step where only a person can continue. */
const FINISH_BY_HAND = "only a person can complete this step";

const button = (...names: readonly string[]): string[] =>
  names.flatMap((name) => [
    `button:text-is("${name}")`,
    `a:text-is("${name}")`,
    `[role=button]:text-is("${name}")`,
  ]);

const EMAIL = [
  "input[type=email]",
  "input[name=email]",
  "input[name=username]",
  "input[autocomplete=username]",
];
const PASSWORD = ["input[type=password]", "input[name=password]", "input[autocomplete=current-password]"];
const CODE = [
  "input[autocomplete=one-time-code]",
  "input[name=code]",
  "input[name=totp]",
  "input[inputmode=numeric]",
];

/** Selectors of buttons that submit a form, best first. */
export const SUBMIT: readonly string[] = [
  ...button("Continue", "Next", "Sign in", "Log in", "Verify"),
  "button[type=submit]",
  "input[type=submit]",
];

const USE_PASSWORD = button(
  "Continue with password",
  "Use password",
  "Use your password",
  "Use password instead",
);
const CONSENT = button("Authorize", "Allow", "Accept", "Agree", "Open Codex", "Continue");

const WRONG_PASSWORD: Stop = {
  code: "login_wrong_password",
  what: "the sign-in rejected this e-mail address or password",
  next: "check both; repeated failures can lock the account",
};
const WRONG_CODE: Stop = {
  code: "login_mfa",
  what: "the sign-in rejected the one-time password",
  next: "check the authenticator's secret and this machine's clock",
};

export const SCREENS: readonly Screen[] = [
  {
    name: "captcha",
    seen: [
      "iframe[src*=captcha]",
      "iframe[src*=arkose]",
      "iframe[src*=turnstile]",
      "iframe[src*=challenges]",
      "#captcha",
      "text=/verify (?:that )?you are (?:a )?human/i",
    ],
    act: {
      kind: "stop",
      stop: { code: "login_captcha", what: "the sign-in shows a CAPTCHA", next: FINISH_BY_HAND },
    },
  },
  {
    name: "locked",
    seen: ["text=/account (?:has been |is )?(?:locked|deactivated|disabled|suspended|deleted)/i"],
    act: {
      kind: "stop",
      stop: {
        code: "login_locked",
        what: "the account is locked",
        next: "look for a message about it in the account's mailbox, or ask the provider; codexlb cannot unlock it",
      },
    },
  },
  {
    name: "wrong password",
    seen: [
      "text=/(?:incorrect|wrong|invalid) (?:email address or |e-?mail or |username or )?password/i",
      "text=/(?:email|e-mail|account) (?:address )?(?:was )?(?:is )?not found|no account (?:exists|found)/i",
    ],
    act: { kind: "stop", stop: WRONG_PASSWORD },
  },
  {
    name: "wrong one-time password",
    seen: [
      "text=/(?:incorrect|wrong|invalid|expired) (?:one-time |verification |authentication |security )?(?:code|passcode|one-time password)/i",
      "text=/code (?:is |was |you entered is )?(?:incorrect|wrong|invalid|expired|not valid)/i",
    ],
    after: "one-time password",
    act: { kind: "stop", stop: WRONG_CODE },
  },
  // The sign-in offers the password instead of a code or passkey.
  { name: "use password", seen: USE_PASSWORD, act: { kind: "click", on: USE_PASSWORD } },
  {
    name: "e-mail code",
    seen: [
      "text=/check your (?:e-?mail|inbox)|code (?:that )?we (?:just )?sent|sent (?:you )?a (?:verification )?code/i",
    ],
    act: {
      kind: "stop",
      stop: {
        code: "login_email_code",
        what: "the sign-in requires a code that was sent by e-mail",
        next: FINISH_BY_HAND,
      },
    },
  },
  {
    name: "passkey",
    seen: ["text=/(?:use|sign in with|verify with) (?:your |a )?(?:passkey|security key)/i"],
    act: {
      kind: "stop",
      stop: { code: "login_passkey", what: "the sign-in requires a passkey", next: FINISH_BY_HAND },
    },
  },
  {
    name: "one-time password",
    seen: CODE,
    act: {
      kind: "fill",
      with: "totp",
      into: CODE,
      again: WRONG_CODE,
      lacking: {
        code: "login_mfa",
        what: "the sign-in requires a one-time password",
        next: "give the authenticator's secret with --totp-stdin",
      },
    },
  },
  {
    name: "password",
    seen: PASSWORD,
    act: { kind: "fill", with: "password", into: PASSWORD, again: WRONG_PASSWORD },
  },
  {
    name: "e-mail",
    seen: EMAIL,
    act: { kind: "fill", with: "username", into: EMAIL, again: WRONG_PASSWORD },
  },
  { name: "consent", seen: CONSENT, after: "password", act: { kind: "click", on: CONSENT } },
];
