// The files of the dashboard's page. The executable contains them; a run from the sources builds them at first use.

import type { PageFiles } from "./build-page.ts";

declare const CODEXLB_PAGE_SCRIPT: string | undefined;
declare const CODEXLB_PAGE_STYLE: string | undefined;

/** The page without its content, which the script makes. */
export const INDEX_HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="dark light">
<title>codexlb</title>
<link rel="icon" type="image/svg+xml" href="icon.svg">
<link rel="stylesheet" href="page.css">
<script type="module" src="page.js"></script>
</head>
<body><div id="page"><noscript>The dashboard needs JavaScript.</noscript></div></body>
</html>
`;

/** Three bars, like the windows of an account. */
export const ICON_SVG = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="4" fill="#0f766e"/><path d="M3 5h10M3 8h7M3 11h4" stroke="#fff" stroke-width="2"/></svg>
`;

/** The script and the style sheet. */
export async function pageFiles(): Promise<PageFiles> {
  if (typeof CODEXLB_PAGE_SCRIPT === "string" && typeof CODEXLB_PAGE_STYLE === "string")
    return { script: CODEXLB_PAGE_SCRIPT, style: CODEXLB_PAGE_STYLE };
  built ??= import("./build-page.ts").then(({ buildPage }) => buildPage());
  return built;
}

// --- internal ---

let built: Promise<PageFiles> | undefined;
