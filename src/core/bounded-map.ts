// A map whose size is limited, and functions that remember their results in one.

/** A map of at most `most` entries. Setting an entry makes it the newest; when the map is full, the oldest entry is removed. */
export class BoundedMap<Key, Value> extends Map<Key, Value> {
  readonly #most: number;

  constructor(most: number) {
    super();
    this.#most = most;
  }

  override set(key: Key, value: Value): this {
    this.delete(key);
    super.set(key, value);
    if (this.size > this.#most) {
      const [oldest] = this.keys();
      this.delete(oldest as Key);
    }
    return this;
  }
}

/** Longer texts are not remembered, because others choose them. */
const LONGEST_REMEMBERED = 512;

/** `compute`, which must be pure, with the results for the `most` newest texts remembered. */
export function remembered<Value>(most: number, compute: (text: string) => Value): (text: string) => Value {
  const results = new BoundedMap<string, { readonly value: Value }>(most);
  return (text) => {
    const known = results.get(text);
    if (known !== undefined) return known.value;
    const value = compute(text);
    if (text.length <= LONGEST_REMEMBERED) results.set(text, { value });
    return value;
  };
}
