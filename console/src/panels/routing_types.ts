/** GET /models/{m}/routing, as far as the page uses it. */

import type { VersionRecord } from "./record";

export interface Routing {
  model: string;
  source: "champion" | "tag" | "temporary" | "rollout";
  etag: string;
  weights: Record<string, number>;
  expires_at?: string;
  then?: Record<string, number>;
  shares: Record<string, number>;
  aliases: Record<string, string>;
  previous_champion?: string;
  /** Of the last `window_s` seconds; absent while Redis is away. */
  versions?: VersionRecord[];
  window_s?: number;
}

export type Act = (
  title: string,
  lines: string[],
  deed: string,
  work: () => Promise<string>,
  danger?: boolean,
) => Promise<void>;
