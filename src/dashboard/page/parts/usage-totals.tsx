// The sums of a period.

import type { ComponentChildren } from "preact";
import type { UsageReport } from "../../../core/usage-report.ts";
import { compactNumber, costText, shareText, shortDuration, tokensOf } from "../../../core/usage-words.ts";

export function UsageTotals({ report: { total } }: { readonly report: UsageReport }) {
  const { turns, failed, input_tokens: input, output_tokens: output, first_output_ms: firstMs } = total;
  return (
    <section class="pool" aria-label="Sums">
      <Sum label="Turns" value={String(turns)}>
        {failed} failed
      </Sum>
      <Sum label="Tokens" value={compactNumber(tokensOf(total))}>
        input and output
      </Sum>
      <Sum label="Input" value={compactNumber(input)}>
        {compactNumber(total.cached_input_tokens)} cached ({shareText(total.cached_input_tokens, input)})
      </Sum>
      <Sum label="Output" value={compactNumber(output)}>
        {compactNumber(total.reasoning_tokens)} reasoning
      </Sum>
      <Sum label="First output" value={firstMs === null ? "-" : shortDuration(firstMs)}>
        on average
      </Sum>
      <Sum label="Estimated cost" value={costText(total)}>
        at API prices
      </Sum>
    </section>
  );
}

// --- internal ---

function Sum(props: {
  readonly label: string;
  readonly value: string;
  readonly children: ComponentChildren;
}) {
  return (
    <div class="fact sum">
      <span class="label">{props.label}</span>
      <strong>{props.value}</strong>
      <span class="label">{props.children}</span>
    </div>
  );
}
