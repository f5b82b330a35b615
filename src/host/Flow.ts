import { asStream, decodeCall, isCollection, Marketplace, type StreamCapability, type StreamValue } from "../capabilities/index.ts"
import type {
  HttpPostOptions,
  HttpReadOptions,
  QueryOptions,
  QueueMessage,
  QueueReadOptions,
  QueueWriteOptions,
  TableOptions,
  WebSocketOptions
} from "./ConnectorOptions.ts"
import type { CircuitBreakerOptions, DeadLetterOptions } from "./FailureOptions.ts"
import type {
  BoundedMemoryOptions,
  CacheOptions,
  CheckpointOptions,
  ConcurrencyOptions,
  DebugOptions,
  EvolveOptions,
  FileReadOptions,
  FileWriteOptions,
  ItemError,
  ItemSchema,
  MetricsOptions,
  ProducerOptions,
  ShutdownOptions,
  StageOptions
} from "./FlowOptions.ts"
import { doneAsKeyword, kebab, kebabMap, timed } from "./flowArguments.ts"
import { bindFlowValue, flowValue } from "./flowValue.ts"
import { branchMaps, type BranchOptions, type MergeOptions, ofStreams, type ParallelOptions } from "./PartOptions.ts"
import type { EventTimeOptions, ItemSession, RateLimitOptions, Retraction, SessionWindowOptions, TimedWindow } from "./WindowOptions.ts"

const marketplace = new Marketplace()

/** In place of an id: the one argument is the stream. */
const itself = ""

/**
 * A stream, built in TypeScript: the same graph that a program makes with `(call :stream.…)`.
 *
 * A flow is immutable and cold: each method gives a new one, nothing runs until a host consumes it (`host.stream`,
 * `host.runFlow`), and it can be consumed any number of times.
 *
 * ```ts
 * const late = Flow.fromFile("flights.json").json<Flight>().filter((flight) => flight.delay > 60)
 * for await (const flight of host.stream(late)) console.log(flight)
 * ```
 */
export class Flow<Item> {
  /** Never there: it keeps a `Flow<string>` from being taken for a `Flow<number>`. */
  declare readonly item: Item

  /** Any capability by its id and arguments, as a program would call it; the methods are this with types. */
  constructor(capability: string, args: ReadonlyArray<unknown>) {
    const isThere = capability === itself
    bindFlowValue(this, isThere ? (args[0] as StreamValue) : decodeCall(marketplace.get(capability) as StreamCapability, args, asStream).value)
  }

  /** The elements of a collection, or what an iterable gives, which is asked on demand: a generator may be endless. */
  static from<Item>(items: Iterable<Item> | AsyncIterable<Item>): Flow<Item> {
    return new Flow(isCollection(items) ? "stream.from-collection" : "stream.from-iterable", [items])
  }

  /** A stream that a program hands to a function of the host, to go on with. */
  static of<Item = unknown>(stream: unknown): Flow<Item> {
    const value = typeof stream === "object" && stream !== null ? (flowValue(stream) ?? asStream(stream)) : undefined
    if (value === undefined) throw new TypeError("A stream of a program is expected, or a collection.")
    return new Flow(itself, [value])
  }

  /** One stream of several: in turn, by priority, or with fair shares. */
  static merge<Item>(flows: ReadonlyArray<Flow<Item>>, options: MergeOptions = {}): Flow<Item> {
    return new Flow("stream.merge", [{ streams: flows.map((flow) => flowValue(flow)), ...kebab(options) }])
  }

  /** What a function makes from a state: `[value, nextState]`, or `"done"` at the end. */
  static generate<State, Item>(
    initialState: State,
    generator: (state: State) => readonly [Item, State] | "done" | Promise<readonly [Item, State] | "done">
  ): Flow<Item> {
    return new Flow("stream.generate", [{ generator: doneAsKeyword(generator as (state: unknown) => unknown), "initial-state": initialState }])
  }

