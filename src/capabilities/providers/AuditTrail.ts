/** One use of a provider. Items in passing are not recorded one by one: the record of the end has their counts. */
export interface AuditRecord {
  /** Milliseconds of the host's clock. */
  readonly at: number
  /** The program that made the call; `host` for the embedding process. */
  readonly program: string
  readonly call: string
  /** The provider's id with its version; of a call that names none, the stream's. */
  readonly subject: string
  readonly outcome: "allowed" | "denied" | "failed" | "ended"
  readonly effects?: ReadonlyArray<string>
  readonly stream?: string
  readonly detail?: string
}

const mostKept = 1000

/**
 * The last 1000 uses of providers, and whoever wants to hear of each.
 *
 * **Bounds** 1000 records; those before them are counted.
 */
export class AuditTrail {
  readonly #kept: Array<AuditRecord> = []
  readonly #listeners: ReadonlyArray<(record: AuditRecord) => void>
  /** How many records there were that are not kept any more. */
  forgotten = 0

  constructor(listeners: ReadonlyArray<(record: AuditRecord) => void> = []) {
    this.#listeners = listeners
  }

  add(record: AuditRecord): void {
    this.#kept.push(record)
    // By halves, so that forgetting costs little for each record.
    if (this.#kept.length >= 2 * mostKept) this.forgotten += this.#kept.splice(0, mostKept).length
    for (const listener of this.#listeners) listener(record)
  }

  records(): ReadonlyArray<AuditRecord> {
    return this.#kept.slice(-mostKept)
  }
}
