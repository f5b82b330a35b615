import { setImmediate } from "node:timers/promises"
import { Flow } from "rtfs-streams"
import { flowValue } from "../../src/host/flowValue.ts"
import { digest, type Item, type Lanes, lanesOf, type Step, type World } from "./GraphStep.ts"

// A graph as data, the same graph as a flow, and what a reader of the list model would expect of it.
//
// Every item is `{ s, n }`: where it came from, and its value. Where nothing is promised of the order between streams, `s`
// tells them apart, so that what is promised (the order of each) can be compared.

export interface Source {
  readonly kind: "from-collection" | "generate" | "producer" | "iterable" | "async iterable"
  readonly values: ReadonlyArray<number>
}

export type Node =
  | { readonly kind: "source"; readonly source: Source }
  | { readonly kind: "step"; readonly step: Step; readonly input: Node }
  | { readonly kind: "merge"; readonly strategy: "round-robin" | "priority" | "fair"; readonly inputs: ReadonlyArray<Node> }
  | {
      readonly kind: "parallel"
      readonly partitions: number
      readonly gather: "as they come" | "ordered" | "combined"
      readonly steps: ReadonlyArray<Step>
      readonly input: Node
    }

/** What is done at the end: everything is collected, or each branch collects what its steps make of it. */
export interface GraphPlan {
  readonly body: Node
  readonly branches: ReadonlyArray<ReadonlyArray<Step>>
}

export const textOf = ({ body, branches }: GraphPlan): string =>
  `${nodeText(body)}${branches.map((steps) => `\n  ⎇ ${steps.map(({ text }) => text).join(" | ") || "all"}`).join("")}`

const nodeText = (node: Node): string => {
  switch (node.kind) {
    case "source":
      return `${node.source.kind}(${node.source.values.length > 20 ? `${node.source.values.length} items` : node.source.values.join(" ")})`
    case "step":
      return `${nodeText(node.input)} | ${node.step.text}`
    case "merge":
      return `merge ${node.strategy} [${node.inputs.map(nodeText).join(", ")}]`
    case "parallel":
      return `${nodeText(node.input)} | ${node.partitions} × (${node.steps.map(({ text }) => text).join(" | ")}) ${node.gather}`
  }
}

const digestOf = ({ n }: Item): number => digest(n)

// As a list model

export const modelOf = (node: Node): Lanes => {
  switch (node.kind) {
    case "source":
      return new Map([["", [...node.source.values]]])
    case "step":
      return node.step.model(modelOf(node.input))
    case "merge":
      return new Map(node.inputs.flatMap((input, index) => [...modelOf(input)].map(([s, values]) => [`${index}:${s}`, values] as const)))
    case "parallel": {
      const input = modelOf(node.input)
      if (node.gather === "ordered") return through(node.steps, input)
      const shared: Lanes = lanesOf(
        [...input].flatMap(([s, values]) => values.map((n) => ({ s: `${s}/${digest(n) % node.partitions}`, n })))
      )
      if (node.gather === "as they come") return through(node.steps, shared)
      const parts = Array.from({ length: node.partitions }, (_, index) => {
        const own: Lanes = new Map([...shared].filter(([s]) => s.endsWith(`/${index}`)))
        return [...through(node.steps, own).values()].flat()
      })
      return new Map([["", [parts]]])
    }
  }
}

export const through = (steps: ReadonlyArray<Step>, lanes: Lanes): Lanes => steps.reduce((all, step) => step.model(all), lanes)

/** Whether nothing is open about the order of its items. */
export const isExact = (node: Node): boolean => {
  switch (node.kind) {
    case "source":
      return true
    case "step":
      return node.step.gathers || isExact(node.input)
    case "merge":
      return false
    case "parallel":
      return node.gather === "combined" || (node.gather === "ordered" && isExact(node.input))
  }
}

// As a flow

export const flowOf = (node: Node, world: World): Flow<Item> => {
  switch (node.kind) {
    case "source":
      return sourceOf(node.source, world)
    case "step":
      return node.step.flow(flowOf(node.input, world), world)
    case "merge":
      return new Flow<Item>("stream.merge", [
        {
          streams: node.inputs.map((input, index) =>
            flowValue(flowOf(input, world).map(({ n, s }) => ({ s: `${index}:${s}`, n }), world.cut()))
          ),
          strategy: node.strategy,
          ...(node.strategy === "fair" ? { quantum: 64 } : {}),
          ...options(world)
        }
      ])
    case "parallel": {
      const { gather, partitions, steps } = node
      const processor = (stream: Flow<Item>) => steps.reduce((flow, step) => step.flow(flow, world), stream)
      const input = flowOf(node.input, world)
      const shared = gather === "ordered" ? input : input.map(({ n, s }) => ({ s: `${s}/${digest(n) % partitions}`, n }), world.cut())
      const partition = (item: Item) =>
        world.call("now", () =>
          gather === "ordered" ? digestOf(item) % partitions : Number(item.s.slice(item.s.lastIndexOf("/") + 1))
        ) as number
      const all = { parallelism: partitions, partition, processor, ...world.cut() }
      if (gather !== "combined") return shared.parallel<Item>({ ...all, ordered: gather === "ordered" })
      const combiner = (results: ReadonlyArray<ReadonlyArray<Item> | Item>): Item => ({
        s: "",
        n: results.map((items) => (Array.isArray(items) ? (items as ReadonlyArray<Item>).map(({ n }) => n) : [(items as Item).n]))
      })
      return shared.parallel<Item, Item>({ ...all, combiner })
    }
  }
}

const options = (world: World): Record<string, unknown> => {
  const { bufferSize } = world.cut()
  return bufferSize === undefined ? {} : { "buffer-size": bufferSize }
}

const sourceOf = ({ kind, values }: Source, world: World): Flow<Item> => {
  const items = values.map((n): Item => ({ s: "", n }))
  const next = (at: number) =>
    world.call(at % 3 === 0 ? "promise" : "now", () => (at < items.length ? ([items[at]!, at + 1] as const) : ("done" as const)))
  switch (kind) {
    case "from-collection":
      return Flow.from(items)
    case "generate":
      return Flow.generate(0, next)
    case "producer":
      return Flow.producer(0, next, { bufferSize: 8, highWaterMark: 6, lowWaterMark: 2 })
    case "iterable":
      return Flow.from(new Set(items))
    case "async iterable":
      return Flow.from({
        async *[Symbol.asyncIterator]() {
          for (const [index, item] of items.entries()) {
            if (index % 5 === 0) await setImmediate()
            yield item
          }
        }
      })
  }
}
