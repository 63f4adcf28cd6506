import type { Box } from "../core/geometry";
import type { TileAddress } from "../core/tiles";
import { keyOf } from "../core/tiles";
import type { Answer, PendingStroke } from "../core/strokes";
import { Refused } from "../core/strokes";
import type { Agreement } from "../pages/agreement";
import type { Comparison, Results } from "../pages/results";
import type * as T from "./types";

/** An answer of the server that is an error: its status and its own words. */
export class ServerError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly detail: Record<string, unknown> = {},
  ) {
    super(message);
  }
}

let csrf = "";

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const method = init.method ?? "GET";
  const headers = new Headers(init.headers);
  if (method !== "GET") headers.set("X-Desk-CSRF", csrf);
  if (typeof init.body === "string") headers.set("Content-Type", "application/json");
  const response = await fetch(`/api/${path}`, { ...init, headers, credentials: "same-origin" });
  if (response.ok) return response;
  const detail = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  const words = detail["error"] ?? detail["detail"] ?? response.statusText;
  throw new ServerError(response.status, typeof words === "string" ? words : JSON.stringify(words), detail);
}

async function read<R>(path: string, signal?: AbortSignal): Promise<R> {
  return (await (await ask(path, signal ? { signal } : {})).json()) as R;
}

async function send<R>(path: string, body: unknown, method = "POST"): Promise<R> {
  return (await (await ask(path, { method, body: JSON.stringify(body) })).json()) as R;
}

const of = (id: number, rest = "") => `items/${id}${rest}`;

async function labels(path: string): Promise<T.Mask> {
  const response = await ask(path);
  const version = Number(response.headers.get("X-Mask-Version") ?? "0");
  return { version, labels: new Uint8Array(await response.arrayBuffer()) };
}

export interface QueueWish {
  order: string;
  status: string;
  search: string;
  offset: number;
  limit: number;
}

export async function openSession(): Promise<T.Session> {
  const session = await read<T.Session>("session");
  csrf = session.csrf;
  return session;
}

export const login = (name: string, password: string) => send<unknown>("login", { name, password });
export const logout = () => send<unknown>("logout", {});

export function queue(wish: QueueWish, signal?: AbortSignal): Promise<T.QueuePage> {
  const words = new URLSearchParams(Object.entries(wish).map(([key, value]) => [key, String(value)]));
  return read<T.QueuePage>(`queue?${words.toString()}`, signal);
}

export function next(order: string, after: number | null): Promise<{ id: number | null }> {
  return read(`next?order=${encodeURIComponent(order)}${after !== null ? `&after=${after}` : ""}`);
}

export const item = (id: number) => read<T.Item>(of(id));
export const mask = (id: number, version?: number) =>
  labels(of(id, version === undefined ? "/mask" : `/mask?version=${version}`));
export const maskOf = (id: number, reader: string) =>
  labels(of(id, `/mask?of=${encodeURIComponent(reader)}`));
export const draft = (id: number) => labels(of(id, "/draft"));

export async function tile(id: number, address: TileAddress, signal: AbortSignal): Promise<ArrayBuffer> {
  return (await ask(of(id, `/tiles/${keyOf(address)}`), { signal })).arrayBuffer();
}

/** Send a stroke: `Refused` where the server will never take it, another error where it may later. */
export async function sendStroke(
  id: number,
  base: number,
  stroke: Pick<PendingStroke, "box" | "runs" | "tool">,
): Promise<Answer> {
  const { box, runs, tool } = stroke;
  try {
    const saved = await send<{ version: number }>(of(id, "/strokes"), {
      base_version: base,
      box,
      runs,
      tool,
    });
    return { kind: "saved", version: saved.version };
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    const { version, reader, at } = error.detail;
    if (error.status === 409 && typeof version === "number") {
      return { kind: "conflict", version, reader: asText(reader), at: asText(at) };
    }
    // A session that has ended, and a server in trouble, can take the stroke later.
    if (error.status === 401 || error.status === 429 || error.status >= 500) throw error;
    throw new Refused(error.message);
  }
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : "";
}

export const versions = (id: number) => read<T.Version[]>(of(id, "/versions"));
export const restore = (id: number, version: number, base: number) =>
  send<{ version: number }>(of(id, "/restore"), { version, base_version: base });
export const components = (id: number) => read<T.Component[]>(of(id, "/components"));
export const views = (id: number) => read<T.Views>(of(id, "/views"));

export async function liveWire(
  id: number,
  from: [number, number],
  to: [number, number],
): Promise<[number, number][]> {
  return (await send<{ points: [number, number][] }>(of(id, "/live-wire"), { from, to })).points;
}

export const growRegion = (id: number, x: number, y: number, box: Box) =>
  send<T.Patch>(of(id, "/grow"), { x, y, box });
export const smooth = (id: number, box: Box, label: number, radius: number) =>
  send<T.Patch>(of(id, "/smooth"), { box, label, radius });
export const fillHoles = (id: number, label: number) => send<T.Patch>(of(id, "/fill-holes"), { label });
export const predict = (id: number, box: Box) => send<T.Patch>(of(id, "/predict"), { box });

export const verdict = (
  id: number,
  order: string,
  given: T.Verdict & { seconds: number; base_version: number },
) =>
  send<{ status: string; next: number | null; version: number }>(
    of(id, `/verdict?order=${encodeURIComponent(order)}`),
    given,
  );

export const preferences = () => read<T.Preferences>("preferences");
/** Goes out even while the page is being left. */
export const keepPreferences = (wanted: T.Preferences) =>
  ask("preferences", { method: "PUT", body: JSON.stringify(wanted), keepalive: true });
export const agreement = () => read<Agreement>("agreement");
export const results = () => read<Results>("results");
const within = (of: Record<string, string>) => new URLSearchParams(of).toString();
export const curves = (root: string, path: string) =>
  read<{ curves: Record<string, (number | null)[]> }>(`results/curves?${within({ root, path })}`);
export const scores = (root: string, path: string) =>
  read<Record<string, unknown>>(`results/scores?${within({ root, path })}`);
export const predictions = (root: string, path: string) =>
  read<{ images: Record<string, string>[] }>(`results/predictions?${within({ root, path })}`);
export const compareRuns = (root: string, first: string, second: string) =>
  read<Comparison>(`results/compare?${within({ root, first, second })}`);
export const exportTo = (target: string) => send<{ folder: string; files: string[] }>("export", { target });

export interface Account {
  name: string;
  role: string;
  made: string;
  disabled: boolean;
}

/** A line of the audit log. */
export interface Event {
  id: number;
  at: string;
  reader: string;
  action: string;
  detail: string;
}

export const accounts = () => read<Account[]>("accounts");
export const putAccount = (name: string, role: string, password: string) =>
  send<unknown>("accounts", { name, role, password }, "PUT");
export const disableAccount = (name: string) =>
  ask(`accounts/${encodeURIComponent(name)}`, { method: "DELETE" });
export const events = () => read<Event[]>("events");
