/** One line of a chart: a value for each epoch, null where there is none. */
export interface Line {
  name: string;
  values: readonly (number | null)[];
}

export interface Scale {
  low: number;
  high: number;
}

/** The range of all values, a little wider where they are all alike; null where there are none. */
export function scaleOf(lines: readonly Line[]): Scale | null {
  const values = lines.flatMap((line) => line.values).filter((value) => value !== null);
  if (values.length === 0) return null;
  const low = values.reduce((least, value) => Math.min(least, value), Infinity);
  const high = values.reduce((most, value) => Math.max(most, value), -Infinity);
  const room = high > low ? 0 : Math.max(Math.abs(low) * 0.05, 1e-6);
  return { low: low - room, high: high + room };
}

/** Points of a line in a frame, as SVG wants them; a missing value breaks the line. */
export function paths(line: Line, { low, high }: Scale, width: number, height: number): string[] {
  const step = line.values.length > 1 ? width / (line.values.length - 1) : 0;
  const parts: string[] = [];
  let part: string[] = [];
  for (const [at, value] of line.values.entries()) {
    if (value === null) {
      if (part.length > 0) parts.push(part.join(" "));
      part = [];
    } else
      part.push(`${(at * step).toFixed(1)},${(height - ((value - low) / (high - low)) * height).toFixed(1)}`);
  }
  if (part.length > 0) parts.push(part.join(" "));
  return parts;
}

/** Curves that belong on one chart: those of training and of validation, `x` and `val_x`. */
export function grouped(curves: Record<string, (number | null)[]>): [string, Line[]][] {
  const groups = new Map<string, Line[]>();
  for (const [name, values] of Object.entries(curves)) {
    const base = name.replace(/^val_/, "");
    groups.set(base, [...(groups.get(base) ?? []), { name, values }]);
  }
  return [...groups.entries()];
}
