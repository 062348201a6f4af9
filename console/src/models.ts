/** What the gateway tells of models and versions, as far as the page uses it. */

import type { Receiver } from "./map/map_view";

export interface VersionDocument {
  model: string;
  version: string;
  aliases: string[];
  share: number;
  digest: string;
  contract: { input: { kind: string; receivers?: number | Partial<Receiver>[]; frontend?: { sample_rate_hz: number }; sample_rate_hz?: number } };
  sigma_scale: number;
  created_at: string;
  served_since: string;
  stage?: string;
  mlflow_run_id?: string;
  mlflow_run_url?: string;
  metrics?: Record<string, number>;
  feedback?: Feedback;
}

export interface Feedback {
  count: number;
  mean_error_m: number;
  coverage: Record<string, number>;
  mean_nees: number;
}

export interface ModelDocument {
  name: string;
  default: boolean;
  aliases: Record<string, string>;
  shares: Record<string, number>;
  versions: VersionDocument[];
}

/** The receivers of a model whose places are known. */
export function receivers(model: ModelDocument): Receiver[] {
  return model.versions.flatMap((one) => {
    const found = one.contract.input.receivers;
    return Array.isArray(found)
      ? found.filter((r): r is Receiver => r.latitude !== undefined && r.longitude !== undefined)
      : [];
  });
}

/** How many receivers a version's recordings have. */
export function receiverCount(version: VersionDocument | undefined): number {
  const found = version?.contract.input.receivers;
  return Array.isArray(found) ? found.length : (found ?? 1);
}
