/**
 * What the contract suites know of a capability: how it is called, and what it makes of whole numbers.
 *
 * `work` in the text of a call stands for the function of the capability; where a row has none, it calls none of the
 * program's. `more` are further options that a suite puts into the call.
 */
export interface Row {
  readonly role: "source" | "operator" | "sink"
  readonly call: (input: string, more: string) => string
  /** What `work` gives for its arguments. */
  readonly work?: (...args: ReadonlyArray<any>) => unknown
  /** Which argument of `work` is the item; the first one where nothing is said. */
  readonly item?: number
  /** What comes out; of a sink, its result. */
  readonly gives: (items: ReadonlyArray<number>) => unknown
  /** What has come out of these items while the stream goes on. Left out: the same. */
  readonly givesOpen?: (items: ReadonlyArray<number>) => ReadonlyArray<unknown>
  /** Makes of what comes out what is compared. */
  readonly shown?: (value: any) => unknown
  /** Of a source that `work` makes items for: the same without an end. */
  readonly endless?: (...args: ReadonlyArray<any>) => unknown
  /** Honest differences, each with its reason. */
  readonly differs?: {
    /** It takes everything before it gives anything, so nothing downstream can hold it up. */
    readonly gathers?: string
    /** It can't go on in another process, and says this. */
    readonly checkpoints?: RegExp
    /** What fails in it, or before it, does not end the stream, and is not skipped either. */
    readonly survives?: string
    /** It says more only when it runs. */
    readonly explains?: string
    /** It can't be made again of data alone. */
    readonly revives?: string
  }
}

const all = (items: ReadonlyArray<number>) => [...items]
const none = () => []
const sum = (items: ReadonlyArray<number>) => items.reduce((total, item) => total + item, 0)
const inPieces = (items: ReadonlyArray<number>, size: number) =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, index) => items.slice(index * size, (index + 1) * size))
const fullPieces = (items: ReadonlyArray<number>, size: number) => inPieces(items, size).filter((piece) => piece.length === size)
const groups = (items: ReadonlyArray<number>, keyOf: (item: number) => number) => {
  const made = new Map<number, Array<number>>()
  for (const item of items) made.set(keyOf(item), [...(made.get(keyOf(item)) ?? []), item])
  return [...made]
}
const third = (item: number) => item % 3

const passing = (id: string, options = "", rest: Partial<Row> = {}): Row => ({
  role: "operator",
  call: (input, more) => `(call :${id} ${input} {${options} ${more}})`,
  gives: all,
  ...rest
})

const endless = (state: number) => [state, state + 1]
const generator = (state: number) => (state <= 9 ? endless(state) : null)
const everything = "it gives its one item at the end"

