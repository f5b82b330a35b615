import type { Graph, StreamFunction } from "../../scheduler/index.ts"
import { defineCapability } from "../Capability.ts"
import { InvalidCall } from "../errors.ts"
import { choice, defaulted, fn, milliseconds, optional } from "../Option.ts"

const id = "stream.graceful-shutdown"

const strategies = ["finish-current-batch", "drain-all", "checkpoint-and-stop", "immediate"] as const

/** How a pipeline is brought down when it is told to stop. */
export interface ShutdownPolicy {
  readonly timeoutMs: number
  readonly strategy: (typeof strategies)[number]
  /** Called once everything has stopped. */
  readonly onComplete?: StreamFunction | undefined
}

export const gracefulShutdown = defineCapability({
  id,
  summary: "Says how the whole pipeline is brought down when it is told to stop, and within which time.",
  spec: "§11 Graceful Shutdown",
  kind: "operator",
  options: {
    "shutdown-timeout": defaulted(
      milliseconds,
      30_000,
      "when this time is over, whatever still works is killed; a host that gives less time is obeyed"
    ),
    "drain-strategy": defaulted(choice(...strategies), "finish-current-batch", "what becomes of items that are on their way"),
    "on-shutdown-complete": optional(fn, "called once, after everything has stopped")
  },
  order: "Kept.",
  delivery:
    "The items pass through unchanged. Told to stop, the sources take in nothing more, whatever the strategy; every item that was taken in and not worked off is counted as undrained and, where the host has a data directory and the stream no checkpoints, written to its `undrained.jsonl`.",
  backpressure: "Holds nothing.",
  notes: [
    "It takes effect for SIGTERM and SIGINT under `rtfs-streams run`, for the host's `stop` and `drain`, and for the handle's `drain`. Without it such a stop is a `:drain-all`.",
    "`:finish-current-batch` works off what is under way inside the actors and emits what they have gathered (partial batches and windows); what waits in mailboxes between them is handed back. So items may be missing in the middle of what comes out: `undrained.jsonl` has each of them.",
    "`:drain-all` works everything off, partial batches and windows are emitted.",
    "`:checkpoint-and-stop` stores a checkpoint that covers everything and stops; no window fires and no sink finishes. It needs `:stream.with-checkpointing` in the same pipeline.",
    "`:immediate` stops at once: nothing is flushed, and a file that was being written is taken back.",
    "`:on-shutdown-complete` is called after a stop, a drain or a cancellation, not when the stream ends by itself (`:on-complete`) or fails (`:on-error`). A second stop is the same stop: it waits for the same end and calls nothing again.",
    "It covers the whole pipeline that is consumed through it, wherever in it the call stands; two in one pipeline are refused."
  ],
  example: `(call :stream.await
  (call :stream.to-collection
    {:source (call :stream.graceful-shutdown [1 2 3] {:shutdown-timeout 5000 :drain-strategy :drain-all})}))`,
  node: () => ({ kind: "stage", capability: id, bound: { kind: "none" } })
})

/**
 * How the pipeline of a graph is to be brought down; `undefined` where the graph does not say.
 *
 * **Fails** by throwing `InvalidCall` where it says so twice, or asks for a checkpoint that nothing in it would make.
 */
export const shutdownOf = ({ nodes }: Graph): ShutdownPolicy | undefined => {
  const [node, another] = nodes.filter(({ capability }) => capability === id)
  if (node === undefined) return undefined
  if (another !== undefined) {
    throw new InvalidCall(id, "stands twice in one pipeline, which can only be brought down in one way: leave out all but one.")
  }
  const { "drain-strategy": strategy, "on-shutdown-complete": onComplete, "shutdown-timeout": timeoutMs } = node.options
  if (strategy === "checkpoint-and-stop" && !isCheckpointed({ nodes })) {
    throw new InvalidCall(
      id,
      "has :drain-strategy :checkpoint-and-stop, but nothing in the pipeline makes checkpoints: "
        + "put :stream.with-checkpointing into it, or use :drain-all or :finish-current-batch.",
      "drain-strategy"
    )
  }
  return {
    timeoutMs: timeoutMs as number,
    strategy: strategy as ShutdownPolicy["strategy"],
    onComplete: onComplete as StreamFunction | undefined
  }
}

/** Whether what is on its way is covered by checkpoints. */
export const isCheckpointed = ({ nodes }: Pick<Graph, "nodes">): boolean =>
  nodes.some(({ capability }) => capability === "stream.with-checkpointing")
