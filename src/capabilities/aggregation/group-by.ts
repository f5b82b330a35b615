import { offer, type StreamFunction } from "../../scheduler/index.ts"
import { defineCapability } from "../Capability.ts"
import { choice, count, defaulted, fn, milliseconds, optional, required } from "../Option.ts"
import { whenSettled, wrapFunction } from "../wrapFunction.ts"
import { Groups } from "./Groups.ts"

export const groupBy = defineCapability({
  id: "stream.group-by",
  summary: "Gathers items by key, and emits a map from key to items when the stream has ended.",
  spec: "§3 Aggregation and Reduction",
  kind: "operator",
  consuming: ["on-groups"],
  short: ["key-fn"],
  single: (options) => options["at-capacity"] !== "evict-oldest" && options["idle-timeout"] === undefined,
  options: {
    "key-fn": required(fn, "takes an item, gives the key of its group"),
    "max-groups": defaulted(count, 100_000, "how many groups are held at once"),
    "max-items": defaulted(count, 1_000_000, "how many items all groups hold together; beyond it the stream fails, and says how many it had"),
    "at-capacity": defaulted(
      choice("fail", "evict-oldest", "overflow"),
      "fail",
      "what a new key does when there are `:max-groups`: fail the stream, emit and forget the group that is idle longest, or join the one group under the key `:overflow`"
    ),
    "idle-timeout": optional(milliseconds, "a group that got no item for this long is emitted on its own and forgotten; its key may open a new one"),
    "on-groups": optional(fn, "receives each map of groups, and starts the stream")
  },
  order: "Inside a group, the order of the items. Groups stand in the order in which their keys first came.",
  delivery: "Each item is in exactly one group of exactly one emitted map.",
  backpressure: "Holds all items of open groups: at most `:max-items`.",
  notes: ["As keys of a map, `:a` and `\"a\"` are the same key, so they share a group. All groups live in one actor; they are not streams of their own."],
  example: "(call :stream.await (call :stream.group-by [1 2 3 4] {:key-fn even? :on-groups (fn [groups] groups)}))",
  node: ({ "at-capacity": atCapacity, "idle-timeout": idleTimeout, "key-fn": keyFn, "max-groups": maxGroups, "max-items": maxItems }) => {
    const limits = { atCapacity, maxGroups, maxItems, idleMs: idleTimeout ?? Infinity }
    return {
      kind: "stage",
      capability: "stream.group-by",
      apply: { fn: admitted(keyFn), args: ({ state, value }) => [value, state("groups")] },
      state: { groups: () => new Groups(limits), due: () => Infinity },
      then: ({ emitEach, local, now, result, state, value }) => {
        const evicted = local("evicted")
        return `
          const ${evicted} = ${state("groups")}.add(${result}, ${value}, ${now});
          ${state("due")} = ${state("groups")}.due;
          if (${evicted} !== undefined) { ${emitEach(evicted)} }`
      },
      timer: {
        at: "due",
        fire: ({ emitEach, local, now, state }) => {
          const idle = local("idle")
          return `const ${idle} = ${state("groups")}.takeIdle(${now}); ${state("due")} = ${state("groups")}.due; ${emitEach(idle)}`
        }
      },
      atEnd: ({ emit, local, state }) => {
        const all = local("all")
        return `const ${all} = ${state("groups")}.takeAll(); ${emit(all)}`
      },
      snapshot: ({ groups }) => (groups as Groups).snapshot(),
      restore: (snapshot) => {
        const groups = Groups.restore(limits, snapshot)
        return { groups, due: groups.due }
      },
      counters: ({ groups }) => ({ groups: (groups as Groups).size, items: (groups as Groups).items, evicted: (groups as Groups).evicted }),
      bound: { kind: "bounded", by: `at most ${maxGroups} groups (:max-groups) of ${maxItems} items (:max-items)`, items: maxItems }
    }
  }
})

/** The key function, which also fails where the item would pass a bound: code that follows it can't fail. */
const admitted = (keyFn: StreamFunction): StreamFunction => {
  const check = (groups: Groups, key: unknown) => {
    groups.admit(key)
    return key
  }
  return wrapFunction(keyFn, 2, (item: unknown, groups: Groups) => whenSettled(offer(keyFn, item), (key) => check(groups, key)))
}
