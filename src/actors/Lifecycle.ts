import { type Actor, createActor, type SnapshotFrom } from "xstate"
import { actorLifecycle, type LifecycleEvent } from "./lifecycle.machine.ts"
import { TransitionTable } from "./TransitionTable.ts"

/** Where an actor stands, as the integer that the data path reads: `lifecycle.mode === Mode.running`. */
export const Mode = { starting: 0, running: 1, paused: 2, draining: 3, restarting: 4, failed: 5, stopped: 6 } as const

export type ModeName = keyof typeof Mode

const names = Object.keys(Mode) as ReadonlyArray<ModeName>

export type LifecycleListener = (after: ModeName, before: ModeName, event: LifecycleEvent["type"]) => void

/**
 * The lifecycle of one actor while it runs: a cell that holds its state, which only events change.
 *
 * It survives the actor's restarts, and with it what the actor was last told: one that crashed while paused or draining
 * is paused or draining again once it has started.
 *
 * **Cost** five fields per actor; an event is a look into a table that all share.
 */
export class Lifecycle {
  private state = 0
  private present: number = Mode.starting
  private listeners: ReadonlyArray<LifecycleListener> = noListeners
  private readonly onMisplaced: ((event: string, mode: ModeName) => void) | undefined
  private observed: Actor<typeof actorLifecycle> | undefined

  /** @param options.onMisplaced an event came that has no place in the present mode; it changed nothing */
  constructor(options: { readonly onMisplaced?: (event: string, mode: ModeName) => void } = {}) {
    this.onMisplaced = options.onMisplaced
  }

  /** The present mode; see `Mode`. */
  get mode(): number {
    return this.present
  }

  get modeName(): ModeName {
    return names[this.present]!
  }

  /**
   * Takes an event. Listeners hear of a change of mode in the order in which they began to listen.
   *
   * @returns whether the event had a place in the present mode. One that has not (the exit of an incarnation that was
   * already replaced, an order to an actor that has stopped) is reported and leaves everything as it is
   */
  send(event: LifecycleEvent["type"]): boolean {
    const before = this.modeName
    const next = table.next(this.state, event)
    if (next === -1) {
      this.onMisplaced?.(event, before)
      return false
    }
    this.state = next
    const after = modeOf(table.snapshot(next))
    this.present = Mode[after]
    this.observed?.send({ type: event })
    if (after !== before) for (const listener of this.listeners) listener(after, before, event)
    return true
  }

  /** Calls `listener` after every change of mode. The result ends that. */
  onChange(listener: LifecycleListener): () => void {
    this.listeners = [...this.listeners, listener]
    return () => {
      this.listeners = this.listeners.filter((other) => other !== listener)
    }
  }

  /** The state as XState sees it. Shared by all actors in the same state. */
  get snapshot(): SnapshotFrom<typeof actorLifecycle> {
    return table.snapshot(this.state)
  }

  /**
   * An XState actor in the same state, which follows this cell from now on: for inspectors, which speak XState. It is
   * made on the first call, because it takes some 3.5 kB and 14 µs, and most actors are never looked at.
   */
  inspect(): Actor<typeof actorLifecycle> {
    return (this.observed ??= createActor(actorLifecycle, { snapshot: this.snapshot }).start())
  }
}

const noListeners: ReadonlyArray<LifecycleListener> = []

/** All events, for those who want to try them all. */
export const lifecycleEvents = [
  "started",
  "pause",
  "resume",
  "drain",
  "stop",
  "completed",
  "crashed",
  "backoffElapsed",
  "intensityExceeded",
  "abandoned",
  "restart"
] as const satisfies ReadonlyArray<LifecycleEvent["type"]>

const table = new TransitionTable(actorLifecycle, lifecycleEvents)

const modeOf = (snapshot: SnapshotFrom<typeof actorLifecycle>): ModeName => {
  if (snapshot.value === "stopped") return "stopped"
  const { phase, order } = snapshot.value.alive
  if (phase !== "up") return phase
  return ({ run: "running", pause: "paused", drain: "draining" } as const)[order]
}
