import type { CapabilityEffect } from "../Capability.ts"
import type { AuditRecord } from "./AuditTrail.ts"
import type { OpenStreams } from "./OpenStreams.ts"
import type { ProviderRegistry } from "./ProviderRegistry.ts"

/** What calls of the marketplace may use of the host. */
export interface MarketplaceContext {
  /** Those of the program above those of its host. */
  readonly providers: ProviderRegistry
  readonly open: OpenStreams
  /** **Fails** by throwing `PermissionDenied` for the first effect that the policy does not grant. */
  readonly check: (subject: string, effects: ReadonlyArray<CapabilityEffect>) => void
  readonly audit: (record: Omit<AuditRecord, "at" | "program">) => void
  /** An error as a program sees it. */
  readonly errorValue: (error: unknown) => unknown
}
