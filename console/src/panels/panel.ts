/** What main.ts knows of a tab. */

import type { Settings } from "../api";

export interface Context {
  settings: Settings;
  may: (scope: string) => boolean;
  /** Ask for a key; resolves when one was given that may do this. */
  wantKey: () => void;
}

export interface Panel {
  node: HTMLElement;
  /** The tab is in front. */
  shown?: () => void;
  hidden?: () => void;
  /** The key, the theme or the gateway's reachability changed. */
  changed?: (what: "access" | "theme" | "reachable") => void;
}
