/** A message as it stands in a queue of the host's store. */
export interface StoredQueueMessage {
  /** Rises with the time at which it came into the store. */
  readonly id: number
  readonly queue: string
  readonly body: Uint8Array
  readonly contentType: string
  /** How often it was given to a consumer. */
  readonly attempts: number
  /** Milliseconds since 1970. */
  readonly sentAt: number
  readonly headers: Readonly<Record<string, string>>
  /** Of one that a consumer put aside: from which queue, and why. */
  readonly dead?: { readonly queue: string; readonly reason: string; readonly attempts: number }
}

/** Some messages of a queue: those with these ids, or all. */
export interface QueueSelection {
  readonly queue: string
  readonly ids?: ReadonlyArray<number> | undefined
}

/** The queues in the store of a host (`:connection :embedded`), for those who look after them. A message that a stream has is left alone. */
export interface QueueContents {
  /** Those that hold something: how many messages, and how many of them were put aside by a consumer. */
  readonly queues: () => Promise<ReadonlyArray<{ readonly queue: string; readonly messages: number; readonly dead: number }>>
  /** Oldest first; at most `limit`, by default 100. */
  readonly list: (options: {
    readonly queue: string
    /** Only those behind this id. */
    readonly after?: number | undefined
    readonly limit?: number | undefined
  }) => Promise<ReadonlyArray<StoredQueueMessage>>
  /**
   * Puts messages that a consumer put aside back into the queue that they came from, as they were published and as if never
   * given, all or none of them.
   *
   * @returns how many
   */
  readonly putBack: (selection: QueueSelection) => Promise<number>
  /** @returns how many there were */
  readonly remove: (selection: QueueSelection) => Promise<number>
}
