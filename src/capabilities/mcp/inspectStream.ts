import { keyword } from "../../serialization/index.ts"
import type { McpStream } from "./McpStream.ts"

export interface InspectParts {
  readonly state: boolean
  readonly initialState: boolean
  readonly queue: boolean
}

/** What an MCP stream is doing, as plain data. Reads only, so that no stream waits for it. */
export const inspectStream = (stream: McpStream, parts: InspectParts): Readonly<Record<string, unknown>> => {
  const { driver, options, outputs, queue } = stream
  const { keeper, now, processor, processorName, transport } = options
  const oldest = queue.peek()
  return {
    "stream-id": stream.id,
    endpoint: options.endpoint,
    processor: processor === undefined ? null : (processorName ?? "fn"),
    status: stream.shownStatus,
    "queue-capacity": queue.capacity,
    stats: {
      "processed-chunks": stream.processed,
      "queued-chunks": queue.length,
      "received-chunks": queue.received,
      "received-bytes": queue.bytes,
      "queued-bytes": queue.heldBytes,
      "oldest-waiting-ms": oldest === undefined ? null : now() - oldest.since,
      credits: Math.max(0, queue.capacity - queue.length),
      "reading-stopped": queue.stops,
      "last-latency-ms": stream.lastLatencyMs,
      "last-event-epoch-ms": stream.lastEventMs,
      restarts: Math.max(0, stream.lives - 1),
      "outputs-given": outputs.given,
      "outputs-held": outputs.held,
      "outputs-dropped": outputs.dropped,
      "snapshot-failures": keeper.failures
    },
    "last-error": stream.lastError,
    cursor: { seq: stream.snapshot().seq, "last-event-id": stream.cursor },
    "observed-at-epoch-ms": now(),
    "persistence-enabled": true,
    store: keyword(keeper.kind),
    resolved: transport.resolved(),
    transport: {
      "task-present": driver.isRunning || driver.outcome !== undefined,
      "task-active": driver.isRunning,
      connected: driver.isConnected,
      reconnects: driver.reconnects,
      "timeout-ms": options.timeoutMs,
      "retry-attempts": 3,
      "auto-connect": options.autoConnect,
      "idle-timeout-ms": transport.idleMs ?? null
    },
    ...(parts.state ? { "current-state": stream.state } : {}),
    ...(parts.initialState ? { "initial-state": options.initialState } : {}),
    ...(parts.queue
      ? {
          queue: queue.queued.map(({ chunk, seq, since }) => ({
            chunk: chunk.value,
            metadata: { ...chunk.metadata, seq, "received-at": since },
            "waiting-ms": now() - since
          }))
        }
      : {})
  }
}