  /** What a function gives every `interval` milliseconds, with the tick's time and how many ticks before it were missed. */
  static periodic<Item>(
    interval: number,
    generator: (time: number, missed: number) => Item | Promise<Item>,
    options: { readonly maxTicks?: number } = {}
  ): Flow<Item> {
    return new Flow("stream.periodic", [{ interval, generator, ...kebab(options) }])
  }

  /**
   * What a function makes from a state, as in `generate`, made ahead into a buffer of `bufferSize` items (by default 100): it
   * is paused at `highWaterMark` (80) and goes on at `lowWaterMark` (20).
   */
  static producer<State, Item>(
    initialState: State,
    generator: (state: State) => readonly [Item, State] | "done" | Promise<readonly [Item, State] | "done">,
    options: ProducerOptions = {}
  ): Flow<Item> {
    return new Flow("stream.producer", [
      { generator: doneAsKeyword(generator as (state: unknown) => unknown), "initial-state": initialState, ...kebab(options) }
    ])
  }

  /** The text of a file in chunks; `json`, `ndjson`, `lines` and `csv` read its records instead. */
  static fromFile(path: string, options: FileReadOptions = {}): FileFlow {
    return new FileFlow(path, options)
  }

  /** What a web server answers, as it comes: chunks of text, or with `format` lines, rows, JSON values or server-sent events. */
  static fromHttp<Item = string>(url: string, options: HttpReadOptions = {}): Flow<Item> {
    return new Flow("stream.http.get", [url, kebab(options)])
  }

  /** The messages of a WebSocket, text or bytes. */
  static fromWebSocket<Item = string | Uint8Array>(url: string, { reconnect, ...options }: WebSocketOptions = {}): Flow<Item> {
    return new Flow("stream.ws.connect", [url, kebab({ reconnect: kebabMap(reconnect), ...options })])
  }

  /** The rows of a query, a portion of `fetchSize` at a time, from one state of the database. */
  static fromQuery<Row = Record<string, unknown>>(query: string, options: QueryOptions = {}): Flow<Row> {
    return new Flow("stream.db.query", [query, kebab(options)])
  }

  /** The messages of a queue. Each is acknowledged when what became of it is durable, and comes again until then. */
  static fromQueue<Body = unknown>(queue: string, options: QueueReadOptions = {}): Flow<QueueMessage<Body>> {
    return new Flow("stream.queue.consume", [queue, kebab(options)])
  }

  /** What a function makes of each item. An asynchronous function is awaited; order is kept. */
  map<Out>(transform: (item: Item) => Out | Promise<Out>, options: ConcurrencyOptions & StageOptions = {}): Flow<Out> {
    return this.#then("stream.map", { transform, ...kebab(options) })
  }

  /** The items for which a predicate holds. */
  filter<Kept extends Item>(predicate: (item: Item) => item is Kept): Flow<Kept>
  filter(predicate: (item: Item) => boolean | Promise<boolean>, options?: ConcurrencyOptions & StageOptions): Flow<Item>
  filter(predicate: (item: Item) => unknown, options: ConcurrencyOptions & StageOptions = {}): Flow<Item> {
    return this.#then("stream.filter", { predicate, ...kebab(options) })
  }

  /** Items whose key was not seen before, within `maxKeys` keys or `ttl` milliseconds (by default two minutes). */
  distinct(options: { readonly key?: (item: Item) => unknown; readonly maxKeys?: number; readonly ttl?: number } & StageOptions = {}): Flow<Item> {
    const { key, ...others } = options
    return this.#then("stream.distinct", { ...(key === undefined ? {} : { "key-fn": key }), ...kebab(others) })
  }

  /**
   * The items that satisfy a schema: `{ type: "map", required: ["id"], properties: { id: { type: "integer" } } }`. The
   * others go to `onInvalid` with all their errors, and no further.
   */
  validate<Valid = Item>(
    schema: ItemSchema,
    options: { readonly onInvalid?: (errors: ReadonlyArray<ItemError>, item: Item) => unknown; readonly closed?: boolean } & StageOptions = {}
  ): Flow<Valid> {
    return this.#then("stream.validate-types", { schema, ...kebab(options) })
  }

