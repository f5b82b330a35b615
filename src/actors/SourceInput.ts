import type * as Effect from "effect/Effect"
import type { InputState, IslandDriver, IslandInput } from "./IslandInput.ts"
import type { AsyncSourceSpec, SyncSource, SyncSourceSpec } from "./NodeSpec.ts"
import { mostAttempts } from "./LastFailure.ts"
import { settled, watched } from "./Waiting.ts"

/**
 * A synchronous source at the head of an island. Items are taken only when those before them are worked off.
 *
 * A source that has its items in an array is not pulled: its position is the number of items worked off.
 */
export class SourceInput implements IslandInput {
  readonly nodes: ReadonlyArray<SyncSourceSpec>
  readonly isSource = true
  private readonly spec: SyncSourceSpec
  private source: SyncSource | undefined
  private taken = 0
  private readonly pulled: Array<unknown> = []
  private pulling: PromiseLike<number> | undefined
  /** What a promised pull came to, until `next` takes it. */
  /** Where the source stood before the pull under way. */
  private positionBefore: unknown
  private arrived: { readonly count: number } | { readonly error: unknown } | undefined
  private failures = 0
  private isDone = false
  private isDrained = false
  private isUnframed = false
  private restored: SourcePosition | undefined

  constructor(spec: SyncSourceSpec | AsyncSourceSpec) {
    if (spec.kind !== "sync-source")
      throw new Error(`${spec.capability} is an asynchronous source: it has an actor of its own, without stages.`)
    this.spec = spec
    this.nodes = [spec]
  }

  open(): void {
    if (this.source !== undefined) return
    const source = this.spec.open()
    if (this.restored && !source.items) source.seek(this.restored.position)
    this.source = source
  }

  next(island: IslandDriver): InputState {
    if (island.hasBarrier) return "unsettled"
    const source = this.source!
    if (this.restored) return this.loadRestored(island, this.restored)
    if (this.isUnframed) {
      // What it gave last has to be in the mailbox before that is asked how much more it wants.
      this.isUnframed = false
      return island.frameOutput() ?? "signal"
    }
    if (this.isDone || (this.isDrained && !this.pulling && !this.arrived)) {
      island.progress(this.taken, source.total, true)
      return "ended"
    }
    return source.items ? this.loadMore(island, source.items) : this.pull(island, source)
  }

  get isHeldOff(): boolean {
    return this.pulling === undefined
  }

  wait(): Effect.Effect<void, unknown> {
    if (this.pulling === undefined) return this.spec.demand!.wait
    return settled(
      this.pulling,
      (count) => this.arrive({ count: count as number }),
      (error) => this.arrive({ error })
    )
  }

  drain(island: IslandDriver): void {
    if (this.isDrained) return
    this.isDrained = true
    // Items that a generator has given are accepted; those of a collection that were not begun are not.
    if (this.source?.items) this.taken -= island.cutShort()
  }

  entered(): ReadonlyArray<number> {
    return [this.taken]
  }

  snapshot(island: IslandDriver): SourcePosition {
    if (this.restored) return this.restored
    if (this.source?.items) return { taken: island.chain.position, position: null, left: [] }
    const { arrived, pulled, pulling, source, taken } = this
    const left = [...island.chain.inputLeft(), ...(arrived && "count" in arrived ? pulled.slice(0, arrived.count) : [])]
    // A pull under way may have moved the source already, without its items being here.
    return { taken, position: pulling ? this.positionBefore : (source?.position() ?? null), left }
  }

  restore(snapshot: unknown): void {
    this.restored = snapshot as SourcePosition
    this.taken = this.restored.taken
  }

  private loadRestored(island: IslandDriver, { left }: SourcePosition): InputState {
    this.restored = undefined
    if (this.source!.items || left.length === 0) return "signal"
    island.load(left, 0, left.length, 0)
    this.isUnframed = this.spec.demand !== undefined
    return "items"
  }

  private loadMore(island: IslandDriver, items: ReadonlyArray<unknown>): InputState {
    const from = this.taken
    const to = Math.min(items.length, from + portion)
    if (to > from) island.load(items, from, to, 0)
    this.isDone = to === items.length
    this.taken = to
    // Last, so that whatever becomes of the report, what is counted as taken is loaded.
    island.progress(from, items.length, false)
    return to > from ? "items" : "signal"
  }

  private pull(island: IslandDriver, source: SyncSource): InputState {
    if (this.pulling) return "nothing"
    let { arrived } = this
    this.arrived = undefined
    if (arrived === undefined) {
      const wanted = this.spec.demand?.items ?? Infinity
      if (wanted === 0) return "nothing"
      this.pulled.length = 0
      try {
        this.positionBefore = source.position()
        const count = source.pull(this.pulled, Math.min(island.nextSlice, mostPulled, wanted))
        if (typeof count !== "number") {
          this.pulling = watched(count)
          return "nothing"
        }
        arrived = { count }
      } catch (error) {
        arrived = { error }
      }
    }
    // Its position is where it was, so it can't be passed over: when it goes on failing, that is the end.
    if ("error" in arrived) return island.inputFailure(arrived.error, "item", this.taken + 1, ++this.failures >= mostAttempts)
    this.failures = 0
    if (arrived.count === 0) {
      this.isDone = true
      return "signal"
    }
    island.load(this.pulled, 0, arrived.count, 0)
    this.isUnframed = this.spec.demand !== undefined
    this.taken += arrived.count
    island.progress(this.taken, source.total, false)
    return "items"
  }

  private arrive(outcome: NonNullable<SourceInput["arrived"]>): void {
    this.pulling = undefined
    this.arrived = outcome
  }
}

interface SourcePosition {
  readonly taken: number
  readonly position: unknown
  /** Items that were pulled and not worked off. */
  readonly left: ReadonlyArray<unknown>
}

/** Of an array, after how many items barriers and drains are looked at. */
const portion = 8192
const mostPulled = 512
