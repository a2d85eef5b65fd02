// The simulated sign-in for a browser: e-mail, password, consent, and other screens in between. `POST
// /__mock/sign-in` chooses the scenario. Every account's password and TOTP secret are those below.

import { createHash } from "node:crypto";
import { type Context, Hono } from "hono";
import { z } from "zod";
import { totpCode } from "../login/totp.ts";
import type { MockAccount } from "./accounts.ts";
import type { MockContext } from "./context.ts";
import { controlError } from "./control-error.ts";

export const MOCK_PASSWORD = "mock-password";
export const MOCK_TOTP_SECRET = "JBSWY3DPEHPK3PXP";

const SCENARIOS = [
  "plain",
  /** A script adds the fields late. */
  "slow",
  /** A code is requested first, with the password as an alternative. */
  "use_password",
  "totp",
  /** Every password is rejected, with an unknown message. */
  "password_again",
  "totp_again",
  "captcha",
  /** A CAPTCHA that is solved after a while. */
  "captcha_solved",
  "email_code",
  "passkey",
  "locked",
  "unexpected",
] as const;
export type SignInScenario = (typeof SCENARIOS)[number];

/** The login that a code is exchanged for. */
interface Grant {
  readonly account: MockAccount;
  readonly challenge: string;
}

export interface SignIn {
  readonly routes: Hono;
  /** The account of `code` if `verifier` matches (RFC 7636). Each code works once. */
  redeem(code: string, verifier: string): MockAccount | undefined;
}

export function createSignIn({ accounts, clock }: MockContext): SignIn {
  const grants = new Map<string, Grant>();
  let scenario: SignInScenario = "plain";
  let serial = 0;
  const app = new Hono();

  app.post("/__mock/sign-in", async (c) => {
    const asked = z
      .object({ scenario: z.enum(SCENARIOS) })
      .safeParse(await c.req.json().catch(() => undefined));
    if (!asked.success)
      return controlError(
        "the scenario is not known",
        `send {"scenario": "NAME"} with one of: ${SCENARIOS.join(", ")}`,
      );
    scenario = asked.data.scenario;
    return c.json({ ok: true });
  });

  app.get("/oauth/authorize", (c) => {
    const query = new URL(c.req.url).search;
    const first = form(
      "/sign-in/email",
      query,
      `<label>Email <input type="email" name="email"></label>`,
      "Continue",
    );
    if (scenario === "captcha" || scenario === "captcha_solved")
      return page(
        c,
        "One moment",
        `<div id="box"><p>Verify you are human</p><div id="captcha"></div></div>${scenario === "captcha" ? "" : later("box", first)}`,
      );
    return page(c, "Welcome back", first);
  });

  app.post("/sign-in/email", async (c) => {
    const { email, query } = await fieldsOf(c);
    switch (scenario) {
      case "locked":
        return page(c, "Sorry", "<p>Your account has been locked.</p>");
      case "email_code":
        return page(c, "Check your email", `<p>Enter the code we sent to you</p><input name="code">`);
      case "passkey":
        return page(c, "One more thing", "<p>Sign in with your passkey</p>");
      case "unexpected":
        return page(c, "A survey", "<p>How do you like it?</p>");
      case "use_password":
        return page(
          c,
          "Check your email",
          `<p>Enter the code we sent to you</p>${form("/sign-in/password-page", query, hidden("email", email), "Use password")}`,
        );
      default:
        return passwordPage(c, email, query);
    }
  });

  app.post("/sign-in/password-page", async (c) => {
    const { email, query } = await fieldsOf(c);
    return passwordPage(c, email, query);
  });

  app.post("/sign-in/password", async (c) => {
    const { email, query, password } = await fieldsOf(c);
    const known = accounts.all.some((account) => account.email === email);
    if (!known || password !== MOCK_PASSWORD)
      return page(c, "Enter your password", "<p role=alert>Incorrect email address or password</p>");
    if (scenario === "password_again")
      return passwordPage(c, email, query, "<p>Let us try that once more</p>");
    if (scenario === "totp" || scenario === "totp_again") return codePage(c, email, query);
    return consentPage(c, email, query);
  });

  app.post("/sign-in/totp", async (c) => {
    const { email, query, code } = await fieldsOf(c);
    const now = clock.now();
    if (scenario === "totp_again") return codePage(c, email, query, "<p>Let us try that once more</p>");
    if (![now, now - 30_000].some((at) => totpCode(MOCK_TOTP_SECRET, at) === code))
      return page(c, "Two-factor authentication", "<p role=alert>That code is wrong</p>");
    return consentPage(c, email, query);
  });

  app.post("/sign-in/consent", async (c) => {
    const { email, query } = await fieldsOf(c);
    const account = accounts.all.find((one) => one.email === email);
    const asked = new URLSearchParams(query);
    const redirect = asked.get("redirect_uri") ?? "";
    // Like the real one, it redirects only to loopback.
    if (account === undefined || !/^http:\/\/(?:127\.0\.0\.1|localhost):1(?:455|457)\//.test(redirect))
      return c.text("bad request", 400);
    const code = `mock-grant-${++serial}`;
    grants.set(code, { account, challenge: asked.get("code_challenge") ?? "" });
    const answer = new URLSearchParams({ code, state: asked.get("state") ?? "" });
    return c.redirect(`${redirect}?${answer}`);
  });

  const passwordPage = (c: Context, email: string, query: string, words = "") => {
    const field = `${hidden("email", email)}<label>Password <input type="password" name="password"></label>`;
    const whole = words + form("/sign-in/password", query, field, "Continue");
    const content = scenario === "slow" ? `<div id="box"></div>${later("box", whole)}` : whole;
    return page(c, "Enter your password", content);
  };

  return {
    routes: app,
    redeem: (code, verifier) => {
      const grant = grants.get(code);
      grants.delete(code);
      const challenge = createHash("sha256").update(verifier).digest("base64url");
      return grant?.challenge === challenge ? grant.account : undefined;
    },
  };
}

// --- internal ---

/** Longer than the interval at which a login looks at the page. */
const LATE_MS = 1_500;

function consentPage(c: Context, email: string, query: string) {
  return page(
    c,
    "Sign in to Codex",
    `<p>Codex asks for access</p>${form("/sign-in/consent", query, hidden("email", email), "Authorize")}`,
  );
}

function codePage(c: Context, email: string, query: string, words = "") {
  const field = `<label>Code of your authenticator app <input name="code" inputmode="numeric" autocomplete="one-time-code"></label>`;
  return page(
    c,
    "Two-factor authentication",
    words + form("/sign-in/totp", query, hidden("email", email) + field, "Verify"),
  );
}

async function fieldsOf(c: Context): Promise<Record<"email" | "query" | "password" | "code", string>> {
  const fields = new URLSearchParams(await c.req.text());
  const of = (name: string) => fields.get(name) ?? "";
  return { email: of("email"), query: of("query"), password: of("password"), code: of("code") };
}

function form(action: string, query: string, content: string, submit: string): string {
  return `<form method="post" action="${action}">${hidden("query", query)}${content}<button type="submit">${submit}</button></form>`;
}

/** Puts `content` into the element `id` after a while. */
function later(id: string, content: string): string {
  return `<script>setTimeout(() => { document.getElementById("${id}").innerHTML = ${JSON.stringify(content)}; }, ${LATE_MS});</script>`;
}

function hidden(name: string, value: string): string {
  return `<input type="hidden" name="${name}" value="${Bun.escapeHTML(value)}">`;
}

function page(c: Context, title: string, body: string) {
  return c.html(`<!doctype html><title>${title}</title><h1>${title}</h1>${body}`);
}