  /**
   * The items in the form of the current schema: with `migrate` whatever does not satisfy it goes through that function,
   * with `migrations` through the step of its version and those that follow.
   */
  evolve<Current>(
    currentSchema: ItemSchema,
    options: EvolveOptions<Item> & StageOptions
  ): Flow<Current> {
    const { migrate, ...others } = { migrate: undefined, ...options }
    return this.#then("stream.schema-evolution", kebab({ currentSchema, migrationFn: migrate, ...others }))
  }

  /** What a function makes of each item, computed once for items with the same key. */
  cached<Out>(
    compute: (item: Item) => Out | Promise<Out>,
    options: CacheOptions<Item, Out> & StageOptions = {}
  ): Flow<Out> {
    const { key, ttl, ...others } = { key: undefined, ttl: undefined, ...options }
    return this.#then("stream.with-cache", kebab({ computeFn: compute, cacheKey: key, cacheTtl: ttl, ...others }))
  }

  /**
   * The same items, but those that the stages above fail on become dead letters of the host's store: where `errorPredicate`
   * holds (by default always) after `maxRetries` further tries, otherwise at once.
   */
  withDeadLetter(options: DeadLetterOptions = {}): Flow<Item> {
    return this.#then("stream.with-dead-letter", kebab(options))
  }

  /**
   * The same items, but when too many calls of the functions above fail, none is called for a while: items wait, or fail
   * at once. A few calls then decide whether it goes on.
   */
  withCircuitBreaker(options: CircuitBreakerOptions = {}): Flow<Item> {
    return this.#then("stream.with-circuit-breaker", kebab(options))
  }

  /** Vectors of `size` items; an incomplete one after `timeout` milliseconds (by default 1000) and at the end. */
  batch(size: number, options: { readonly timeout?: number; readonly maxBytes?: number | string } & StageOptions = {}): Flow<ReadonlyArray<Item>> {
    return this.#then("stream.batch", { size, ...kebab(options) })
  }

  /** Windows of `duration` milliseconds that follow each other. Those without items are left out. */
  window(
    duration: number,
    options: { readonly offset?: number } & EventTimeOptions<Item> & StageOptions = {}
  ): Flow<TimedWindow<Item>> {
    return this.#then("stream.window", { duration, ...timed(options) })
  }

  /** Windows that overlap, or leave items out between them: of `size` items at every `slide`-th, or of a `duration`. */
  slidingWindow(
    options: { readonly size: number; readonly slide?: number; readonly emitPartial?: boolean } & StageOptions
  ): Flow<ReadonlyArray<Item>>
  slidingWindow(
    options: { readonly duration: number; readonly slideDuration: number } & EventTimeOptions<Item> & StageOptions
  ): Flow<TimedWindow<Item>>
  slidingWindow(options: EventTimeOptions<Item> & StageOptions): Flow<any> {
    return this.#then("stream.sliding-window", timed(options))
  }

  /** What a function makes of each session: items of one key of which none comes `timeout` or more after the one before. */
  sessionWindow<Result = ItemSession<Item>, Key = unknown>(
    options: {
      readonly processor?: (session: ItemSession<Item, Key>) => Result | Promise<Result>
      readonly allowedLateness?: undefined
    } & SessionWindowOptions<Item, Key> & StageOptions
  ): Flow<Result>
  sessionWindow<Result = ItemSession<Item>, Key = unknown>(
    options: { readonly processor?: (session: ItemSession<Item, Key>) => Result | Promise<Result> } & SessionWindowOptions<Item, Key> & StageOptions
  ): Flow<Result | Retraction<Result>>
  sessionWindow(options: SessionWindowOptions<Item, any>): Flow<any> {
    const { key, ...others } = options
    return this.#then("stream.session-window", { "session-key": key, ...timed(others) })
  }

