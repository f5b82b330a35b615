import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { appendFile, rename, stat } from "node:fs/promises"
import { join } from "node:path"
import { harmless } from "./harmless.ts"
import type { HostOptions } from "./HostOptions.ts"
import type { ProviderUse } from "./MarketplaceAccess.ts"

const mostBytes = 16 * 1024 ** 2
const mostWaiting = 10_000

/**
 * Writes who used which provider into a file of JSON lines, without holding anybody up.
 *
 * **Bounds** 16 MB; then the file gets the ending `.1` in place of an older one, and a new one begins. At most 10,000 lines
 * wait for the disk: those beyond are left out, and the next line that is written says how many.
 */
class ProviderUseFile {
  readonly #path: string
  readonly #log: (line: string) => unknown
  #lines: Array<string> = []
  #leftOut = 0
  #isTold = false
  #writing: Promise<void> | undefined

  constructor(path: string, log: (line: string) => unknown) {
    this.#path = path
    this.#log = log
  }

  readonly add = (use: ProviderUse): void => {
    if (this.#lines.length >= mostWaiting) this.#leftOut++
    else this.#lines.push(`${JSON.stringify(use)}\n`)
    this.#writing ??= this.#write()
  }

  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
  }

  async #write(): Promise<void> {
    while (this.#lines.length > 0) {
      const lines = this.#lines
      this.#lines = []
      if (this.#leftOut > 0) lines.push(`${JSON.stringify({ leftOut: this.#leftOut })}\n`)
      this.#leftOut = 0
      try {
        await this.#rotate()
        await appendFile(this.#path, lines.join(""), { mode: 0o600 })
      } catch (error) {
        this.#tell(error)
      }
    }
    this.#writing = undefined
  }

  async #rotate(): Promise<void> {
    const size = await stat(this.#path).then(
      (found) => found.size,
      () => 0
    )
    if (size > mostBytes) await rename(this.#path, `${this.#path}.1`)
  }

  #tell(error: unknown): void {
    if (this.#isTold) return
    this.#isTold = true
    const why = error instanceof Error ? error.message : String(error)
    this.#log(`The uses of providers can't be written to ${this.#path}: ${why}. The host goes on without them; this is said once only.`)
  }
}

/** Who hears of each use of a provider: the host's option, and a file in its data directory. */
export const openProviderUses = ({
  dataDir,
  log,
  onProviderUse
}: HostOptions): Effect.Effect<ReadonlyArray<(use: ProviderUse) => void>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const told = onProviderUse === undefined ? [] : [harmless("onProviderUse", onProviderUse)]
    if (dataDir === undefined) return told
    const file = new ProviderUseFile(join(dataDir, "providers.jsonl"), log ?? ((line) => process.stderr.write(`${line}\n`)))
    yield* Effect.addFinalizer(() => Effect.promise(() => file.flush()))
    return [...told, file.add]
  })
