// A choice of one account, or of all.

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
