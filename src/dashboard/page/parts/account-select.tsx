// A choice of one account or child proxy, or of all.

import type { StatusAnswer } from "../../../core/status-schema.ts";

export function AccountSelect(props: {
  /** The chosen name; "": all. */
  readonly value: string;
  readonly names: Iterable<string>;
  readonly choose: (name: string) => void;
}) {
  const { value, names, choose } = props;
  const offered = new Set(names);
  // The chosen account may have been removed.
  if (value !== "") offered.add(value);
  return (
    <label>
      <span>Account</span>
      <select value={value} onChange={({ currentTarget }) => choose(currentTarget.value)}>
        <option value="">all</option>
        {[...offered].map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

/** The names under which the proxy records what it does: those of its own accounts and of its child proxies. */
export function upstreamsOf({
  accounts,
  child_proxies: children,
  proxy_name: ownName,
}: StatusAnswer): string[] {
  const own = accounts.filter(({ proxy_name: owner }) => owner === "" || owner === ownName);
  return [...own.map(({ alias }) => alias), ...children.map(({ name, url }) => name || url)];
}
