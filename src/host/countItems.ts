import type { ActorSnapshot } from "../actors/index.ts"
import type { Plan, PlannedEdge } from "../scheduler/index.ts"
import type { ItemCounts } from "./Report.ts"

/**
 * What the sources gave, and what of it has not reached the end: not yet begun, on its way to the next actor, or under
 * way in one. Everything else was worked off or given up.
 *
 * @param snapshots of the actors, in the order of the plan
 * @param left what was not worked off, where that is known for good
 */
export const countItems = (plan: Plan, snapshots: ReadonlyArray<ActorSnapshot>, deadLettered: number, left?: number): ItemCounts => {
  const accepted = sum(snapshots.filter(({ kind }) => kind === "source").map(({ itemsIn }) => itemsIn))
  const given = accepted - deadLettered
  const undrained = within(left ?? leftIn(plan, snapshots), given)
  const dropped = within(sum(snapshots.map(({ mailbox }) => mailbox?.dropped.items ?? 0)), given - undrained)
  return {
    accepted,
    processed: Math.max(0, given - undrained - dropped),
    skipped: sum(snapshots.flatMap(({ stages }) => stages.map(({ skipped }) => skipped))),
    retried: sum(snapshots.flatMap(({ stages }) => stages.map(({ retried }) => retried))),
    dropped,
    deadLettered,
    undrained
  }
}

/** Follows the edges from the sources. Items that go to all of several actors are left as long as the slowest has them. */
const leftIn = (plan: Plan, snapshots: ReadonlyArray<ActorSnapshot>): number => {
  const at = new Map(snapshots.map((snapshot) => [snapshot.address, snapshot]))
  const seen = new Set<string>()
  const below = (address: string): number => {
    const snapshot = at.get(address)
    if (seen.has(address) || snapshot === undefined) return 0
    seen.add(address)
    const incoming = plan.edges.filter(({ to }) => to === address)
    const arriving = incoming.length === 0 ? 0 : onItsWay(plan, incoming, snapshot, at)
    const after = plan.edges.filter(({ from }) => from === address).map(({ to }) => below(to))
    const goesToAll = !plan.actors.some((actor) => actor.address === address && actor.routes !== undefined)
    return arriving + snapshot.underWay + (goesToAll ? Math.max(0, ...after) : sum(after))
  }
  return sum(snapshots.filter(({ kind }) => kind === "source").map(({ address }) => below(address)))
}

/** What the actors before one have handed on and it has not begun. */
const onItsWay = (
  plan: Plan,
  incoming: ReadonlyArray<PlannedEdge>,
  { mailbox, stages }: ActorSnapshot,
  at: ReadonlyMap<string, ActorSnapshot>
): number => {
  const sent = incoming.map((edge) => {
    const outputs = plan.edges.filter(({ from }) => from === edge.from)
    return at.get(edge.from)?.outputs[outputs.indexOf(edge)] ?? 0
  })
  return sum(sent) - (mailbox?.dropped.items ?? 0) - stages[0]!.itemsIn
}

const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((total, number) => total + number, 0)

/** Behind a stage that gathers or multiplies, an item is not what a source gave: no count exceeds what there was. */
const within = (count: number, most: number): number => Math.max(0, Math.min(count, most))
