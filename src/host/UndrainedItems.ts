import * as Effect from "effect/Effect"
import type { Actor, Leftover, NodeSpec } from "../actors/index.ts"
import type { BuiltGraph } from "../capabilities/index.ts"
import type { Plan } from "../scheduler/index.ts"
import type { UndrainedFile } from "./UndrainedFile.ts"

/**
 * The items of one stream that were taken in and not worked off, as its actors hand them back.
 *
 * They are counted as the items that a source gave: a vector behind a stage that batches counts as its items. Where a
 * function has made something else of the vector, it counts as much as the vectors of that stage had on average.
 */
export class UndrainedItems {
  #weight = 0
  readonly #options: {
    readonly stream: string
    readonly built: BuiltGraph
    readonly plan: Plan
    /** Left out: they are counted only. */
    readonly file: UndrainedFile | undefined
  }

  constructor(options: {
    readonly stream: string
    readonly built: BuiltGraph
    readonly plan: Plan
    readonly file: UndrainedFile | undefined
  }) {
    this.#options = options
  }

  get count(): number {
    return Math.round(this.#weight)
  }

  /** From now on what waits in front of the actors comes here. */
  takeBack(actors: ReadonlyArray<Actor>): void {
    for (const actor of actors) actor.giveBack((left) => this.#add(actors, actor, left))
  }

  /** Takes what actors that have ended still hold. */
  takeRest(actors: ReadonlyArray<Actor>): Effect.Effect<void> {
    const values = this.#options.file !== undefined
    return Effect.forEach(actors, (actor) => actor.leftovers({ values }, (left) => this.#add(actors, actor, left)), { discard: true })
  }

  #add(actors: ReadonlyArray<Actor>, actor: Actor, left: Leftover): void {
    const path = this.#stepsBefore(actors, actor, left.node)
    if (!path.some(isGathering)) {
      this.#weight += left.count
    } else {
      const values = left.values()
      for (const value of values) this.#weight += weigh(value, path)
      if (values.length === 0) this.#weight += left.count * weigh(undefined, path)
    }
    const { file, stream } = this.#options
    if (file === undefined) return
    const { address } = actor
    const next = actor.inspect().stages[left.node]?.capability
    file.append(left.values().map((value) => ({ stream, address, next, sequence: left.sequence, value })))
  }

  /** The steps that lie before a place, the nearest one first, up to a source or to where several streams meet. */
  #stepsBefore(actors: ReadonlyArray<Actor>, actor: Actor, node: number): ReadonlyArray<Step> {
    const { built, plan } = this.#options
    const steps: Array<Step> = []
    let address = actor.address
    for (let before: number | undefined = node; ;) {
      const { nodes } = plan.actors.find((planned) => planned.address === address)!
      const { stages } = actors.find((other) => other.address === address)!.inspect()
      const specs = nodes.flatMap((id) => built.specsOf(id))
      for (let at = Math.min(before ?? specs.length, specs.length) - 1; at >= 0; at--) {
        const { itemsIn = 0, itemsOut = 0 } = stages[at] ?? {}
        steps.push({ spec: specs[at]!, mean: itemsOut === 0 ? 1 : Math.max(1, itemsIn / itemsOut) })
      }
      const senders = plan.edges.filter(({ to }) => to === address)
      if (senders.length !== 1) return steps
      address = senders[0]!.from
      before = undefined
    }
  }
}

/** A step of the way to a place, and how many items went into each that came out. */
interface Step {
  readonly spec: NodeSpec
  readonly mean: number
}

const isGathering = ({ spec }: Step): boolean => spec.kind === "stage" && spec.gathered !== undefined

/** A stage that gives on what its function makes of the item. */
const isChanging = ({ spec }: Step): boolean => spec.kind === "stage" && spec.apply !== undefined && spec.then === undefined

const weigh = (value: unknown, path: ReadonlyArray<Step>): number => {
  const at = path.findIndex((step) => isGathering(step) || isChanging(step))
  if (at < 0) return 1
  const rest = path.slice(at + 1)
  const step = path[at]!
  if (!isGathering(step)) return weigh(undefined, rest)
  if (!Array.isArray(value)) return step.mean * weigh(undefined, rest)
  return value.reduce((sum: number, item: unknown) => sum + weigh(item, rest), 0)
}
