/** Fixes as they are made: server-sent events read with fetch, because EventSource sends no key. */

import { BASE, Refused, headers, problemOf } from "./api";
import type { Fix } from "./fix";

export type FeedState =
  | { kind: "connecting" }
  | { kind: "live"; shared: boolean }
  | { kind: "waiting"; seconds: number; reason: string }
  | { kind: "refused"; status: number; reason: string };

interface Handlers {
  fixes: (fixes: Fix[]) => void;
  state: (state: FeedState) => void;
}

const SILENCE_MS = 15_000;
const LONGEST_WAIT_S = 10;

/** Follows the feed until closed; whatever breaks, it begins again where it was. */
export class Feed {
  private lastId = "";
  private stopped = false;
  private attempt = 0;
  private abort = new AbortController();
  private wake: () => void = () => undefined;

  constructor(
    private readonly level: number,
    private readonly limit: number,
    private readonly on: Handlers,
  ) {
    void this.run();
  }

  close(): void {
    this.stopped = true;
    this.abort.abort();
    this.wake();
  }

  /** Try again now. */
  retry(): void {
    this.attempt = 0;
    this.wake();
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      this.on.state({ kind: "connecting" });
      let reason = "the feed ended";
      try {
        await this.read();
      } catch (error) {
        if (this.stopped) return;
        if (error instanceof Refused && [401, 403, 404].includes(error.problem.status)) {
          this.on.state({ kind: "refused", status: error.problem.status, reason: error.message });
          return;
        }
        reason = error instanceof Refused ? error.message : "the gateway does not answer";
      }
      if (this.stopped) return;
      await this.pause(reason);
    }
  }

  /** 0.5 s, doubling to 10 s, with a random part so that many pages do not come back at once. */
  private async pause(reason: string): Promise<void> {
    const wait = Math.min(0.5 * 2 ** this.attempt, LONGEST_WAIT_S) * (0.75 + Math.random() / 2);
    this.attempt += 1;
    this.on.state({ kind: "waiting", seconds: wait, reason });
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, wait * 1000);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private async read(): Promise<void> {
    this.abort = new AbortController();
    const more: Record<string, string> = { Accept: "text/event-stream" };
    if (this.lastId) more["Last-Event-ID"] = this.lastId;
    const response = await fetch(`${BASE}/events?confidence_level=${this.level}&limit=${this.limit}`, {
      headers: headers(more),
      cache: "no-store",
      signal: this.abort.signal,
    });
    if (!response.ok || !response.body) throw new Refused(await problemOf(response));
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const events = new EventParser();
    for (;;) {
      const silence = setTimeout(() => this.abort.abort(), SILENCE_MS);
      const { value, done } = await reader.read().finally(() => clearTimeout(silence));
      if (done) return;
      for (const one of events.push(value)) this.dispatch(one);
    }
  }

  private dispatch(one: ServerEvent): void {
    this.attempt = 0;
    if (one.name === "state") {
      const told = JSON.parse(one.data) as { feed: string };
      this.on.state({ kind: "live", shared: told.feed === "shared" });
    } else if (one.name === "fixes") {
      this.on.fixes(JSON.parse(one.data) as Fix[]);
    }
    if (one.id) this.lastId = one.id;
  }
}

interface ServerEvent {
  name: string;
  data: string;
  id: string;
}

/** Text in pieces to events, as far as this feed uses them: one data line each. */
export class EventParser {
  private rest = "";

  push(text: string): ServerEvent[] {
    const blocks = (this.rest + text).split("\n\n");
    this.rest = blocks.pop() ?? "";
    return blocks.map(parse).filter((one) => one.data !== "");
  }
}

function parse(block: string): ServerEvent {
  const one: ServerEvent = { name: "message", data: "", id: "" };
  for (const line of block.split("\n")) {
    const colon = line.indexOf(": ");
    const value = line.slice(colon + 2);
    if (line.startsWith("event: ")) one.name = value;
    else if (line.startsWith("data: ")) one.data += value;
    else if (line.startsWith("id: ")) one.id = value;
  }
  return one;
}
