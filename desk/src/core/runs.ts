/** Run-length code of labels: [value, length, value, length, ...]. */
export function encodeRuns(labels: Uint8Array): number[] {
  const runs: number[] = [];
  let start = 0;
  while (start < labels.length) {
    const value = labels[start];
    let end = start + 1;
    while (end < labels.length && labels[end] === value) end++;
    runs.push(value, end - start);
    start = end;
  }
  return runs;
}

/** The labels of a run-length code; an error where the lengths do not sum to `size` or a value is no label. */
export function decodeRuns(runs: readonly number[], size: number): Uint8Array {
  const labels = new Uint8Array(size);
  let at = 0;
  for (let index = 0; index < runs.length; index += 2) {
    const value = runs[index];
    const length = runs[index + 1] ?? -1;
    if (!Number.isInteger(value) || value < 0 || value > 255 || !Number.isInteger(length) || length < 1) {
      throw new RangeError(`expected pairs of a label (0 to 255) and a length, found ${value} and ${length}`);
    }
    if (at + length > size) throw new RangeError(`expected runs over ${size} pixels, found more`);
    labels.fill(value, at, at + length);
    at += length;
  }
  if (at !== size) throw new RangeError(`expected runs over ${size} pixels, found ${at}`);
  return labels;
}
