/** An item that was given up on, as it stands in the store. */
export interface StoredItem {
  /** The item as it entered the failing stage; or, where it can't be encoded, how it prints. */
  readonly item: { readonly value: unknown } | { readonly printed: string }
  readonly error: { readonly name: string; readonly type: string; readonly message: string }
  readonly stage: { readonly node: string; readonly capability: string; readonly actor: string }
  readonly stream: string
  readonly why: "policy" | "quarantine"
  readonly attempts: number
  /** Which of the items that entered the actor (of a stage in the middle: its island), from 1 on. */
  readonly sequence: number
  /** Milliseconds since 1970. */
  readonly time: number
  /** The state of the stage, of an item in quarantine, where it can be encoded. */
  readonly state?: unknown
}

/** A dead letter of the host's store. */
export interface DeadLetterRecord extends StoredItem {
  readonly id: number
  readonly queue: string
}

/** Some letters: those of a queue, those with these ids, or all. */
export interface DeadLetterSelection {
  readonly queue?: string | undefined
  readonly ids?: ReadonlyArray<number> | undefined
}

/** The dead letters in the store of a host, of all streams that ever used it. They stay until they are removed. */
export interface DeadLetterAccess {
  /** Oldest first; at most `limit`, by default 100. */
  readonly list: (options?: {
    readonly queue?: string | undefined
    /** Only those behind this id. */
    readonly after?: number | undefined
    readonly limit?: number | undefined
  }) => Promise<ReadonlyArray<DeadLetterRecord>>
  readonly get: (id: number) => Promise<DeadLetterRecord | undefined>
  /** How many letters each queue has. */
  readonly queues: () => Promise<ReadonlyArray<{ readonly queue: string; readonly letters: number }>>
  /**
   * The letters that are there when it begins, each once, oldest first. It removes nothing: do so when what became of the
   * items is durable.
   */
  readonly each: (selection?: DeadLetterSelection) => AsyncIterableIterator<DeadLetterRecord>
  /** @returns how many there were */
  readonly remove: (selection: DeadLetterSelection) => Promise<number>
}
