import { createActor } from "xstate"
import { type HandleEvent, handleLifecycle } from "../actors/index.ts"
import type { HandleStatus } from "../capabilities/index.ts"

/** The life of a stream as the holder of its handle sees it: where it stands, and how it ended, once. */
export class StreamLife {
  readonly result: Promise<unknown>
  /** Whether everything of it has come down. */
  isDown = false
  readonly #machine = createActor(handleLifecycle).start()
  #settle!: { readonly resolve: (value: unknown) => void; readonly reject: (error: unknown) => void }
  #onCancel!: () => void
  readonly #cancelled = new Promise<void>((resolve) => (this.#onCancel = resolve))

  constructor() {
    this.result = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    this.result.catch(() => {}) // its failure is reported by whoever owns the program; an unobserved one is no crash
  }

  get status(): HandleStatus {
    const { value } = this.#machine.getSnapshot()
    return typeof value === "string" ? value : (Object.values(value)[0] as HandleStatus)
  }

  send(type: HandleEvent["type"]): void {
    this.#machine.send({ type })
  }

  cancel(): void {
    this.send("cancelled")
    this.#onCancel()
  }

  /** It has come down, and this is what became of it. */
  down(outcome: { readonly value: unknown } | { readonly error: unknown }): void {
    this.isDown = true
    if ("error" in outcome) this.#settle.reject(outcome.error)
    else this.#settle.resolve(outcome.value)
  }

  /** Ends as another stream does, which this one has become a part of. */
  follow(result: Promise<unknown>): void {
    result.then(this.#settle.resolve, this.#settle.reject)
  }

  /** What a host's observer gives, which may be nothing for ever: a cancelled stream does not wait for it. */
  unlessCancelled(called: Promise<unknown>): Promise<unknown> {
    return Promise.race([called, this.#cancelled])
  }
}

export const isOver = (status: HandleStatus): boolean => ["completed", "stopped", "cancelled", "failed"].includes(status)
