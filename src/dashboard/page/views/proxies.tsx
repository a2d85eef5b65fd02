// The tree of proxies: this one, and its child proxies with theirs. Below it, the replicas of the pool.

import type { StateLevel } from "../../../core/account-state.ts";
import { childWords } from "../../../core/child-words.ts";
import { replicaWords } from "../../../core/cluster-words.ts";
import { counted } from "../../../core/count-words.ts";
import { choiceWords } from "../../../core/reason-words.ts";
import type { ChildAnswer, StatusAnswer } from "../../../core/status-schema.ts";
import { ago } from "../../../core/time-words.ts";
import type { ProxyFacts } from "../../messages.ts";
import { StateMark } from "../parts/state-mark.tsx";
import { Table } from "../parts/table.tsx";

export interface ProxiesProps {
  readonly status: StatusAnswer;
  readonly proxy: ProxyFacts;
  readonly nowMs: number;
}

export function ProxiesView({ status, proxy, nowMs }: ProxiesProps) {
  const { child_proxies: children } = status;
  const own = status.accounts.filter(({ proxy_name: owner }) => owner === "" || owner === status.proxy_name);
  return (
    <>
      <h2 class="hidden">Proxies</h2>
      <ul class="tree">
        <li>
          <div class="proxy">
            <strong>{proxy.name}</strong>
            <StateMark level="good">this proxy</StateMark>
            <span class="muted">
              version {proxy.version}, started {ago(proxy.startedMs, nowMs)}, {counted(own.length, "account")}
            </span>
          </div>
          {children.length > 0 && <Children nodes={children} status={status} nowMs={nowMs} />}
        </li>
      </ul>
      {children.length === 0 && (
        <p class="empty small">
          No child proxies. <code>proxy.child_proxy_urls</code> in config.toml names them.
        </p>
      )}
      <Replicas status={status} nowMs={nowMs} />
    </>
  );
}

// --- internal ---

function Replicas({ status, nowMs }: Pick<ProxiesProps, "status" | "nowMs">) {
  const replicas = replicaWords(status, nowMs);
  if (replicas.length === 0) return null;
  return (
    <section>
      <h2>Replicas of the pool {status.cluster?.pool}</h2>
      <Table
        caption="Replicas"
        columns={[{ heading: "Replica" }, { heading: "State" }, { heading: "Version" }]}
        rows={replicas.map(({ id, name, state, version, isConnected }) => ({
          key: id,
          cells: [
            <strong key="name">{name}</strong>,
            <StateMark key="state" level={isConnected ? "good" : "low"}>
              {state}
            </StateMark>,
            version,
          ],
        }))}
      />
    </section>
  );
}

function Children(props: {
  readonly nodes: readonly ChildAnswer[];
  readonly status: StatusAnswer;
  readonly nowMs: number;
}) {
  const { nodes, status, nowMs } = props;
  return (
    <ul>
      {nodes.map((child) => (
        <li key={child.url}>
          <div class="proxy">
            <strong>{child.name || child.url}</strong>
            <StateMark level={levelOf(child)}>{childWords(child, nowMs)}</StateMark>
            <span class="muted">
              {[
                child.url,
                counted(
                  status.accounts.filter(({ proxy_name: owner }) => owner === child.name).length,
                  "account",
                ),
                ...(child.in_flight === undefined ? [] : [`${child.in_flight} in flight`]),
                ...(child.selected_target ? [`next ${child.selected_target}${reasonOf(child)}`] : []),
              ].join(", ")}
            </span>
            {child.last_error !== undefined && (
              <span class="failure">
                {child.last_error}
                {child.next === undefined ? "" : `; ${child.next}`}
              </span>
            )}
          </div>
          {(child.child_proxies ?? []).length > 0 && (
            <Children nodes={child.child_proxies ?? []} status={status} nowMs={nowMs} />
          )}
        </li>
      ))}
    </ul>
  );
}

function levelOf({ reachable, healthy, cooldown_seconds: seconds }: ChildAnswer): StateLevel {
  if (!reachable) return "bad";
  return seconds > 0 || !healthy ? "low" : "good";
}

function reasonOf({ selection_reason: reason }: ChildAnswer): string {
  return reason ? ` (${choiceWords(reason)})` : "";
}
