import * as Effect from "effect/Effect"
import { openStateStore, type OwnedStream, type StateStore, StoreFailure } from "../../src/state/index.ts"

/** Whom the store tells that its process has ended, in the n-th commit. */
export interface CommitCrash {
  readonly at: "before the commit" | "behind the commit"
  readonly nth: number
  readonly die: () => void
}

/**
 * A store of the process by name, which a test can cut off from whoever uses it, as the end of a process does: what was
 * committed is there for the next one, and what comes later is not.
 */
export class CrashingStore {
  readonly url: string
  readonly #commits: Array<number> = []
  #generation = 0
  #crash: CommitCrash | undefined
  #inThisLife = 0
  /** What a commit does instead, where that is said. */
  onCommit: ((id: number) => Effect.Effect<void, StoreFailure>) | undefined

  static async named(url: string): Promise<CrashingStore> {
    const store = (await Effect.runPromise(Effect.scoped(openStateStore(url)))) as {
      -readonly [Part in keyof StateStore]: StateStore[Part]
    }
    const made = new CrashingStore(url)
    const { own } = store
    store.own = (stream) => Effect.map(own(stream), (owned) => made.#around(owned))
    return made
  }

  private constructor(url: string) {
    this.url = url
  }

  /** The ids that were committed, in order. */
  get commits(): ReadonlyArray<number> {
    return this.#commits
  }

  /** Whoever uses it now can write no more. */
  die(): void {
    this.#generation++
  }

  /** For another process. */
  revive(crash: CommitCrash | undefined): void {
    this.#generation++
    this.#inThisLife = 0
    this.#crash = crash
  }

  #around(owned: OwnedStream): OwnedStream {
    const generation = this.#generation
    const whileAlive = <A, E>(write: Effect.Effect<A, E>) =>
      Effect.suspend((): Effect.Effect<A, E | StoreFailure> => (generation === this.#generation ? write : Effect.fail(gone(this.url))))
    return {
      ...owned,
      commit: (checkpoint) =>
        whileAlive(
          Effect.gen({ self: this }, function* () {
            if (this.onCommit !== undefined) yield* this.onCommit(checkpoint.id)
            const isLast = ++this.#inThisLife === this.#crash?.nth
            if (isLast && this.#crash!.at === "before the commit") return yield* this.#end()
            yield* owned.commit(checkpoint)
            this.#commits.push(checkpoint.id)
            if (isLast) yield* this.#end()
          })
        ),
      clear: whileAlive(owned.clear),
      facts: { all: owned.facts.all, set: (name, value) => whileAlive(owned.facts.set(name, value)) }
    }
  }

  #end(): Effect.Effect<never, StoreFailure> {
    return Effect.suspend(() => {
      this.#crash!.die()
      return Effect.fail(gone(this.url))
    })
  }
}

const gone = (url: string) => new StoreFailure(url, "is gone with its process", { fix: "Run it again." })
