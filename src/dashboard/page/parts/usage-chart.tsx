// The usage over time as stacked bars. The arrow keys and the pointer choose one of the parts; every figure is in the
// table below as well.

import { useEffect, useRef, useState } from "preact/hooks";
import { axisTicks, labelledParts } from "./chart-scale.ts";
import { colourOf, patternOf } from "./series-mark.tsx";

export interface ChartSeries {
  readonly name: string;
  /** One for each part of the period. */
  readonly values: readonly number[];
}

export interface UsageChartProps {
  /** What the chart shows, for screen readers. */
  readonly title: string;
  readonly series: readonly ChartSeries[];
  /** Below each part. */
  readonly labels: readonly string[];
  readonly tick: (value: number, step: number) => string;
  /** The smallest distance between two values at the side. */
  readonly leastTick: number;
  readonly chosen: number | undefined;
  readonly choose: (index: number | undefined) => void;
  /** A part and its figures, in words. */
  readonly partText: (index: number) => string;
}

export function UsageChart(props: UsageChartProps) {
  const { title, labels, chosen, choose, partText } = props;
  const frame = useRef<HTMLDivElement>(null);
  const width = useWidth(frame);
  const last = labels.length - 1;
  const partWidth = (width - LEFT - RIGHT) / labels.length;
  const point = ({ clientX, currentTarget }: PointerEvent & { readonly currentTarget: HTMLElement }) => {
    const index = Math.floor((clientX - currentTarget.getBoundingClientRect().left - LEFT) / partWidth);
    choose(index >= 0 && index <= last ? index : undefined);
  };
  const press = (event: KeyboardEvent) => {
    const at = chosen ?? last + 1;
    const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
    if (event.key === "Escape") return choose(undefined);
    if (next === undefined) return;
    event.preventDefault();
    choose(Math.min(last, Math.max(0, next)));
  };
  return (
    <div
      ref={frame}
      class="chart"
      role="slider"
      tabIndex={0}
      aria-label={title}
      aria-orientation="horizontal"
      aria-valuemin={1}
      aria-valuemax={labels.length}
      aria-valuenow={(chosen ?? last) + 1}
      aria-valuetext={partText(chosen ?? last)}
      onPointerMove={point}
      onPointerDown={point}
      onPointerLeave={({ pointerType }) => pointerType === "mouse" && choose(undefined)}
      onKeyDown={press}
      onBlur={() => choose(undefined)}
    >
      {width > 0 && <Bars {...props} width={width} partWidth={partWidth} />}
    </div>
  );
}

// --- internal ---

const HEIGHT = 260;
const TOP = 10;
const BOTTOM = 24;
const LEFT = 48;
const RIGHT = 18;
const MOST_TICKS = 4;
const LABEL_WIDTH = 62;
const WIDEST_BAR = 72;
const NARROW_BAR = 6;

function Bars(props: UsageChartProps & { readonly width: number; readonly partWidth: number }) {
  const { series, labels, tick, leastTick, chosen, width, partWidth } = props;
  const sums = labels.map((_, index) => series.reduce((sum, { values }) => sum + (values[index] ?? 0), 0));
  const ticks = axisTicks(Math.max(...sums), MOST_TICKS, leastTick);
  const highest = ticks.at(-1) ?? 1;
  const bottom = HEIGHT - BOTTOM;
  const yOf = (value: number) => bottom - ((bottom - TOP) * value) / highest;
  const barWidth = Math.min(WIDEST_BAR, partWidth < 6 ? partWidth * 0.8 : partWidth * 0.7);
  const middleOf = (index: number) => LEFT + partWidth * (index + 0.5);
  return (
    <svg width={width} height={HEIGHT} aria-hidden="true" focusable="false">
      {ticks.map((value) => (
        <g key={value}>
          <line class="grid" x1={LEFT} x2={width - RIGHT} y1={yOf(value)} y2={yOf(value)} />
          <text x={LEFT - 8} y={yOf(value)} dy="0.35em" text-anchor="end">
            {tick(value, ticks[1] ?? 1)}
          </text>
        </g>
      ))}
      {chosen !== undefined && (
        <rect
          class="chosen"
          x={middleOf(chosen) - partWidth / 2}
          y={TOP}
          width={partWidth}
          height={bottom - TOP}
        />
      )}
      {labels.map((label, index) => {
        let below = 0;
        return (
          <g key={label + String(index)}>
            {series.map(({ name, values }, rank) => {
              const value = values[index] ?? 0;
              if (value <= 0) return null;
              const y = yOf(below + value);
              const height = yOf(below) - y;
              below += value;
              return (
                <rect
                  key={name}
                  // A pattern on a narrow bar is only noise.
                  {...(barWidth < NARROW_BAR ? { class: colourOf(rank) } : { fill: patternOf(rank) })}
                  x={middleOf(index) - barWidth / 2}
                  y={y}
                  width={barWidth}
                  // A gap between two series, if there is room for it.
                  height={height > 3 ? height - 1 : height}
                />
              );
            })}
          </g>
        );
      })}
      {labelledParts(labels.length, partWidth, LABEL_WIDTH).map((index) => (
        <text
          key={index}
          x={Math.min(middleOf(index), width - LABEL_WIDTH / 3)}
          y={HEIGHT - 6}
          text-anchor="middle"
        >
          {labels[index]}
        </text>
      ))}
    </svg>
  );
}

/** The width of the element; 0 until it is known. */
function useWidth(ref: { readonly current: HTMLElement | null }): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = ref.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, [ref]);
  return width;
}
