// Where the dashboard is on the proxy's port.

/** Every path of the dashboard begins with it. No path of Codex does. */
export const DASHBOARD_PATH = "/_/";
