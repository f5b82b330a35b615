import * as Effect from "effect/Effect"
import { ItemFailure } from "../../actors/index.ts"
import { defineCapability } from "../Capability.ts"
import { InvalidResult } from "../errors.ts"
import { anything, required } from "../Option.ts"
import { IterableReader } from "../sources/IterableReader.ts"
import { StreamValue } from "../StreamValue.ts"
import type { Group, Outlet, Place } from "./Outlet.ts"
import type { Inlet } from "./Inlet.ts"
import type { Writer } from "./Provider.ts"

/*
 * The nodes of which the streams of providers are made. They have no name in the marketplace: what they join is in the
 * hands of this process. It stands in their options behind functions, because a graph is data that is printed and hashed.
 */

const common = {
  spec: "beside §5",
  order: "That of the stream.",
  delivery: "Each item once.",
  backpressure: "The other end's pace.",
  example: "nil"
}

const fromProvider = defineCapability({
  ...common,
  id: "marketplace.stream.source",
  summary: "Emits what a provider gives.",
  kind: "source",
  options: { open: required(anything, "gives the iterable"), provider: required(anything, "its id") },
  node: ({ open }) => ({
    kind: "async-source",
    capability: "marketplace.stream.source",
    open: ({ position = 0 }) =>
      Effect.gen(function* () {
        const iterable = yield* Effect.tryPromise({ try: async () => (open as () => unknown)(), catch: (error) => error })
        const reader = yield* Effect.acquireRelease(IterableReader.open(iterable, position as number), (opened) => opened.close)
        return { read: reader.read, position: () => reader.taken, isRepeatable: reader.isRepeatable }
      })
  })
})

const toOutlet = defineCapability({
  ...common,
  id: "marketplace.stream.outlet",
  summary: "Keeps the items for consumers that come and go.",
  kind: "sink",
  startsAtOnce: true,
  options: { outlet: required(anything, "where they go") },
  node: ({ outlet }) => ({
    kind: "async-sink",
    capability: "marketplace.stream.outlet",
    open: () => {
      const end = (outlet as () => Outlet)()
      return Effect.succeed({
        write: (items: ReadonlyArray<unknown>) =>
          Effect.suspend(() => {
            const waiting = end.put(items)
            return waiting === undefined ? Effect.void : Effect.promise(() => waiting)
          }),
        finish: Effect.succeed(null),
        position: () => null
      })
    }
  })
})

const fromInlet = defineCapability({
  ...common,
  id: "marketplace.stream.inlet",
  summary: "Emits what is sent.",
  kind: "source",
  options: { inlet: required(anything, "where it comes from") },
  node: ({ inlet }) => ({
    kind: "async-source",
    capability: "marketplace.stream.inlet",
    open: () => Effect.succeed({ read: (inlet as () => Inlet)().read, position: () => 0, isRepeatable: () => true })
  })
})

const toProvider = defineCapability({
  ...common,
  id: "marketplace.stream.sink",
  summary: "Hands the items to a provider.",
  kind: "sink",
  startsAtOnce: true,
  options: {
    open: required(anything, "gives the writer"),
    inlet: required(anything, "told of what is written"),
    provider: required(anything, "its id")
  },
  node: ({ inlet, open, provider }) => ({
    kind: "async-sink",
    capability: "marketplace.stream.sink",
    open: () =>
      Effect.gen(function* () {
        let isFinished = false
        const opened = Effect.tryPromise({
          try: async () => writerOf(provider as string, await (open as () => unknown)()),
          catch: (error) => error
        })
        const writer = yield* Effect.acquireRelease(opened, ({ abort }) =>
          isFinished || abort === undefined
            ? Effect.void
            : Effect.ignore(Effect.tryPromise({ try: async () => abort(), catch: (error) => error }))
        )
        let written = 0
        return {
          write: (items: ReadonlyArray<unknown>) =>
            Effect.forEach(
              items as ReadonlyArray<readonly [number, unknown]>,
              ([sequence, item], index) =>
                Effect.tryPromise({ try: async () => writer.write(item), catch: (cause) => new ItemFailure({ index, cause }) }).pipe(
                  Effect.map(() => {
                    written++
                    ;(inlet as () => Inlet)().done(sequence)
                  })
                ),
              { discard: true }
            ),
          finish: Effect.tryPromise({ try: async () => (await writer.close?.()) ?? null, catch: (error) => error }).pipe(
            Effect.map((result) => {
              isFinished = true
              return result ?? { items: written }
            })
          ),
          position: () => null
        }
      })
  })
})

