// The start of the dashboard's page.

import { render } from "preact";
import { App } from "./app.tsx";
import { createLive } from "./live.ts";
import { onNewSession, startSession } from "./session.ts";
import "./style.css";
import { applyTheme, storedTheme } from "./theme.ts";
import { isViewName } from "./views.ts";

applyTheme(storedTheme());
const live = createLive();
const page = document.getElementById("page");
if (page !== null) render(<App live={live} />, page);
onNewSession(live.start);

const start = async (): Promise<void> => {
  try {
    await startSession(isViewName);
    live.start();
  } catch (error) {
    live.end(error instanceof Error ? error.message : String(error));
  }
};
// A link that is pasted into an open page changes only the hash.
addEventListener("hashchange", () => {
  const name = location.hash.slice(1);
  if (name !== "" && !isViewName(name)) void start();
});
await start();