  /** What a function makes of a state and each item: `[nextState, output]`, or `[nextState]` to give nothing. */
  stateful<State, Out>(
    initialState: State,
    processor: (state: State, item: Item) => readonly [State] | readonly [State, Out] | Promise<readonly [State] | readonly [State, Out]>,
    options: StageOptions = {}
  ): Flow<Out> {
    return this.#then("stream.stateful", { "initial-state": initialState, processor, ...kebab(options) })
  }

  /** At most `rate` items per second, and `burst` at once after a pause. */
  rateLimit(rate: number, options: RateLimitOptions<Item> & StageOptions = {}): Flow<Item> {
    return this.#then("stream.rate-limit", { rate, ...kebab(options) })
  }

  /** One item, at the end: the left fold of all items. */
  reduce<Result>(initial: Result, reducer: (result: Result, item: Item) => Result | Promise<Result>, options: StageOptions = {}): Flow<Result> {
    return this.#then("stream.reduce", { initial, reducer, ...kebab(options) })
  }

  /** One item, at the end: the items by key. With string keys a plain object, else a `Map`. */
  groupBy(
    key: (item: Item) => unknown,
    options: {
      readonly maxGroups?: number
      readonly maxItems?: number
      readonly atCapacity?: "fail" | "evict-oldest" | "overflow"
      readonly idleTimeout?: number
    } & StageOptions = {}
  ): Flow<Record<string, ReadonlyArray<Item>> | Map<unknown, ReadonlyArray<Item>>> {
    return this.#then("stream.group-by", { "key-fn": key, ...kebab(options) })
  }

  /** Shares the items out over partitions by key, each with a stream of its own, and gathers what these give. */
  parallel<Out>(options: ParallelOptions<Item, Out> & { readonly combiner?: undefined }): Flow<Out>
  /** The same, with one item at the end: what `combiner` makes of the results of the partitions, in their order. */
  parallel<Out, Result>(
    options: ParallelOptions<Item, Out> & { readonly combiner: (results: ReadonlyArray<any>) => Result | Promise<Result> }
  ): Flow<Result>
  parallel({ key, partition, processor, ...options }: ParallelOptions<Item, unknown>): Flow<unknown> {
    return this.#then("stream.parallel", kebab({ keyFn: key, partitionFn: partition, processor: ofStreams(processor, (stream) => Flow.of(stream)), ...options }))
  }

  /** A sink: every item goes to each branch, at the pace of the slowest. Its result is what each came to, by name. */
  branch(branches: Readonly<Record<string, BranchOptions<Item>>>, options: StageOptions & { readonly isolate?: boolean } = {}): Flow<never> {
    return this.#then("stream.branch", { branches: branchMaps(branches, (stream) => Flow.of(stream), kebab), ...kebab(options) })
  }

  /** A sink: calls a function with each item, one after the other. Run it with `host.runFlow`. */
  forEach(callback: (item: Item) => unknown, options: StageOptions = {}): Flow<never> {
    return this.#then("stream.for-each", { callback, ...kebab(options) })
  }

  /**
   * A sink: calls a function with each item from a buffer of `bufferSize` items (by default 50), which asks for more when
   * half of them are worked off. Its result is the number of items.
   */
  consume(processor: (item: Item) => unknown, options: { readonly onBufferFull?: () => unknown } & StageOptions = {}): Flow<never> {
    return this.#then("stream.consumer", { processor, ...kebab(options) })
  }

  /** The same items, and the state of the whole flow that is consumed through it is saved: it goes on where it was after any kind of end. */
  withCheckpointing(options: CheckpointOptions = {}): Flow<Item> {
    return this.#then("stream.with-checkpointing", kebab(options))
  }

  /** The same items, and how the whole flow that is consumed through it stops when it is told to. */
  gracefulShutdown(options: ShutdownOptions = {}): Flow<Item> {
    return this.#then("stream.graceful-shutdown", kebab(options))
  }