const writerOf = (provider: string, opened: unknown): Writer => {
  const writer = opened as Partial<Writer> | null
  if (typeof writer !== "object" || writer === null || typeof writer.write !== "function") {
    throw new InvalidResult("marketplace.stream.open-sink", `open of ${provider}`, "a writer with write(item)", opened)
  }
  // Called on the object: a writer of the host may be an instance of a class.
  return {
    write: (item) => writer.write!(item),
    close: () => writer.close?.(),
    ...(writer.abort === undefined ? {} : { abort: () => writer.abort!() })
  }
}

const fromGroup = defineCapability({
  ...common,
  id: "marketplace.stream.items",
  summary: "Emits the items of a stream of a provider.",
  kind: "source",
  options: {
    outlet: required(anything, "where they come from"),
    join: required(anything, "gives the group that takes them"),
    isNumbered: required(anything, "whether each item comes with its number"),
    acknowledges: required(anything, "whether what was read counts as worked off with the next read"),
    leave: required(anything, "called when nobody takes them any more"),
    isOver: required(anything, "whether it is to end early")
  },
  node: ({ acknowledges, isNumbered, isOver, join, leave, outlet }) => ({
    kind: "async-source",
    capability: "marketplace.stream.items",
    open: ({ position }) => {
      const end = (outlet as () => Outlet)()
      const joined = Effect.try({
        try: () => {
          const group = (join as () => Group)()
          // Who acknowledges by itself is given again what it had not acknowledged.
          if (acknowledges === true && position !== undefined && position !== null) end.goOnAt(group, position as Place)
          return group
        },
        catch: (error) => error
      })
      return Effect.map(
        Effect.acquireRelease(joined, (group) => Effect.sync(() => (leave as (group: Group) => void)(group))),
        (group) => ({
          read: readGroup(end, group, {
            isNumbered: isNumbered === true,
            acknowledges: acknowledges === true,
            isOver: isOver as () => boolean
          }),
          position: () => end.placeOf(group),
          isRepeatable: () => true
        })
      )
    }
  })
})

const readGroup = (
  outlet: Outlet,
  group: Group,
  { acknowledges, isNumbered, isOver }: Pick<GroupReader, "acknowledges" | "isNumbered" | "isOver">
): Effect.Effect<{ readonly items: ReadonlyArray<unknown> } | null, unknown> => {
  const read: Effect.Effect<{ readonly items: ReadonlyArray<unknown> } | null, unknown> = Effect.suspend(() => {
    if (isOver()) return Effect.succeed(null)
    if (acknowledges) outlet.acknowledge(group)
    const before = group.delivered
    const answer = outlet.take(group, 128)
    if (answer === undefined) {
      const changed = Effect.callback<void>((resume) => Effect.sync(outlet.onChange(() => resume(Effect.void))))
      return Effect.andThen(changed, read)
    }
    switch (answer.status) {
      case "items":
        return Effect.succeed({
          items: isNumbered ? answer.items.map((item, index) => ({ sequence: before + 1 + index, item })) : answer.items
        })
      case "error":
        // Numbered ones go to callbacks, which are told of it behind the last item.
        return isNumbered ? Effect.succeed(null) : Effect.fail(answer.error)
      case "gap":
        return read
      default:
        return Effect.succeed(null)
    }
  })
  return read
}

export const providerSource = (provider: string, open: () => unknown): StreamValue => new StreamValue(fromProvider, { open, provider }, [])

export const intoOutlet = (stream: StreamValue, outlet: Outlet): StreamValue =>
  new StreamValue(toOutlet, { outlet: () => outlet }, [stream])

export const intoProvider = (provider: string, inlet: Inlet, open: () => unknown): StreamValue =>
  new StreamValue(toProvider, { open, inlet: () => inlet, provider }, [new StreamValue(fromInlet, { inlet: () => inlet }, [])])

/** What a consumer of an outlet brings. */
export interface GroupReader {
  readonly join: () => Group
  readonly leave: (group: Group) => void
  /** Whether items come as `{sequence, item}`, and their stream's failure as its end. */
  readonly isNumbered: boolean
  /** Whether what was read counts as worked off with the next read. */
  readonly acknowledges: boolean
  readonly isOver: () => boolean
}

export const outOf = (outlet: Outlet, reader: GroupReader): StreamValue =>
  new StreamValue(fromGroup, { outlet: () => outlet, ...reader }, [])
