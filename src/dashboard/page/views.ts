// The views of the page, by the name in the address.

export const VIEWS = [
  { name: "accounts", title: "Accounts" },
  { name: "activity", title: "Activity" },
  { name: "explain", title: "Next turn" },
  { name: "usage", title: "Usage" },
  { name: "forecast", title: "Forecast" },
  { name: "log", title: "Log" },
  { name: "proxies", title: "Proxies" },
  { name: "settings", title: "Settings" },
] as const;

export type ViewName = (typeof VIEWS)[number]["name"];

export function isViewName(name: string): name is ViewName {
  return VIEWS.some((view) => view.name === name);
}
