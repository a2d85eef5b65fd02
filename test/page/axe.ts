// Checks the accessibility of a page with axe-core.

import axe from "axe-core";
import type { Page } from "playwright-core";

/** The rules of WCAG 2.2 at levels A and AA, and what axe-core recommends. */
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** The violations on the page, each with the elements that have it. */
export async function violationsOn(page: Page): Promise<string[]> {
  // Evaluated, because the page's content security policy allows no script tags of others.
  await page.evaluate(axe.source);
  return page.evaluate(async (tags) => {
    const { axe: loaded } = globalThis as unknown as { axe: typeof axe };
    const { violations } = await loaded.run({ runOnly: tags });
    return violations.map(
      ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html.slice(0, 200)).join(" | ")}`,
    );
  }, TAGS);
}
