export { shutdownOf, type ShutdownPolicy } from "./recovery/graceful-shutdown.ts"
export { type MemoryOptions, memoryOf, tooLittleMemory } from "./optimization/memory-efficient.ts"
export { asStream } from "./asStream.ts"
export { type BuiltGraph, buildGraph } from "./buildGraph.ts"
export {
  type CallContext,
  type Capability,
  type CapabilityEffect,
  type ControlCapability,
  defineCapability,
  defineControl,
  type ResumeRequest,
  type StreamCapability,
  type Touch
} from "./Capability.ts"
export { commonOptions, type OverflowName } from "./commonOptions.ts"
export { whyInline } from "./concurrency.ts"
export { decodeCall, type DecodedCall, decodeCallLater, specsOf } from "./decodeCall.ts"
export { BoundExceeded, CircuitOpen, HandleMisuse, InvalidCall, InvalidResult, shown, TrialTimeout, UnknownCapability } from "./errors.ts"
export { DatabaseFailure } from "./databases/errors.ts"
export { type DatabaseServer, parseDatabaseUrl } from "./databases/DatabaseServer.ts"
export { openDatabase, type OpenDatabase } from "./databases/openDatabase.ts"
export { FileFailure, MalformedFile, UnwritableValue } from "./files/errors.ts"
export { forEach } from "./composition/for-each.ts"
export { isPartOfStream, partInput } from "./composition/PartInput.ts"
export { builtins, Marketplace } from "./marketplace.ts"
export { type OptionSpec, type OptionSpecs, parseByteSize } from "./Option.ts"
export { fromCollection, isCollection } from "./sources/from-collection.ts"
export { type AuthorizationKeeper, keepInFile, keepInMemory } from "./mcp/authorization/AuthorizationKeeper.ts"
export { AuthorizationSession } from "./mcp/authorization/AuthorizationSession.ts"
export { logIn } from "./mcp/authorization/logIn.ts"
export { McpFailure } from "./mcp/errors.ts"
export type { McpAccess, McpServer } from "./mcp/McpAccess.ts"
export type { McpContext } from "./mcp/McpContext.ts"
export { mcpSource } from "./mcp/mcpSource.ts"
export { McpStreams } from "./mcp/McpStreams.ts"
export { askForOffers } from "./mcp/serverOffers.ts"
export { forgetLeft, stopStream } from "./mcp/stopStream.ts"
export { NetworkFailure } from "./network/errors.ts"
export { ProgramStore } from "./control/ProgramStore.ts"
export { fromIterable } from "./sources/from-iterable.ts"
export { type HandleReport, type HandleStatus, StreamHandle } from "./StreamHandle.ts"
export { StreamValue } from "./StreamValue.ts"
export { toCollection } from "./aggregation/to-collection.ts"
export { AuditTrail, type AuditRecord } from "./providers/AuditTrail.ts"
export type { MarketplaceContext } from "./providers/MarketplaceContext.ts"
export { OpenStreams } from "./providers/OpenStreams.ts"
export { type Offer, type Provider, type ProviderType } from "./providers/Provider.ts"
export { type ProviderFilter, ProviderRegistry } from "./providers/ProviderRegistry.ts"
