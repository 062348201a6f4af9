/** The gateway that serves this page. The key lives in this module's memory and nowhere else. */

export const BASE = location.pathname.replace(/\/console\/?$/, "");

let key = "";

export interface Problem {
  status: number;
  title: string;
  detail: string;
}

/** The gateway answered, but not with what was asked for. */
export class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail);
  }
}

/** The gateway did not answer at all. */
export class Away extends Error {}

export interface Settings {
  version: string;
  remember: boolean;
  default_model?: string;
  keys: boolean;
  scopes: string[];
  samples: boolean;
  tiles?: { url: string; credit: string };
}

type Listener = () => void;
const reachable = new Set<Listener>();
let isReachable = true;

/** Called when the gateway stops answering, and when it answers again. */
export function onReachable(listener: Listener): void {
  reachable.add(listener);
}

export function gatewayIsReachable(): boolean {
  return isReachable;
}

export function setKey(value: string): void {
  key = value.trim();
}

export function hasKey(): boolean {
  return key !== "";
}

export function headers(more: Record<string, string> = {}): Record<string, string> {
  return key ? { ...more, Authorization: `Bearer ${key}` } : more;
}

function answered(yes: boolean): void {
  if (yes === isReachable) return;
  isReachable = yes;
  for (const one of reachable) one();
}

/** Fetch a path of the gateway; a problem document becomes Refused, silence Away. */
export async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const response = await reach(path, init);
  if (!response.ok) throw new Refused(await problemOf(response));
  return response;
}

async function reach(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(BASE + path, {
      ...init,
      headers: headers(init.headers as Record<string, string>),
      cache: "no-store",
      credentials: "omit",
    });
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    answered(false);
    throw new Away("the gateway does not answer");
  }
  answered(true);
  return response;
}

export async function get<T>(path: string): Promise<T> {
  return (await (await ask(path)).json()) as T;
}

/** The same where 503 is an answer too, which says what is missing. */
export async function getEvenIfNotReady<T>(path: string): Promise<T> {
  const response = await reach(path, {});
  if (!response.ok && response.status !== 503) throw new Refused(await problemOf(response));
  return (await response.json()) as T;
}

/** A JSON body to a path; answers the JSON answer. */
export async function send<T>(
  method: string,
  path: string,
  body?: unknown,
  more: Record<string, string> = {},
): Promise<T> {
  const init: RequestInit = { method, headers: { ...more } };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "Content-Type": "application/json", ...more };
  }
  const response = await ask(path, init);
  const text = await response.text();
  return (text ? JSON.parse(text) : {}) as T;
}

export async function problemOf(response: Response): Promise<Problem> {
  try {
    const told = (await response.json()) as Partial<Problem>;
    return {
      status: response.status,
      title: told.title ?? response.statusText,
      detail: told.detail ?? response.statusText,
    };
  } catch {
    return { status: response.status, title: response.statusText, detail: response.statusText };
  }
}

/** What went wrong, in a line. */
export function why(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
