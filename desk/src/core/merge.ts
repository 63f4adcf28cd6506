/** Labels that hold the changes of two sides, and how many pixels both sides changed in different ways. */
export interface Merged {
  labels: Uint8Array;
  disputed: number;
}

/**
 * Three-way merge of two masks that grew from one.
 *
 * A pixel that one side changed takes that side's label. Where both changed it and differ, `mine` stays: it is what the
 * reader at this screen drew and sees.
 */
export function merge(base: Uint8Array, mine: Uint8Array, theirs: Uint8Array): Merged {
  const labels = mine.slice();
  let disputed = 0;
  for (let at = 0; at < labels.length; at++) {
    if (mine[at] === base[at]) labels[at] = theirs[at]!;
    else if (theirs[at] !== base[at] && theirs[at] !== mine[at]) disputed++;
  }
  return { labels, disputed };
}

/** Whether two masks hold the same labels. */
export function same(first: Uint8Array, second: Uint8Array): boolean {
  return first.length === second.length && first.every((value, at) => value === second[at]);
}
