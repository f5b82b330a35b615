import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { SpillDirectory, StageServices } from "../actors/index.ts"
import type { McpAccess, MemoryOptions, StreamValue } from "../capabilities/index.ts"
import type { OffloadPool, StreamFunction } from "../scheduler/index.ts"
import type { Supervisor } from "../supervisors/index.ts"
import type { HostStores } from "./HostStores.ts"
import type { MemoryBudget } from "./MemoryBudget.ts"
import type { UndrainedFile } from "./UndrainedFile.ts"

/** What a pipeline needs of the host it runs in. */
export interface PipelineRuntime {
  /** The supervisor of all pipelines of the host. */
  readonly pipelines: Supervisor
  readonly services: StageServices
  readonly mcp: McpAccess
  /** What the mailboxes of all pipelines hold together. */
  readonly memory: MemoryBudget
  /** Made on first use. */
  readonly pool: () => OffloadPool
  readonly spill: Effect.Effect<SpillDirectory, unknown>
  /** A directory of a stream's own, with a quota of its own. */
  readonly spillFor: (options: Pick<MemoryOptions, "tempDir" | "maxDisk">) => Effect.Effect<SpillDirectory, unknown, Scope.Scope>
  /** The host's store, opened when it is first asked for and closed with the host. */
  readonly stateStore: HostStores["stateStore"]
  readonly storeNamed: HostStores["storeNamed"]
  /** Whether a stream in which a node may hold any amount is refused. */
  readonly bounded: boolean
  /** Where the host notes what no program is told. */
  readonly log: (line: string) => unknown
  /** Where streams without checkpoints leave what they could not work off; only with a data directory. */
  readonly undrained?: UndrainedFile | undefined
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  readonly promise: <A, E>(effect: Effect.Effect<A, E>) => Promise<A>
}

export interface PipelineOptions {
  readonly id: string
  /** Which of its program's streams it is, from 1 on. */
  readonly ordinal: number
  /** Goes on with this checkpoint instead of the last one. */
  readonly checkpointId?: number | undefined
  /** If its checkpoint says that it has ended, it begins anew instead of giving its result again. */
  readonly anew?: boolean
  /** Called once the state of a checkpoint is back. */
  readonly onResumed?: StreamFunction | undefined
  readonly value: StreamValue
  /**
   * `at-once`: the first failure that is no crash ends the pipeline with its error. `supervised`: its actors restart as
   * their supervisor says, and an item that keeps killing its actor is put aside.
   */
  readonly failures: "at-once" | "supervised"
}
