import { batch } from "./aggregation/batch.ts"
import { groupBy } from "./aggregation/group-by.ts"
import { reduce } from "./aggregation/reduce.ts"
import { toCollection } from "./aggregation/to-collection.ts"
import type { Capability } from "./Capability.ts"
import { branch } from "./composition/branch.ts"
import { forEach } from "./composition/for-each.ts"
import { merge } from "./composition/merge.ts"
import { parallel } from "./composition/parallel.ts"
import { pipeline } from "./composition/pipeline.ts"
import { pipelineWithRecovery } from "./composition/pipeline-with-recovery.ts"
import { preludeCapabilities } from "./control/prelude.ts"
import { println } from "./control/println.ts"
import { awaitResult, cancel, create, pause, resume, status } from "./control/streams.ts"
import { UnknownCapability } from "./errors.ts"
import { memoryEfficient } from "./optimization/memory-efficient.ts"
import { dbBulkInsert } from "./databases/db-bulk-insert.ts"
import { dbQuery } from "./databases/db-query.ts"
import { gracefulShutdown } from "./recovery/graceful-shutdown.ts"
import { fileRead } from "./files/file-read.ts"
import { fileWrite } from "./files/file-write.ts"
import { httpBulkPost } from "./network/http-bulk-post.ts"
import { httpFetch } from "./network/http-fetch.ts"
import { mcpStreamInspect } from "./mcp/mcp-stream-inspect.ts"
import { mcpStreamResume } from "./mcp/mcp-stream-resume.ts"
import { mcpStreamStart } from "./mcp/mcp-stream-start.ts"
import { mcpStreamStop } from "./mcp/mcp-stream-stop.ts"
import { httpGet } from "./network/http-get.ts"
import { wsConnect } from "./network/ws-connect.ts"
import { wsSend } from "./network/ws-send.ts"
import { withCache } from "./optimization/with-cache.ts"
import { debug } from "./observability/debug.ts"
import { withMetrics } from "./observability/with-metrics.ts"
import { distinct } from "./processing/distinct.ts"
import { filter } from "./processing/filter.ts"
import { map } from "./processing/map.ts"
import { withCircuitBreaker } from "./recovery/with-circuit-breaker.ts"
import { withDeadLetter } from "./recovery/with-dead-letter.ts"
import { fromCollection } from "./sources/from-collection.ts"
import { fromIterable } from "./sources/from-iterable.ts"
import { generate } from "./sources/generate.ts"
import { periodic } from "./sources/periodic.ts"
import { queueConsume } from "./queues/queue-consume.ts"
import { queueProduce } from "./queues/queue-produce.ts"
import { stateful } from "./state/stateful.ts"
import { sessionWindow } from "./windowing/session-window.ts"
import { slidingWindow } from "./windowing/sliding-window.ts"
import { window } from "./windowing/window.ts"
import { consumer } from "./flow-control/consumer.ts"
import { producer } from "./flow-control/producer.ts"
import { providerCapabilities } from "./providers/capabilities.ts"
import { rateLimit } from "./flow-control/rate-limit.ts"
import { resumeFromCheckpoint } from "./state/resume-from-checkpoint.ts"
import { withCheckpointing } from "./state/with-checkpointing.ts"
import { schemaEvolution } from "./types/schema-evolution.ts"
import { validateTypes } from "./types/validate-types.ts"

/** Every capability that comes with the package. A plain list: what exists is visible, and a test can take fewer. */
export const builtins: ReadonlyArray<Capability> = [
  fileRead,
  fileWrite,
  dbQuery,
  dbBulkInsert,
  httpGet,
  httpBulkPost,
  wsConnect,
  fromCollection,
  fromIterable,
  toCollection,
  generate,
  periodic,
  map,
  filter,
  distinct,
  reduce,
  groupBy,
  batch,
  window,
  slidingWindow,
  sessionWindow,
  stateful,
  rateLimit,
  producer,
  consumer,
  withMetrics,
  debug,
  validateTypes,
  withCheckpointing,
  resumeFromCheckpoint,
  schemaEvolution,
  withCache,
  pipeline,
  branch,
  merge,
  parallel,
  pipelineWithRecovery,
  withDeadLetter,
  withCircuitBreaker,
  forEach,
  gracefulShutdown,
  memoryEfficient,
  queueConsume,
  queueProduce,
  create,
  awaitResult,
  status,
  pause,
  resume,
  cancel,
  wsSend,
  httpFetch,
  mcpStreamStart,
  mcpStreamInspect,
  mcpStreamResume,
  mcpStreamStop,
  println,
  ...providerCapabilities,
  ...preludeCapabilities
]

/** What programs can call, by id. */
export class Marketplace {
  readonly #known: ReadonlyMap<string, Capability>

  constructor(capabilities: ReadonlyArray<Capability> = builtins) {
    this.#known = new Map(capabilities.map((capability) => [capability.id, capability]))
  }

  ids(): IterableIterator<string> {
    return this.#known.keys()
  }

  all(): ReadonlyArray<Capability> {
    return [...this.#known.values()]
  }

  find(id: string): Capability | undefined {
    return this.#known.get(id)
  }

  /** **Fails** by throwing `UnknownCapability`, which names the nearest id. */
  get(id: string): Capability {
    const capability = this.#known.get(id)
    if (capability === undefined) throw new UnknownCapability(id, this.#known.keys())
    return capability
  }
}
