import { expect, test } from "bun:test";
import { dashboardProblem } from "../../src/dashboard/problem.ts";

const on = { enabled: true, remote: false };
const loopback = { host: "127.0.0.1", port: 8765 };

test("the dashboard is on by default, on loopback only", () => {
  expect(dashboardProblem(on, loopback)).toBeUndefined();
  expect(dashboardProblem(on, { host: "::1", port: 1 })).toBeUndefined();
  for (const host of ["0.0.0.0", "::", "10.0.0.2", "proxy.lan"]) {
    expect(dashboardProblem(on, { host, port: 1 })?.code).toBe("dashboard_off");
    expect(dashboardProblem({ ...on, remote: true }, { host, port: 1 })).toBeUndefined();
  }
});

test("dashboard.enabled = false turns it off everywhere", () => {
  expect(dashboardProblem({ enabled: false, remote: true }, loopback)?.message).toContain(
    "dashboard.enabled",
  );
});
