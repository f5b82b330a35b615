import { type AnyMachineSnapshot, type AnyStateMachine, type EventFrom, initialTransition, type SnapshotFrom, transition } from "xstate"

/**
 * A machine without context as a table: what each event makes of each state.
 *
 * Asking XState for a transition costs some 15 µs, because it makes a new snapshot each time; here it is a look into an
 * array. Each cell is asked of the machine when it is first needed, as most are never needed and asking for all takes
 * 20 ms of a cold start. So the machine stays the only place where a transition is written down.
 */
export class TransitionTable<Machine extends AnyStateMachine> {
  private readonly machine: AnyStateMachine
  /** The states met so far. Their places are the numbers that stand for them; 0 is the initial one. */
  private readonly snapshots: Array<AnyMachineSnapshot>
  private readonly columns: ReadonlyMap<string, number>
  private readonly rows: Array<Int8Array> = []

  /** @param events all events of the machine; none carries data */
  constructor(machine: Machine, events: ReadonlyArray<EventFrom<Machine>["type"]>) {
    this.machine = machine
    this.columns = new Map(events.map((event, column) => [event, column]))
    const [initial] = initialTransition(machine as AnyStateMachine)
    this.snapshots = [initial]
  }

  /** The state after an event, or −1 where the event has no place in the state. */
  next(state: number, event: EventFrom<Machine>["type"]): number {
    const column = this.columns.get(event)
    if (column === undefined) return -1
    const row = (this.rows[state] ??= new Int8Array(this.columns.size).fill(unknown))
    if (row[column] === unknown) row[column] = this.ask(state, event)
    return row[column]!
  }

  /** A state as XState sees it. */
  snapshot(state: number): SnapshotFrom<Machine> {
    return this.snapshots[state] as SnapshotFrom<Machine>
  }

  private ask(state: number, type: string): number {
    const before = this.snapshots[state]!
    if (!before.can({ type })) return -1
    const [after] = transition(this.machine, before, { type })
    const known = this.snapshots.findIndex((snapshot) => nameOf(snapshot) === nameOf(after))
    return known === -1 ? this.snapshots.push(after) - 1 : known
  }
}

const unknown = -2

const nameOf = (snapshot: { readonly value: unknown }): string => JSON.stringify(snapshot.value)
