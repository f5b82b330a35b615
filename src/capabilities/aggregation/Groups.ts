import { isKeyword, isPlainKey, keyOf } from "../../serialization/index.ts"
import { BoundExceeded } from "../errors.ts"

interface Group {
  readonly key: unknown
  readonly items: Array<unknown>
  lastItemAt: number
}

export interface GroupLimits {
  readonly maxGroups: number
  readonly maxItems: number
  readonly atCapacity: "fail" | "evict-oldest" | "overflow"
  readonly idleMs: number
}

/** The open groups of one `group-by`, idle longest first where that matters. */
export class Groups {
  readonly #limits: GroupLimits
  readonly #open = new Map<unknown, Group>()
  /** Whether a group that gets an item moves to the back: needed to know which one is idle longest. */
  readonly #tracksIdle: boolean
  #items = 0
  #evicted = 0
  /** Of the key that was admitted last, so that it is not made twice. */
  #identity: unknown

  constructor(limits: GroupLimits) {
    this.#limits = limits
    this.#tracksIdle = limits.idleMs !== Infinity || limits.atCapacity === "evict-oldest"
  }

  get size(): number {
    return this.#open.size
  }

  get items(): number {
    return this.#items
  }

  get evicted(): number {
    return this.#evicted
  }

  /** When the group that is idle longest is to be given up, in ms. */
  get due(): number {
    if (this.#limits.idleMs === Infinity) return Infinity
    const oldest = this.#open.values().next()
    return oldest.done === true ? Infinity : oldest.value.lastItemAt + this.#limits.idleMs
  }

  /** Throws `BoundExceeded` if an item of this key would pass a bound, or what makes it no key. Nothing is added yet. */
  admit(key: unknown): void {
    this.#identity = identityOf(key)
    const { atCapacity, maxGroups, maxItems } = this.#limits
    if (this.#items >= maxItems) {
      throw new BoundExceeded(
        "stream.group-by",
        `holds ${this.#items} items in ${this.#open.size} groups, which is all that :max-items allows`,
        "Raise :max-items, or reduce each group instead of keeping its items."
      )
    }
    if (atCapacity === "fail" && this.#open.size >= maxGroups && !this.#open.has(this.#identity)) {
      throw new BoundExceeded(
        "stream.group-by",
        `has ${maxGroups} groups open, which is all that :max-groups allows, and met a new key`,
        "Raise :max-groups, or choose :at-capacity :evict-oldest or :overflow."
      )
    }
  }

  /** Adds the item whose key was admitted right before; gives the maps to emit because of it, if any. Can't fail. */
  add(key: unknown, item: unknown, now: number): ReadonlyArray<unknown> | undefined {
    let identity = this.#identity
    let group = this.#open.get(identity)
    let evicted: ReadonlyArray<unknown> | undefined
    if (group === undefined && this.#open.size >= this.#limits.maxGroups) {
      if (this.#limits.atCapacity === "overflow") {
        identity = overflowKey
        group = this.#open.get(identity)
        key = overflowKey
      } else {
        evicted = [this.#takeOldest()]
      }
    }
    if (group === undefined) {
      group = { key, items: [], lastItemAt: now }
      this.#open.set(identity, group)
    } else if (this.#tracksIdle) {
      this.#open.delete(identity)
      this.#open.set(identity, group)
    }
    group.items.push(item)
    group.lastItemAt = now
    this.#items++
    return evicted
  }

  /** Closes the groups that are idle for too long and gives each as a map of its own. */
  takeIdle(now: number): ReadonlyArray<unknown> {
    const taken: Array<unknown> = []
    while (this.due <= now) taken.push(this.#takeOldest())
    return taken
  }

  /** Closes all groups and gives them as one map. */
  takeAll(): unknown {
    const map = mapOfGroups([...this.#open.values()])
    this.#open.clear()
    this.#items = 0
    return map
  }

  snapshot(): unknown {
    return {
      evicted: this.#evicted,
      groups: [...this.#open.values()].map(({ items, key, lastItemAt }) => [key, items, lastItemAt])
    }
  }

  static restore(limits: GroupLimits, snapshot: unknown): Groups {
    const { evicted, groups } = snapshot as { evicted: number; groups: ReadonlyArray<[unknown, Array<unknown>, number]> }
    const made = new Groups(limits)
    made.#evicted = evicted
    for (const [key, items, lastItemAt] of groups) {
      made.#open.set(identityOf(key), { key, items: [...items], lastItemAt })
      made.#items += items.length
    }
    return made
  }

  #takeOldest(): unknown {
    const [identity, group] = this.#open.entries().next().value!
    this.#open.delete(identity)
    this.#items -= group.items.length
    this.#evicted++
    return mapOfGroups([group])
  }
}

const overflowKey = "overflow"

/** A keyword and the string of its name are one key of a map. */
const identityOf = (key: unknown): unknown => (isKeyword(key) ? key.name : keyOf(key))

const mapOfGroups = (groups: ReadonlyArray<Group>): unknown => {
  const names = groups.map(({ key }) => (isKeyword(key) ? key.name : key))
  return names.every((name) => typeof name === "string" && isPlainKey(name))
    ? Object.fromEntries(groups.map(({ items }, index) => [names[index], items]))
    : new Map(groups.map(({ items }, index) => [names[index], items]))
}
