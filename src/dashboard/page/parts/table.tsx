// A table whose rows become cards on a narrow screen. The roles are explicit, because a browser drops them when the
// style sheet changes how a table is laid out.

import type { ComponentChildren } from "preact";

export interface Column {
  readonly heading: string;
  /** `number`: aligned to the right. */
  readonly kind?: "number" | "text";
}

export interface TableRow {
  readonly key: string;
  readonly class?: string;
  /** One for each column. */
  readonly cells: readonly ComponentChildren[];
}

export function Table(props: {
  readonly caption: string;
  readonly columns: readonly Column[];
  readonly rows: readonly TableRow[];
}) {
  const { caption, columns, rows } = props;
  const classOf = (index: number) => (columns[index]?.kind === "number" ? "number" : undefined);
  return (
    <table role="table" aria-label={caption}>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map(({ heading }, index) => (
            <th key={heading} role="columnheader" scope="col" class={classOf(index)}>
              {heading}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => (
          <tr key={row.key} role="row" class={row.class}>
            {row.cells.map((cell, index) => (
              <td
                key={columns[index]?.heading}
                role="cell"
                class={classOf(index)}
                data-heading={columns[index]?.heading}
              >
                {cell}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