  /** The same items, and a bound for what the flow up to here holds in memory. */
  memoryEfficient(options: BoundedMemoryOptions): Flow<Item> {
    return this.#then("stream.memory-efficient", kebab(options))
  }

  /**
   * One item, at the end: the result of the flow so far, or the vector of its items. `handler` says what is to become of
   * each item that a stage fails on; keywords as `keyword("skip")`.
   */
  withRecovery(
    handler: (error: unknown, chunk: unknown) => unknown,
    options: { readonly maxRetries?: number; readonly retryBackoff?: number; readonly deadLetterQueue?: string } = {}
  ): Flow<unknown> {
    return this.#then("stream.pipeline-with-recovery", { "error-handler": handler, ...kebab(options) })
  }

  /** Reports at `interval` ms (by default 10,000) how the flow up to here does; see `stream.with-metrics` for what a report has. */
  withMetrics(options: MetricsOptions = {}): Flow<Item> {
    return this.#then("stream.with-metrics", kebab(options))
  }

  /** Shows a repeatable sample of the items that pass, in the host's log or to `logFn`, and never holds them up. */
  debug(options: DebugOptions<Item> = {}): Flow<Item> {
    return this.#then("stream.debug", kebab(options))
  }

  /** A sink: writes the items to a file. Its result says how many items and bytes were written. */
  toFile(path: string, options: FileWriteOptions & StageOptions = {}): Flow<never> {
    return new Flow("stream.file.write", [path, { "data-source": flowValue(this)!, ...kebab(options) }])
  }

  /** A sink: posts the items in batches, which are tried again, and known by an idempotency key. */
  postTo(url: string, { retryPolicy, ...options }: HttpPostOptions<Item> & StageOptions = {}): Flow<never> {
    return this.#into("stream.http.bulk-post", url, { retryPolicy: kebabMap(retryPolicy), ...options })
  }

  /** A sink: writes the items, maps, as rows of a table; each batch in a transaction, under checkpointing exactly once. */
  toTable(table: string, options: TableOptions & StageOptions = {}): Flow<never> {
    return this.#into("stream.db.bulk-insert", table, options)
  }

  /** A sink: publishes the items as messages, and goes on when the server has confirmed them. */
  toQueue(queue: string, options: QueueWriteOptions & StageOptions = {}): Flow<never> {
    return this.#into("stream.queue.produce", queue, options)
  }

  #into(capability: string, target: string, options: object): Flow<never> {
    return new Flow(capability, [target, { "data-stream": flowValue(this)!, ...kebab(options) }])
  }

  #then<Out>(capability: string, options: Record<string, unknown>): Flow<Out> {
    return new Flow(capability, [flowValue(this)!, options])
  }
}

/** The text chunks of a file, and ways to read its records instead. */
export class FileFlow extends Flow<string> {
  readonly #path: string
  readonly #options: FileReadOptions

  constructor(path: string, options: FileReadOptions) {
    super("stream.file.read", [path, kebab(options)])
    this.#path = path
    this.#options = options
  }

  /** The records of a JSON file: the elements of its top-level array, or the lines of a `.ndjson` or `.jsonl` file. */
  json<Item = unknown>(): Flow<Item> {
    return this.#as(/\.(ndjson|jsonl)(\.(gz|zst))?$/i.test(this.#path) ? "ndjson" : "json")
  }

  /** One record for each line of JSON. */
  ndjson<Item = unknown>(): Flow<Item> {
    return this.#as("ndjson")
  }

  /** The lines of the file, without their ends. */
  lines(): Flow<string> {
    return this.#as("lines")
  }

  /** The rows of a CSV file, by the names in its first row. */
  csv<Item = Record<string, string>>(options: { readonly separator?: string; readonly header?: boolean } = {}): Flow<Item> {
    return this.#as("csv", options)
  }

  #as<Item>(format: string, options: object = {}): Flow<Item> {
    return new Flow("stream.file.read", [this.#path, kebab({ ...this.#options, ...options, format })])
  }
}
