export {
  aboutFunction,
  describe,
  type FunctionDescription,
  type FunctionOrigin,
  type InlineFunction,
  type Meter,
  offer,
  type StreamFunction
} from "./StreamFunction.ts"
export { FunctionNotLoadable, FunctionNotPortable, ItemTimeout, PoolClosed, WorkerDied } from "./errors.ts"
export type { OffloadItemError, OffloadPool, OffloadResult, OffloadStats, OffloadTask } from "./OffloadPool.ts"
export { makeOrderedWindow, type OrderedWindow, type Outcome } from "./OrderedWindow.ts"
export { isPortable, nameOrigin } from "./FunctionOrigin.ts"
export { type Graph, type GraphNode, graphToData, hashGraph, unportableFunctions } from "./Graph.ts"
export {
  defaultBackoffMs,
  defaultQueue,
  describePolicy,
  failItems,
  type ItemPolicy,
  mayKeepWaiting,
  retryDelayMs,
  skipItems
} from "./ItemPolicy.ts"
export {
  frameLimits,
  type MailboxBounds,
  makePlan,
  type NodeTraits,
  type Plan,
  type PlannedActor,
  type PlannedEdge,
  type PlanResources
} from "./Plan.ts"
export { isOffloadable, portableTask } from "./PortableFunction.ts"
export type { PoolTimer } from "./Watchdog.ts"
export { makeWorkerPool, type WorkerPoolOptions } from "./WorkerPool.ts"
export { createWorkerHandler, type WorkerHandlerOptions } from "./workerTask.ts"
