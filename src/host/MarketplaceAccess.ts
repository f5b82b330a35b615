/** What a provider may touch; whoever opens it needs these from the policy. */
export type ProviderEffect = ":fs.read" | ":fs.write" | ":network" | ":db" | ":queue" | ":mcp" | ":clock" | ":env" | ":print"

/** What opening a sink gives. */
export interface ProviderWriter {
  /** Takes one item; a promise is awaited before the next. */
  write(item: any): unknown
  /** Called once at the normal end, after the last item. What it gives is the result of the sink. */
  close?(): unknown
  /** Called in its place, where what was written is to be given up. */
  abort?(): unknown
}

interface Offered {
  /** Namespace, version and name: `com.example:v1.0:data-feed`. */
  readonly id: string
  /** One sentence for those who look for it. */
  readonly summary?: string
  /** What the configuration must satisfy: a schema as programs write them, `{ type: "map", required: ["city"] }`. */
  readonly config?: unknown
  /** By default none. */
  readonly effects?: ReadonlyArray<ProviderEffect>
  readonly metadata?: unknown
}

/** Something that the host offers to programs under an id. The functions get the configuration of whoever opens it. */
export type ProviderDefinition =
  | (Offered & {
      readonly type: "source"
      /** What each item must satisfy. */
      readonly output?: unknown
      /**
       * Whether `open` gives the same items again for the same config, from the first on. A stream with checkpoints that goes on
       * in another process then leaves out those that it has had; otherwise it goes on with whatever is given. By default not.
       */
      readonly repeats?: boolean
      /** Called when a stream begins; its iterator is closed when the stream ends early. */
      readonly open: (config: any) => AsyncIterable<unknown> | Iterable<unknown> | Promise<AsyncIterable<unknown> | Iterable<unknown>>
    })
  | (Offered & {
      readonly type: "sink"
      readonly input?: unknown
      readonly open: (config: any) => ProviderWriter | Promise<ProviderWriter>
    })
  | (Offered & {
      readonly type: "transform"
      readonly input?: unknown
      readonly output?: unknown
      /** Gives the function that makes an item of an item; it may be asynchronous. */
      readonly open: (config: any) => ((item: any) => unknown) | Promise<(item: any) => unknown>
    })
  | (Offered & {
      readonly type: "bidirectional" | "duplex"
      readonly input?: unknown
      readonly output?: unknown
      readonly open: (config: any) => BidirectionalStream | Promise<BidirectionalStream>
    })

/** Takes items, and gives others. */
export interface BidirectionalStream extends ProviderWriter {
  readonly receive: AsyncIterable<unknown> | Iterable<unknown>
}

/** What is registered, as data. */
export interface ProviderDescription {
  readonly id: string
  readonly type: ProviderDefinition["type"]
  readonly effects: ReadonlyArray<ProviderEffect>
  readonly summary?: string
  readonly input?: unknown
  readonly output?: unknown
  readonly config?: unknown
  readonly metadata?: unknown
}

/** What is looked for; what is left out may be anything. */
export interface ProviderQuery {
  /** An id in which `*` stands for any characters. */
  readonly id?: string
  readonly type?: ProviderDefinition["type"]
  /** The output schema, of a sink the input schema. */
  readonly schema?: unknown
  /** What it may touch at most. */
  readonly effects?: ReadonlyArray<ProviderEffect>
}

/** One use of a provider. Items in passing are not recorded one by one: the record of a stream's end has their counts. */
export interface ProviderUse {
  /** Milliseconds since 1970, of the host's clock. */
  readonly at: number
  /** The program that made the call; `host` for the embedding process. */
  readonly program: string
  readonly call: string
  /** The provider's id with its version, or what was asked for where there is no such provider. */
  readonly subject: string
  readonly outcome: "allowed" | "denied" | "failed" | "ended"
  readonly effects?: ReadonlyArray<string>
  readonly stream?: string
  readonly detail?: string
}

/** What the host offers to its programs under ids, and who used it. */
export interface MarketplaceAccess {
  /**
   * Offers something to all programs of the host.
   *
   * **Fails** by throwing `InvalidCall`, which says what can't be used: the id, a schema, an effect; or that the id is taken.
   */
  register(provider: ProviderDefinition): void
  /** Streams that it opened go on. @returns whether there was one */
  unregister(id: string): boolean
  /** By name, and of each name the newest version first. */
  find(query?: ProviderQuery): ReadonlyArray<ProviderDescription>
  /** The last 1000 uses. All of them go to the host's option `onProviderUse`, and to `providers.jsonl` in its data directory. */
  uses(): ReadonlyArray<ProviderUse>
}
