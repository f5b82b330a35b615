/**
 * What the sources and sinks of `Flow` take that reach other systems. Names of headers, secrets and connections are as in
 * programs; times are in milliseconds, sizes in bytes or as text such as `"64MB"`. The host's policy has to grant each target.
 */
interface Peer {
  /** In a value `{{secret:NAME}}` stands for a secret of the host. */
  readonly headers?: Readonly<Record<string, string>>
  readonly connectTimeout?: number
}

export interface HttpReadOptions extends Peer {
  /** By default `text`, in chunks as they come. */
  readonly format?: "text" | "lines" | "ndjson" | "json" | "csv" | "sse" | "binary"
  /** With `text` and `binary`. */
  readonly chunkSize?: number | string
  readonly maxRecordSize?: number | string
  /** After decompression. */
  readonly maxBodySize?: number | string
  /** With `csv`: the separator, and whether the first row names the columns. */
  readonly separator?: string
  readonly header?: boolean
  /** How long the peer may be silent, before its headers and in the body; by default 30,000. */
  readonly timeout?: number
  readonly headersTimeout?: number
  readonly idleTimeout?: number
  readonly totalTimeout?: number
  /** How often it is tried as long as nothing comes; by default 3. */
  readonly maxAttempts?: number
}

export interface HttpPostOptions<Item> extends Omit<Peer, "connectTimeout"> {
  /** Items in a request; by default 100. */
  readonly batchSize?: number
  readonly batchTimeout?: number
  /** A JSON array (the default), or a JSON value a line. */
  readonly format?: "json" | "ndjson"
  readonly timeout?: number
  readonly retryPolicy?: {
    readonly maxAttempts?: number
    readonly backoff?: "exponential" | "linear" | "constant"
    readonly baseDelay?: number
    readonly maxDelay?: number
    readonly totalTimeout?: number
  }
  readonly onSuccess?: (answer: { readonly status: number; readonly body: unknown; readonly items: number }) => unknown
  /** Takes the items that were given up on; without it each of them fails, as `onFailure` says. */
  readonly onError?: (error: unknown, items: ReadonlyArray<Item>) => unknown
}

export interface WebSocketOptions extends Peer {
  readonly protocols?: ReadonlyArray<string>
  readonly pingInterval?: number
  readonly maxMessageSize?: number | string
  /** Connects again when the connection is lost. */
  readonly reconnect?: { readonly maxAttempts?: number; readonly baseDelay?: number; readonly maxDelay?: number }
  readonly onOpen?: () => unknown
  readonly onClose?: (code: number, reason: string) => unknown
  /** Where messages may be missing; without it an item `{ gap }` stands there. */
  readonly onGap?: (gap: { readonly code: number; readonly reason: string; readonly attempts: number }) => unknown
}

interface OfConnection {
  /** The host's name for the server; left out, the only one there is. */
  readonly connection?: string
}

export interface QueryOptions extends OfConnection {
  /** By default 1,000. */
  readonly fetchSize?: number
  readonly params?: ReadonlyArray<unknown>
  /** A column that is unique and not null: rows come in its order, and reading can go on behind one. */
  readonly orderKey?: string
  /** For one portion; by default 60,000. */
  readonly timeout?: number
  /** Rows beyond which the query fails. */
  readonly maxRows?: number
}

export interface TableOptions extends OfConnection {
  /** Rows in a transaction, at most; by default 1,000. */
  readonly batchSize?: number
  readonly batchTimeout?: number
  readonly columns?: string | ReadonlyArray<string>
  /** What becomes of a row whose key is there already; by default `error`. */
  readonly onConflict?: "error" | "ignore" | "update"
  readonly key?: string | ReadonlyArray<string>
  readonly method?: "auto" | "copy" | "insert"
  /** Whether the row is looked for that the database refuses; by default it is. */
  readonly isolateFailures?: boolean
  /** Takes the number of rows of each transaction that was committed. */
  readonly onBatchComplete?: (rows: number) => unknown
}

interface OfQueue extends OfConnection {
  /** How values are messages; by default text as text, bytes as bytes and anything else as JSON. */
  readonly format?: "auto" | "json" | "text" | "binary" | "values"
}

export interface QueueReadOptions extends OfQueue {
  /** How many messages are read at once; by default 10. */
  readonly batchSize?: number
  /** Seconds; extended as long as the stream runs. By default 30. */
  readonly visibilityTimeout?: number
  /** How often a message may come, before it goes to the `deadLetterQueue`. */
  readonly maxReceives?: number
  readonly deadLetterQueue?: string
  readonly nackDelay?: number
  /** How many messages are read and not acknowledged at most; by default 5,000. */
  readonly maxInFlight?: number
  /** Ends the stream once no message has come for so long. */
  readonly wait?: number
  readonly onAck?: (ids: ReadonlyArray<string>) => unknown
}

export interface QueueWriteOptions extends OfQueue {
  /** How many messages are published together; by default 50. */
  readonly batchSize?: number
  readonly onSent?: (messages: number) => unknown
}

export interface QueueMessage<Body> {
  /** The same whenever it comes. */
  readonly id: string
  readonly body: Body
  /** How often it came, this time included. */
  readonly attempts: number
  /** Milliseconds since 1970. */
  readonly "sent-at": number | null
  /** `message-key` is the one under which it was published. */
  readonly headers: Readonly<Record<string, string>>
}
