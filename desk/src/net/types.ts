import type { Box, Size } from "../core/geometry";

/** What the server sends; the fields are described in the desk's OpenAPI page. */

export interface LabelClass {
  index: number;
  name: string;
  colour: string;
}

export interface Session {
  reader: string;
  role: string;
  csrf: string;
  blind: boolean;
  project: { name: string; kind: string };
  classes: LabelClass[];
  counts: { total: number; reviewed: number };
  has_model: boolean;
  notes?: string[];
}

export interface QueueItem {
  id: number;
  name: string;
  patient: string | null;
  side: string | null;
  view: string | null;
  status: string;
  score: number | null;
  reasons: string[];
}

export interface QueuePage {
  total: number;
  reviewed: number;
  items: QueueItem[];
}

export interface ServerWindow {
  name: string;
  kind: "linear" | "linear_exact" | "sigmoid" | "table";
  center: number;
  width: number;
  table?: number[];
}

export interface LesionVerdict {
  component: number | string;
  verdict: string;
  comment: string;
}

export type VerdictName = "accept" | "correct" | "reject" | "no_lesion" | "unsure";

export interface Verdict {
  verdict: VerdictName;
  likert: number | null;
  comment: string;
  lesions: LesionVerdict[];
}

export interface Item extends Size {
  id: number;
  name: string;
  patient: string | null;
  side: string | null;
  view: string | null;
  bits: number;
  minimum: number;
  maximum: number;
  inverted: boolean;
  spacing_mm: [number, number] | null;
  windows: ServerWindow[];
  tile_size: number;
  levels: (Size & { level: number })[];
  image_sha256: string;
  mask: { version: number; sha256: string };
  draft: { present: boolean; hidden: boolean };
  verdict: (Verdict & { reader?: string; at?: string }) | null;
  versions: number;
  status: string;
  reasons: string[];
  /** What blind readers said and drew, where the desk is for a consensus. */
  readers?: Reading[];
}

export type Reading = Verdict & { reader: string; at: string };

export interface Mask {
  version: number;
  labels: Uint8Array;
}

/** What a tool of the server would change; the box is null where it would change nothing. */
export interface Patch {
  box: Box | null;
  runs: number[];
}

export interface Version {
  version: number;
  reader: string;
  at: string;
  tool: string;
  sha256: string;
  current: boolean;
}

export interface Component {
  id: number | string;
  label: number;
  box: Box;
  area_px: number;
  centre: [number, number];
}

export interface Views {
  views: { id: number; side: string; view: string; name: string }[];
  previous: { id: number; date: string; side: string; view: string; name?: string }[];
}

export interface Preferences {
  window?: ServerWindow | null;
  inverted?: boolean;
  opacity?: number;
  outline?: boolean;
  radius?: number;
  order?: string;
}
