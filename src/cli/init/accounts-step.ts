// The step of `codexlb init` that enrols accounts, one after the other: the login of the user's own Codex home first,
// then as many as the user wants.

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { ListedAccount } from "../../auth/account-ops.ts";
import { personName } from "../../auth/identity.ts";
import { checkNewAlias } from "../../auth/reserved-aliases.ts";
import { inferAlias } from "../../codex/alias.ts";
import { CodexlbError } from "../../errors.ts";
import { rootExists } from "../context.ts";
import { type OwnLogin, ownLogins } from "./own-logins.ts";
import { accountsOf, namesOf } from "./pool-state.ts";
import type { SetUp } from "./set-up.ts";
import {
  CHANGED,
  type Choice,
  FAILED,
  NEEDS_ROOT,
  NO,
  type Step,
  type StepResult,
  type StepState,
} from "./step.ts";

type NewLogin = Extract<OwnLogin, { kind: "new" }>;

export function accountsStep(setUp: SetUp): Step {
  const { context } = setUp;
  /** The homes whose logins the user has been asked about. */
  const asked = new Set<string>();
  return {
    title: "Accounts",
    detect: async () => {
      if (!rootExists(context)) return NEEDS_ROOT;
      const accounts = await accountsOf(context);
      const logins = ownLogins(context, accounts);
      const login = logins.find((one): one is NewLogin => one.kind === "new" && !asked.has(one.home));
      return login === undefined
        ? moreAccounts(setUp, accounts, logins)
        : importOffer(setUp, accounts, login, asked);
    },
  };
}

// --- internal ---

/** Offers to import the login of one of the user's own homes. */
function importOffer(
  setUp: SetUp,
  accounts: readonly ListedAccount[],
  { home, credentials }: NewLogin,
  asked: Set<string>,
): StepState {
  const { context, dialog, rootFlags, codexlb } = setUp;
  const person = personName(credentials, []);
  return {
    kind: "open",
    details: [
      `${home} is logged in${person === undefined ? "" : ` as ${person}`}. The import copies this login to ${context.layout.accounts}, and leaves ${home} unchanged.`,
      `From then on use "codexlb run", not "codex": a login works in one place only, because a token refresh in one place invalidates the login in the other. To use plain codex as well, answer no, and log in to the same account below instead.`,
    ],
    offer: {
      question: "Import it?",
      enter: "y",
      preset: "y",
      choices: [
        {
          key: "y",
          label: "import it",
          apply: async () => {
            const taken = accounts.map(({ alias }) => alias);
            const suggestion = inferAlias({ home }, credentials, taken, context.deps);
            const alias = await dialog.text("Name for the account", suggestion, (text) =>
              aliasProblem(text, taken),
            );
            const isDone = await codexlb(["account", "import", ...rootFlags, "--from", home, alias]);
            if (!isDone) return FAILED;
            asked.add(home);
            return CHANGED;
          },
        },
        {
          key: NO,
          label: "do not import it",
          apply: async () => {
            asked.add(home);
            return CHANGED;
          },
        },
      ],
    },
  };
}

/** Offers further accounts. */
function moreAccounts(
  setUp: SetUp,
  accounts: readonly ListedAccount[],
  logins: readonly OwnLogin[],
): StepState {
  const isFirst = accounts.length === 0;
  const count = `${accounts.length} account${accounts.length === 1 ? "" : "s"}`;
  const enrolled = isFirst ? "No account is enrolled." : `${count}: ${namesOf(accounts)}.`;
  const unusable = logins.flatMap((one) => (one.kind === "unusable" ? [one.why] : []));
  return {
    kind: "open",
    details: [...unusable, enrolled],
    offer: {
      question: isFirst ? "Add an account?" : "Add another account?",
      enter: isFirst ? (hasBrowser(setUp.context.deps.env) ? "b" : "d") : NO,
      preset: NO,
      choices: [
        loginChoice(setUp, accounts, "b", "log in with a browser on this machine", []),
        loginChoice(setUp, accounts, "d", "log in with a code that you enter in any browser", [
          "--device-auth",
        ]),
        {
          key: "i",
          label: "import the login of another Codex home",
          apply: () => importPath(setUp, accounts),
        },
      ],
      decline: isFirst ? "no account" : "no more accounts",
    },
    settled: isFirst ? undefined : count,
  };
}

function loginChoice(
  { dialog, rootFlags, codexFlags, codexlb }: SetUp,
  accounts: readonly ListedAccount[],
  key: string,
  label: string,
  args: readonly string[],
): Choice {
  return {
    key,
    label,
    apply: async () => {
      const taken = accounts.map(({ alias }) => alias);
      const alias = await dialog.text("Name for the account", nextName(taken), (text) =>
        aliasProblem(text, taken),
      );
      const isDone = await codexlb(["account", "login", ...rootFlags, ...codexFlags, alias, ...args]);
      return isDone ? CHANGED : FAILED;
    },
  };
}

async function importPath(
  { context, dialog, rootFlags, codexlb }: SetUp,
  accounts: readonly ListedAccount[],
): Promise<StepResult> {
  const home = context.deps.env.HOME ?? "";
  const question = "Path of the Codex home, or of its auth.json (Enter: back)";
  const given = await dialog.text(question, undefined, (text) =>
    text === "" || existsSync(pathOf(text, home)) ? undefined : `${text} does not exist`,
  );
  if (given === "") return CHANGED;
  const taken = accounts.map(({ alias }) => alias);
  const alias = await dialog.text(
    "Name for the account (Enter: choose one from the login)",
    undefined,
    (text) => (text === "" ? undefined : aliasProblem(text, taken)),
  );
  const words = ["account", "import", ...rootFlags, "--from", pathOf(given, home)];
  return (await codexlb(alias === "" ? words : [...words, alias])) ? CHANGED : FAILED;
}

/** An absolute path. A shell would replace `~`; here the user types without one. */
function pathOf(text: string, home: string): string {
  return resolve(/^~(?=\/|$)/.test(text) ? join(home, text.slice(1)) : text);
}

/** Why an alias cannot be used for a new account; undefined if it can. */
function aliasProblem(text: string, taken: readonly string[]): string | undefined {
  try {
    checkNewAlias(text);
  } catch (error) {
    if (error instanceof CodexlbError) return `${error.message}: ${error.next}`;
    throw error;
  }
  const other = taken.find((alias) => alias.toLowerCase() === text.toLowerCase());
  return other === undefined ? undefined : `${other} is enrolled already; choose another name`;
}

/** `account1`, or the next one that is free. */
function nextName(taken: readonly string[]): string {
  const used = new Set(taken.map((alias) => alias.toLowerCase()));
  let number = taken.length + 1;
  while (used.has(`account${number}`)) number++;
  return `account${number}`;
}

/** False where a browser probably cannot open a window, as over SSH. */
function hasBrowser(env: SetUp["context"]["deps"]["env"]): boolean {
  if (process.platform === "darwin") return !env.SSH_CONNECTION;
  return Boolean(env.DISPLAY || env.WAYLAND_DISPLAY);
}
