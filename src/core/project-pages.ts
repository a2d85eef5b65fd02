// The project's pages on the web, for messages. An installed copy has no docs directory.

const PROJECT = "https://github.com/gngeorgiev/codexlb";

/** What to do about a bug in codexlb. */
export const REPORT_BUG = `this is a bug in codexlb; please report it at ${PROJECT}/issues`;

/** The newest release, as `codexlb upgrade --from` takes it. */
export const NEWEST_RELEASE = `${PROJECT}/releases/latest/download`;

/** The page `docs/NAME.md`. */
export function docsPage(name: string): string {
  return `${PROJECT}/blob/main/docs/${name}.md`;
}