export const rows: Readonly<Record<string, Row>> = {
  "stream.from-collection": { role: "source", call: (_, more) => `(call :stream.from-collection items {${more}})`, gives: all },
  "stream.from-iterable": {
    role: "source",
    call: (_, more) => `(call :stream.from-iterable (iterable) {${more}})`,
    gives: all,
    differs: {
      checkpoints: /an iterable can be read only once/,
      explains: "the row asks the host for an iterable",
      revives: "an iterable exists in its own process only"
    }
  },
  "stream.generate": {
    role: "source",
    call: (_, more) => `(call :stream.generate {:initial-state 1 :generator (fn [n] (or (work n) :done)) ${more}})`,
    work: generator,
    endless,
    gives: all
  },
  "stream.producer": {
    role: "source",
    call: (_, more) =>
      `(call :stream.producer {:initial-state 1 :generator (fn [n] (or (work n) :done)) :buffer-size 4 :high-water-mark 3 :low-water-mark 1 ${more}})`,
    work: generator,
    endless,
    gives: all
  },
  "stream.periodic": {
    role: "source",
    call: (_, more) => `(call :stream.periodic {:interval 1 :max-ticks 9 :generator work ${more}})`,
    work: () => 1,
    gives: (items) => items.map(() => 1)
  },
  "stream.file.read": {
    role: "source",
    call: (_, more) => `(call :stream.file.read "items.ndjson" {:format :ndjson ${more}})`,
    gives: all
  },

  "stream.map": {
    ...passing("stream.map", ":transform work"),
    work: (item) => item * 10,
    gives: (items) => items.map((item) => item * 10)
  },
  "stream.filter": {
    ...passing("stream.filter", ":predicate work"),
    work: (item) => item % 2 === 1,
    gives: (items) => items.filter((item) => item % 2 === 1)
  },
  "stream.distinct": {
    ...passing("stream.distinct", ":key-fn work :max-keys 10"),
    work: third,
    gives: (items) => groups(items, third).map(([, [first]]) => first)
  },
  "stream.reduce": {
    ...passing("stream.reduce", ":initial 0 :reducer work"),
    work: (total, item) => total + item,
    item: 1,
    gives: (items) => [sum(items)],
    givesOpen: none,
    differs: { gathers: everything }
  },
  "stream.group-by": {
    ...passing("stream.group-by", ":key-fn work"),
    work: third,
    gives: (items) => [groups(items, third)],
    givesOpen: none,
    shown: (map) => (map instanceof Map ? [...map] : []),
    differs: { gathers: everything }
  },
  "stream.batch": {
    ...passing("stream.batch", ":size 2 :timeout 3600000"),
    gives: (items) => inPieces(items, 2),
    givesOpen: (items) => fullPieces(items, 2)
  },
  "stream.window": {
    ...passing("stream.window", ":duration 3 :timestamp-fn work"),
    work: (item) => item,
    gives: (items) => groups(items, (item) => Math.floor(item / 3)).map(([, each]) => each),
    givesOpen: (items) =>
      groups(items, (item) => Math.floor(item / 3)).flatMap(([window, each]) => (window * 3 + 2 <= Math.max(...items) ? [each] : [])),
    shown: ({ items }) => items
  },
  "stream.sliding-window": {
    ...passing("stream.sliding-window", ":size 2 :slide 2 :emit-partial true"),
    gives: (items) => inPieces(items, 2),
    givesOpen: (items) => fullPieces(items, 2)
  },
  "stream.session-window": {
    ...passing("stream.session-window", ":session-key work :timeout 3600000"),
    work: third,
    gives: (items) => groups(items, third).map(([, each]) => each),
    givesOpen: none,
    shown: ({ items }) => items,
    differs: { gathers: "sessions of this length end with the stream" }
  },
  "stream.stateful": {
    ...passing("stream.stateful", ":initial-state 0 :processor work"),
    work: (total, item) => [total + item, total + item],
    item: 1,
    gives: (items) => items.map((_, index) => sum(items.slice(0, index + 1)))
  },
  "stream.rate-limit": { ...passing("stream.rate-limit", ":rate 1000 :burst 100 :cost work"), work: () => 1 },
  "stream.with-metrics": passing("stream.with-metrics", ":interval 3600000"),
  "stream.debug": passing("stream.debug"),
  "stream.validate-types": passing("stream.validate-types", ":schema {:type :integer}"),
  "stream.schema-evolution": {
    ...passing("stream.schema-evolution", ":current-schema {:type :string} :migration-fn work"),
    work: (item) => `${item}`,
    gives: (items) => items.map((item) => `${item}`),
    differs: { survives: "an item that can't be migrated is invalid" }
  },
  "stream.with-cache": {
    ...passing("stream.with-cache", ":compute-fn work"),
    work: (item) => item * 10,
    gives: (items) => items.map((item) => item * 10)
  },
  "stream.with-checkpointing": passing("stream.with-checkpointing", ":checkpoint-interval 3600000", {
    differs: { checkpoints: /with-checkpointing and with-checkpointing-2 stand in one pipeline/ }
  }),
  "stream.pipeline": {
    ...passing("stream.pipeline"),
    gives: (items) => [all(items)],
    givesOpen: none,
    differs: { gathers: everything }
  },
  "stream.pipeline-with-recovery": {
    ...passing("stream.pipeline-with-recovery", ":error-handler handle"),
    gives: (items) => [all(items)],
    givesOpen: none,
    differs: { gathers: everything }
  },
  "stream.merge": { ...passing("stream.merge"), call: (input, more) => `(call :stream.merge {:streams [${input} []] ${more}})` },
  "stream.parallel": {
    ...passing("stream.parallel", ":parallelism 2 :partition-fn work :ordered true :processor (fn [part] (stream.map part plus))"),
    work: (item) => item % 2,
    gives: (items) => items.map((item) => item + 1)
  },
  "stream.with-dead-letter": passing("stream.with-dead-letter", ":max-retries 0", {
    differs: { survives: "the item becomes a dead letter" }
  }),
  "stream.with-circuit-breaker": passing("stream.with-circuit-breaker"),
  "stream.graceful-shutdown": passing("stream.graceful-shutdown"),
  "stream.memory-efficient": passing("stream.memory-efficient", ':max-memory "64MB"', {
    differs: { gathers: "up to as much as it was given" }
  }),

  "stream.to-collection": {
    role: "sink",
    call: (input, more) => `(call :stream.to-collection ${input} {${more}})`,
    gives: all,
    differs: { gathers: everything }
  },
  "stream.for-each": {
    role: "sink",
    call: (input, more) => `(call :stream.for-each ${input} {:callback work ${more}})`,
    work: (item) => item,
    gives: () => null
  },
  "stream.consumer": {
    role: "sink",
    call: (input, more) => `(call :stream.consumer ${input} {:processor work :buffer-size 2 ${more}})`,
    work: (item) => item,
    gives: (items) => items.length
  },
  "stream.branch": {
    role: "sink",
    call: (input, more) =>
      `(call :stream.branch ${input} {:branches [{:name :each :processor work} {:name :all :pipeline (fn [s] (stream.map s plus))}] ${more}})`,
    work: (item) => item,
    gives: (items) => ({ each: items.length, all: items.map((item) => item + 1) })
  },
  "stream.file.write": {
    role: "sink",
    call: (input, more) => `(call :stream.file.write "out.ndjson" {:data-source ${input} :format :ndjson ${more}})`,
    gives: (items) => items.length,
    shown: ({ items }) => items,
    differs: { gathers: "only the disk holds it up" }
  }
}

/** Those that need something outside of the process have their own suites against it. */
export const outside: Readonly<Record<string, string>> = {
  "stream.http.get": "a server",
  "stream.http.bulk-post": "a server",
  "stream.ws.connect": "a server",
  "stream.db.query": "a database",
  "stream.db.bulk-insert": "a database",
  "stream.queue.consume": "a queue",
  "stream.queue.produce": "a queue"
}
