/** The versions side by side: what became of each one's traffic, and how far the shadow's fixes are off. */

import { fill, h } from "../dom";
import type { ModelDocument } from "../models";
import type { Routing } from "./routing_types";

export type VersionRecord = Record<string, unknown>;

export function recordTable(node: HTMLElement, model: ModelDocument, routing: Routing): void {
  void model;
  void routing;
  fill(node, h("h2", {}, "Side by side"));
}
