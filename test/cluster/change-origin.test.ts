// Where an operator has changed something, as the other replicas show it.

import { expect, test } from "bun:test";
import { eventText } from "../../src/core/event-words.ts";
import { logEventIn } from "../../src/core/log-event.ts";
import { until } from "../support/pool.ts";
import { whyNoRedis } from "../support/redis.ts";
import { done, type Replica, startReplicas } from "../support/replicas.ts";

const NAMES = ["lab", "office"];
const LIMIT_MS = 20_000;

/** The log as a person reads it. */
const logOf = async (replica: Replica): Promise<string[]> => {
  const { out } = await done(replica.run("proxy", "logs", "--tail", "0"));
  return out.split("\n").flatMap((line) => {
    const event = logEventIn(line);
    return event === undefined ? [] : [eventText(event, "→")];
  });
};

interface StatusText {
  readonly accounts: readonly { readonly alias: string; readonly disabled_on?: string }[];
}

const disabledOn = async (replica: Replica, alias: string): Promise<string | undefined> => {
  const { accounts } = JSON.parse((await done(replica.run("status", "--json"))).out) as StatusText;
  return accounts.find((one) => one.alias === alias)?.disabled_on;
};

test.skipIf(whyNoRedis !== undefined)(
  "a replica names the other one on which an operator has made a change",
  async () => {
    await using pool = await startReplicas({
      aliases: ["alice", "bob", "carol"],
      count: 2,
      env: (index) => ({ CODEXLB_PROXY_NAME: NAMES[index]! }),
    });
    const [lab, office] = pool.list as [Replica, Replica];
    const commands = [
      ["pin", "alice"],
      ["unpin"],
      ["disable", "bob"],
      ["enable", "bob"],
      ["drain", "bob"],
      ["set", "bob", "--priority", "3"],
      ["rm", "carol"],
      ["disable", "alice"],
    ];
    const shown = [
      "pinned by you on office",
      "pin removed by you on office",
      "disabled by you on office",
      "enabled by you on office",
      "draining, set on office (no new sessions)",
      "settings changed by you on office",
      "removed on office",
    ];
    for (const [index, command] of commands.entries()) {
      await done(office.run("account", ...command));
      const words = shown[index] ?? shown[2]!;
      await until(`lab shows: ${words}`, async () => (await logOf(lab)).includes(words), LIMIT_MS);
    }
    await until("lab has the change", async () => (await disabledOn(lab, "alice")) === "office", LIMIT_MS);
    expect(await disabledOn(office, "alice")).toBeUndefined();
    expect((await logOf(office)).filter((line) => line.includes("on office"))).toEqual([]);
    expect((await done(lab.run("account", "show", "alice"))).out).toContain("replica=office");
    await lab.stop();
    await lab.start();
    expect(await disabledOn(lab, "alice")).toBe("office");
  },
  120_000,
);
