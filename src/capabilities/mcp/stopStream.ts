import type * as Effect from "effect/Effect"
import type { StateStore } from "../../state/index.ts"
import type { McpStreamHandle } from "./McpStreamHandle.ts"
import type { McpStreams } from "./McpStreams.ts"
import { forgetKept, keptState } from "./SnapshotKeeper.ts"
import type { Perform } from "./waiting.ts"

export interface StopOptions {
  readonly streams: McpStreams
  readonly stateStore: Effect.Effect<StateStore, unknown>
  readonly perform: Perform
}

/** Ends a stream of this host for good, and forgets it and what is kept of it. @returns its last state */
export const stopStream = async (handle: McpStreamHandle, { perform, stateStore, streams }: StopOptions): Promise<unknown> => {
  if (handle.isOver) {
    // What it had of the store was given back when it came down.
    await handle.closed
    await forgetKept(await perform(stateStore), handle.id, perform)
  } else await handle.stop()
  streams.forget(handle)
  return handle.stream.state
}

/**
 * Forgets what is kept of a stream that this host does not know: an earlier process has left it, or it is none of the last that
 * have ended.
 *
 * **Fails** with `StreamInUse` where another process runs it.
 *
 * @returns the state that was kept, `null` where it is damaged; `undefined` where nothing is kept
 */
export const forgetLeft = async (
  id: string,
  { perform, stateStore }: Omit<StopOptions, "streams">
): Promise<{ readonly state: unknown } | undefined> => {
  const store = await perform(stateStore)
  const left = await keptState(store, id, perform)
  if (left !== undefined) await forgetKept(store, id, perform)
  return left
}
