import fc from "fast-check"
import { type GraphPlan, isExact, type Node, type Source, textOf } from "../models/GraphModel.ts"
import {
  batchStep,
  cacheStep,
  distinctStep,
  failingStep,
  filterStep,
  foldStep,
  groupStep,
  mapStep,
  passingSteps,
  sessionStep,
  slidingStep,
  statefulStep,
  type Step,
  sumStep,
  type Timing,
  validateStep,
  windowStep
} from "../models/GraphStep.ts"

const small = fc.integer({ min: 1, max: 5 })
const modulus = fc.integer({ min: 2, max: 5 })
const timing: fc.Arbitrary<Timing> = fc.constantFrom("now", "now", "promise", "turn")

/** Operators that know nothing of the order between streams that were merged. */
const keepingStep: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(small, timing, fc.constantFrom(1, 1, 3)).map(([by, when, parallelism]) => mapStep(by, when, parallelism)),
  fc.tuple(modulus, timing).map(([by, when]) => filterStep(by, when)),
  modulus.map((by) => distinctStep(by * 3)),
  fc.tuple(modulus, timing).map(([by, when]) => statefulStep(by, when)),
  fc.tuple(modulus, timing, fc.constantFrom(1, 3)).map(([by, when, parallelism]) => cacheStep(by * 3, when, parallelism)),
  fc.constant(validateStep),
  fc.tuple(modulus, fc.constantFrom("skip", "dead-letter", "decorated"), timing).map(([by, how, when]) => failingStep(by, how, when)),
  fc.constantFrom(...passingSteps),
  fc.constant(sumStep)
)

const orderedStep: fc.Arbitrary<Step> = fc.oneof(
  small.map(batchStep),
  fc.tuple(small, small, fc.boolean()).map(([size, slide, partial]) => slidingStep(size, slide, partial)),
  modulus.map(groupStep),
  small.map((by) => windowStep(by * 20)),
  small.map((by) => sessionStep(by * 2)),
  fc.tuple(small, timing).map(([by, when]) => foldStep(by, when))
)

const anyStep = fc.oneof({ weight: 3, arbitrary: keepingStep }, { weight: 1, arbitrary: orderedStep })
const oneToOneStep = fc.tuple(small, timing, fc.constantFrom(1, 3)).map(([by, when, parallelism]) => mapStep(by, when, parallelism))

const few = fc.array(fc.nat(60), { maxLength: 40, size: "max" })
/** More than a frame holds. */
const many = fc.integer({ min: 500, max: 1300 }).map((count) => Array.from({ length: count }, (_, n) => (n * 7) % 61))

interface Sources {
  readonly kinds: ReadonlyArray<Source["kind"]>
  readonly values: fc.Arbitrary<ReadonlyArray<number>>
}

/** Those that a process can go on with after another one, and few items, because each crash takes a run. */
export const repeatableSources: Sources = { kinds: ["from-collection", "generate", "producer"], values: few }
export const allSources: Sources = {
  kinds: [...repeatableSources.kinds, "iterable", "async iterable"],
  values: fc.oneof({ weight: 8, arbitrary: few }, { weight: 1, arbitrary: many })
}

/** `memory-efficient` bounds what is before it and may stand once in a stream, decorators that cover the same nodes too. */
const onceOnly = new Set(["memory-efficient"])

const chainOn = (input: Node, steps: ReadonlyArray<Step>): Node => {
  let node = input
  for (const step of steps) {
    if (step.needsOrder && !isExact(node)) continue
    if (onceOnly.has(step.text) && holds(node, (other) => other.kind === "step" && other.step.text === step.text)) continue
    // It would leave items out inside of partitions whose order is kept, which is refused.
    if (step.text.includes("decorated") && holds(node, (other) => other.kind === "parallel" && other.gather === "ordered")) continue
    node = { kind: "step", step, input: node }
  }
  return node
}

const holds = (node: Node, is: (node: Node) => boolean): boolean => {
  if (is(node)) return true
  if (node.kind === "source") return false
  return node.kind === "merge" ? node.inputs.some((input) => holds(input, is)) : holds(node.input, is)
}

/** Inside of partitions and branches: what needs an order stands there only where the part knows it. */
const partSteps = (steps: ReadonlyArray<Step>, input: Node): ReadonlyArray<Step> => {
  const taken: Array<Step> = []
  let isKnown = isExact(input)
  for (const step of steps) {
    if ((step.needsOrder && !isKnown) || onceOnly.has(step.text)) continue
    isKnown ||= step.gathers
    taken.push(step)
  }
  return taken
}

const nodeOf = ({ kinds, values }: Sources, depth: number): fc.Arbitrary<Node> => {
  const steps = fc.array(anyStep, { maxLength: 4 })
  const source: fc.Arbitrary<Node> = fc
    .record({ kind: fc.constantFrom(...kinds), values })
    .map((made) => ({ kind: "source", source: made }))
  const chain = fc.tuple(source, steps).map(([input, all]) => chainOn(input, all))
  if (depth === 0) return chain
  const inner = nodeOf({ kinds, values }, depth - 1)
  const merge = fc
    .tuple(fc.constantFrom("round-robin", "priority", "fair"), fc.array(inner, { minLength: 1, maxLength: 3 }), steps)
    .map(([strategy, inputs, all]) => chainOn({ kind: "merge", strategy, inputs }, all))
  const parallel = fc
    .tuple(
      inner,
      fc.integer({ min: 1, max: 3 }),
      fc.constantFrom("as they come", "ordered", "combined"),
      fc.array(anyStep, { maxLength: 3 }),
      fc.array(oneToOneStep, { maxLength: 3 }),
      steps
    )
    .map(([input, partitions, gather, within, oneToOne, all]) => {
      if (gather === "combined" && !isExact(input)) gather = "as they come"
      // Partitions whose items come as they do keep the order of each, so nothing in them may give up whose they are.
      const keeps = gather === "as they come" ? within.filter(({ gathers }) => !gathers) : within
      const inside = gather === "ordered" ? oneToOne : partSteps(keeps, input)
      return chainOn({ kind: "parallel", partitions, gather, steps: inside, input }, all)
    })
  return fc.oneof({ weight: 2, arbitrary: chain }, { weight: 2, arbitrary: merge }, { weight: 2, arbitrary: parallel })
}

/** Chains, merges of chains, partitions with streams in them, and branches at the end. */
export const graphs = (sources: Sources): fc.Arbitrary<GraphPlan> =>
  fc
    .tuple(
      nodeOf(sources, 2),
      fc.oneof(
        { weight: 2, arbitrary: fc.constant([]) },
        { weight: 1, arbitrary: fc.array(fc.array(anyStep, { maxLength: 3 }), { minLength: 1, maxLength: 3 }) }
      )
    )
    .map(([body, branches]) => {
      const plan: GraphPlan = { body, branches: branches.map((steps) => partSteps(steps, body)) }
      return Object.assign(plan, { [fc.toStringMethod]: () => textOf(plan) })
    })

/** The buffers of nodes in their order, over and over; 0: none, so that the node is fused where it can be. */
export const cuts: fc.Arbitrary<ReadonlyArray<number>> = fc.array(fc.constantFrom(0, 0, 1, 2, 7, 100), { minLength: 1, maxLength: 12 })
