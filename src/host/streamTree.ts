import * as Effect from "effect/Effect"
import type { Actor } from "../actors/index.ts"
import { type ChildExit, type ChildSpec, type Directive, Supervisor } from "../supervisors/index.ts"
import type { Checkpointing } from "./Checkpointing.ts"
import type { StreamMetrics } from "./StreamMetrics.ts"

export interface StreamTreeOptions {
  readonly id: string
  /** In the order of the data. */
  readonly actors: ReadonlyArray<Actor>
  readonly checkpointing: Checkpointing | undefined
  readonly metrics: StreamMetrics | undefined
  /** Whether the sources wait for the first checkpoint. */
  readonly isGated: () => boolean
  readonly onFirstCheckpoint: () => void
  readonly onExit: (exit: ChildExit) => Directive
}

/** After this an actor that was killed and goes on is left alone. */
export const killGraceMs = 750

/** The supervisor of one stream: its actors, and the rounds of its checkpoints, as a child of whoever starts it. */
export const streamTree = ({ actors, checkpointing, id, isGated, metrics, onExit, onFirstCheckpoint }: StreamTreeOptions): ChildSpec =>
  Supervisor.asChild(
    {
      address: `/pipelines/${id}`,
      autoShutdown: "all-significant",
      killGrace: killGraceMs,
      children: [
        // First, so that it is there as long as any actor is.
        ...(checkpointing === undefined ? [] : [roundsOf(checkpointing, isGated, onFirstCheckpoint)]),
        ...(metrics?.children ?? []),
        // Sinks first: what is stopped in reverse order closes its sources before anything downstream.
        ...[...actors].reverse().map((actor) => childOf(actor, checkpointing))
      ],
      onExit
    },
    { id, restart: "temporary" }
  )

const childOf = (actor: Actor, checkpointing: Checkpointing | undefined): ChildSpec => ({
  id: actor.address.slice(actor.address.lastIndexOf("/") + 1),
  restart: "transient",
  significant: true,
  run: ({ onShutdown, ready }) => {
    let isStopped = false
    const stop = Effect.sync(() => {
      isStopped = true
      actor.stop()
    })
    return Effect.andThen(
      onShutdown(() => stop),
      // What an actor that was stopped has reached is no part of any cut through the stream.
      Effect.tap(actor.run(ready), () => Effect.sync(() => isStopped || checkpointing?.ended(actor)))
    )
  }
})

const roundsOf = (checkpointing: Checkpointing, isGated: () => boolean, onFirst: () => void): ChildSpec => {
  const { rounds } = checkpointing
  const first = Effect.flatMap(rounds.round, (outcome) => {
    if (outcome.type === "failed") return Effect.fail(outcome.error)
    if (outcome.type === "stored") onFirst()
    return checkpointing.told(outcome)
  })
  const loop = rounds.loop((outcome) => checkpointing.told(outcome))
  return {
    id: "checkpoints",
    restart: "transient",
    run: ({ ready }) =>
      Effect.andThen(
        ready,
        Effect.suspend(() => (isGated() ? Effect.andThen(first, loop) : loop))
      )
  }
}
