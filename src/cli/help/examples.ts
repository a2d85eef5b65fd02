// The examples in the helps and in the manual page.

/** A command line for a shell, and what it is for. */
export interface Example {
  /** The full name of the command that shows it, such as `codexlb account rm`. */
  readonly command: string;
  /** Without a full stop. Both texts fit a terminal of 80 columns. */
  readonly purpose: string;
  readonly line: string;
}

export const EXAMPLES: readonly Example[] = [
  {
    command: "codexlb init",
    purpose: "Set everything up, or continue after an interruption",
    line: "codexlb init",
  },
  {
    command: "codexlb init",
    purpose: "Set up a machine in a script, without a test turn",
    line: "codexlb init --yes --service --no-turn",
  },
  {
    command: "codexlb account import",
    purpose: "Enrol the account that Codex is logged in to",
    line: "codexlb account import main",
  },
  {
    command: "codexlb account import",
    purpose: "Show what would be enrolled from another program",
    line: "codexlb account import --dry-run --from ~/.cli-proxy-api",
  },
  {
    command: "codexlb account export",
    purpose: "Give a login back to Codex, and remove it from codexlb",
    line: "codexlb account export second --to ~/.codex && codexlb account rm second",
  },
  {
    command: "codexlb account login",
    purpose: "Enrol a second account, in the browser",
    line: "codexlb account login second",
  },
  {
    command: "codexlb account login",
    purpose: "Enrol it on a machine without a browser",
    line: "codexlb account login second --device-auth",
  },
  {
    command: "codexlb run",
    purpose: "Start Codex with all accounts",
    line: "codexlb run",
  },
  {
    command: "codexlb run",
    purpose: "Run Codex in a script, with one account",
    line: 'codexlb run --account second exec --skip-git-repo-check "say hello"',
  },
  {
    command: "codexlb run",
    purpose: "Continue a thread of Codex",
    line: "codexlb run resume --last",
  },
  {
    command: "codexlb proxy start",
    purpose: "Keep a proxy running in the background",
    line: "codexlb proxy start",
  },
  {
    command: "codexlb proxy logs",
    purpose: "Follow the switches and failures of one account",
    line: "codexlb proxy logs --follow --account second",
  },
  {
    command: "codexlb service install",
    purpose: "Start the proxy whenever you log in",
    line: "codexlb service install",
  },
  {
    command: "codexlb status",
    purpose: "Watch the limits of all accounts",
    line: "codexlb status --watch",
  },
  {
    command: "codexlb status",
    purpose: "Show one line in the status bar of tmux",
    line: "tmux set -g status-right '#(codexlb status --short)'",
  },
  {
    command: "codexlb usage",
    purpose: "Find out what each project used this month, and an estimate of its cost",
    line: "codexlb usage --by project --since 30d",
  },
  {
    command: "codexlb simulate",
    purpose: "Find out which plan you can cancel",
    line: "codexlb simulate --since 4w",
  },
  {
    command: "codexlb simulate",
    purpose: "Find out whether one Pro account could replace two Plus accounts",
    line: "codexlb simulate --accounts=-alice,-bob,+pro",
  },
  {
    command: "codexlb explain",
    purpose: "Find out which account gets the next turn, and why",
    line: "codexlb explain",
  },
  {
    command: "codexlb dashboard",
    purpose: "Open the dashboard in the browser",
    line: "codexlb dashboard",
  },
  {
    command: "codexlb dashboard",
    purpose: "Print a link, for a browser at the other end of an SSH tunnel",
    line: "codexlb dashboard --print",
  },
  {
    command: "codexlb account pin",
    purpose: "Use one account for everything, until codexlb account unpin",
    line: "codexlb account pin second",
  },
  {
    command: "codexlb account redeem",
    purpose: "Reset the limits of an account with a saved reset",
    line: "codexlb account redeem second",
  },
  {
    command: "codexlb account drain",
    purpose: "Start no new sessions on these accounts",
    line: "codexlb account drain second third",
  },
  {
    command: "codexlb key add",
    purpose: "Create a key for a laptop",
    line: "codexlb key add laptop",
  },
  {
    command: "codexlb key add",
    purpose: "Create a key with which Prometheus reads /metrics",
    line: "codexlb key add --role metrics prometheus",
  },
  {
    command: "codexlb key add",
    purpose: "Create a key that is limited in time, tokens and models",
    line: 'codexlb key add --expires 30d --tokens-per-day 5M --models "gpt-6*" guest',
  },
  {
    command: "codexlb key set",
    purpose: "Allow 60 turns per minute, and remove the token limit",
    line: "codexlb key set --rpm 60 --tokens-per-day none guest",
  },
  {
    command: "codexlb notify test",
    purpose: "Check that notifications arrive ([notify] in config.toml)",
    line: "codexlb notify test",
  },
  {
    command: "codexlb completions",
    purpose: "Complete commands and accounts in bash",
    line: "codexlb completions bash > ~/.local/share/bash-completion/completions/codexlb",
  },
  {
    command: "codexlb doctor",
    purpose: "Find out why something does not work",
    line: "codexlb doctor",
  },
  {
    command: "codexlb mock",
    purpose: "Simulate the failures that a JSON file describes",
    line: "codexlb mock --accounts alice,bob --faults faults.json",
  },
];

/** The examples that the help of `command` shows. */
export function examplesOf(command: string): readonly Example[] {
  return EXAMPLES.filter((example) => example.command === command);
}
