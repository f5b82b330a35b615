/** The items of one span of time. */
export interface TimedWindow<Item> {
  /** In ms since 1970; the end is left out. */
  readonly start: number
  readonly end: number
  readonly items: ReadonlyArray<Item>
  /** The stream ended before the window's time did. */
  readonly partial: boolean
  /** 0; one more each time that a late item makes the window come again, whole. */
  readonly revision: number
}

/** Items of one key that follow each other closely. */
export interface ItemSession<Item, Key = unknown> {
  readonly key: Key
  /** The times of the first and the last item, in ms since 1970. */
  readonly start: number
  readonly end: number
  readonly items: ReadonlyArray<Item>
  /** It might have gone on: the stream ended, or a bound closed it early. */
  readonly partial: boolean
  readonly revision: number
}

/** A result that was given for a session and no longer holds; the one that takes its place follows. Only with `allowedLateness`. */
export interface Retraction<Result> {
  readonly retracts: Result
  readonly key: unknown
  readonly start: number
  readonly end: number
}

/** What holds for all windows by time. Times are in ms. */
export interface EventTimeOptions<Item> {
  /** When an item happened. Without it an item has the time at which it comes, and the next four options are errors. */
  readonly timestamp?: (item: Item) => number | Date | Promise<number | Date>
  /** How far items may be out of order and not be late. */
  readonly maxDelay?: number
  /** How long after a window was given late items still correct it. */
  readonly allowedLateness?: number
  /** After how long without an item time goes on with the clock. */
  readonly idleTimeout?: number
  readonly onLate?: (item: Item, place: { readonly timestamp: number; readonly watermark: number }) => unknown
  /** What all windows hold together, beyond which the item fails. By default a million items and 64 MB. */
  readonly maxItems?: number
  readonly maxBytes?: number | string
}

export interface SessionWindowOptions<Item, Key> extends EventTimeOptions<Item> {
  readonly key: (item: Item) => Key | Promise<Key>
  /** A gap of this or more ends a session. */
  readonly timeout: number
  readonly maxLength?: number
  /** How many sessions are held at once; by default 100,000. */
  readonly maxKeys?: number
}

/** `shape`: items wait for their token; `enforce`: an item without one fails. */
export interface RateLimitOptions<Item> {
  /** How many tokens are kept for later. */
  readonly burst?: number
  /** How many tokens an item takes; by default one. */
  readonly cost?: (item: Item) => number | Promise<number>
  /** Limits of one name are one limit, for all streams of the host. */
  readonly name?: string
  readonly mode?: "shape" | "enforce"
}
