// Past the door of the capabilities, behind which there are types of Effect.
export { type ReplayBounds, ReplayWindow } from "../capabilities/providers/ReplayWindow.ts"
export type { CapabilityDescription } from "./CapabilityDescription.ts"
export type {
  HttpPostOptions,
  HttpReadOptions,
  QueryOptions,
  QueueMessage,
  QueueReadOptions,
  QueueWriteOptions,
  TableOptions,
  WebSocketOptions
} from "./ConnectorOptions.ts"
export type { DeadLetterAccess, DeadLetterRecord, DeadLetterSelection } from "./DeadLetterAccess.ts"
export type { QueueContents, StoredQueueMessage, QueueSelection } from "./QueueContents.ts"
export {
  EvaluationCancelled,
  HostUnavailable,
  MemoryExhausted,
  PermissionDenied,
  ProgramTimeout,
  refuseUnbounded,
  StreamCancelled,
  UnboundedProgram
} from "./errors.ts"
export type {
  ExplainedActor,
  ExplainedBoundary,
  ExplainedEffect,
  ExplainedNode,
  ExplainedPipeline,
  Explanation,
  UnboundedNode
} from "./Explanation.ts"
export type { CircuitBreakerOptions, DeadLetterOptions, ItemFailureOptions } from "./FailureOptions.ts"
export { FileFlow, Flow } from "./Flow.ts"
export type {
  BoundedMemoryOptions,
  CacheOptions,
  CheckpointOptions,
  ConcurrencyOptions,
  DebugOptions,
  EvolveOptions,
  FileReadOptions,
  FileWriteOptions,
  ItemError,
  ItemSchema,
  MetricsOptions,
  ProducerOptions,
  ShutdownOptions,
  StageOptions
} from "./FlowOptions.ts"
export type { BranchOptions, MergeOptions, ParallelOptions } from "./PartOptions.ts"
export type { Handle, HandleStatus } from "./Handle.ts"
export {
  type EvaluationLimits,
  type HostOptions,
  InvalidHostOption,
  type Progress,
  type RunningProgram,
  type RunOptions,
  type SpawnOptions
} from "./HostOptions.ts"
export { isStreamValue } from "./isStreamValue.ts"
export { logInToMcp, type LogInOptions, logOutOfMcp, redirectUrlOf } from "./logInToMcp.ts"
export type {
  McpAuthOptions,
  McpAuthorizationCode,
  McpClientCredentials,
  McpEnterpriseManaged,
  McpJwtBearer,
  TokenSource
} from "./McpAuthOptions.ts"
export type { Authorize, Elicit, ElicitationAnswer, ElicitationRequest } from "./McpHooks.ts"
export type { McpEndpointName, McpServerAccess, McpServerName, McpServerOffers } from "./McpServerAccess.ts"
export type { McpServerOptions } from "./McpServerOptions.ts"
export type {
  BidirectionalStream,
  MarketplaceAccess,
  ProviderDefinition,
  ProviderDescription,
  ProviderEffect,
  ProviderQuery,
  ProviderUse,
  ProviderWriter
} from "./MarketplaceAccess.ts"
export type { PolicyOptions } from "./PolicyOptions.ts"
export type { Records } from "./Records.ts"
export type { ItemCounts, RunReport, StreamReport } from "./Report.ts"
export type { Completion } from "./completion.ts"
export type { Session, SessionInput, SessionOptions, SessionResult } from "./Session.ts"
export { StreamHost } from "./StreamHost.ts"
export type { EventTimeOptions, ItemSession, RateLimitOptions, Retraction, SessionWindowOptions, TimedWindow } from "./WindowOptions.ts"
