import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Transformation from "effect/SchemaTransformation"
import { isKeyword, type Keyword } from "../../serialization/index.ts"
import { defineCapability } from "../Capability.ts"
import { choice, count, defaulted, duration, flag, fn, optional, type OptionType, required, stream, text } from "../Option.ts"
import { connectionName } from "./connection.ts"
import { RowBuffer } from "./RowBuffer.ts"

const id = "stream.db.bulk-insert"

type Name = Keyword | string
const isName = (value: unknown): value is Name => typeof value === "string" || isKeyword(value)
const nameOf = (name: Name): string => (isKeyword(name) ? name.name : name)

/** `[:id :total]`, or one alone. */
const columnNames: OptionType<ReadonlyArray<string>> = {
  type: "column, or vector of columns",
  schema: Schema.declare(
    (value): value is Name | ReadonlyArray<Name> => isName(value) || (Array.isArray(value) && value.length > 0 && value.every(isName)),
    {
      expected: "a column or a vector of columns"
    }
  ).pipe(
    Schema.decodeTo(
      Schema.Array(Schema.String),
      Transformation.transform({
        decode: (names: Name | ReadonlyArray<Name>): ReadonlyArray<string> => (isName(names) ? [nameOf(names)] : names.map(nameOf)),
        encode: (names: ReadonlyArray<string>): Name | ReadonlyArray<Name> => names
      })
    )
  )
}

export const dbBulkInsert = defineCapability({
  id,
  summary: "Writes a stream of maps into a table, in one transaction for each batch.",
  spec: "§10 Database Streaming",
  kind: "sink",
  subject: { is: "value", name: "table" },
  streams: ["data-stream"],
  startsAtOnce: true,
  options: {
    table: required(text, 'the table, which has to be there: "orders" or "sales.orders"'),
    "data-stream": required(stream, "the stream to write"),
    connection: optional(connectionName, "the database, by the host's name for it; left out, the only one there is"),
    "batch-size": defaulted(count, 1000, "rows in a transaction, at most"),
    "batch-timeout": defaulted(
      duration,
      1000,
      "milliseconds after which a batch is written that is not full; under checkpointing the checkpoints decide"
    ),
    columns: optional(columnNames, "what is written of an item; left out, the keys of the first item, and no item may have others"),
    "on-conflict": defaulted(choice("error", "ignore", "update"), "error", "what becomes of a row whose key is there already"),
    key: optional(columnNames, "with :ignore and :update, the columns of the unique key that decides"),
    method: defaulted(
      choice("auto", "copy", "insert"),
      "auto",
      "how rows are sent; :auto takes COPY where that is possible (PostgreSQL, :on-conflict :error)"
    ),
    "isolate-failures": defaulted(
      flag,
      true,
      "whether the row is looked for that the database refuses; otherwise the stream fails with its batch"
    ),
    "on-batch-complete": optional(fn, "takes the number of rows of each transaction once it is committed")
  },
  effects: [":db"],
  order: "As in the stream.",
  delivery:
    "Under checkpointing each item is written exactly once. Without, a transaction whose end was not heard of, because the connection or the process broke off, is made again: at least once. The result is a map with `:table` and `:rows`.",
  backpressure: "Takes no frame while a batch is written. Under checkpointing it holds the items since the last checkpoint.",
  example: `(call :stream.db.bulk-insert "orders" {:connection :db-conn :data-stream [{:id 1 :total 12} {:id 2 :total 7}]})`,
  notes: [
    "Table and columns are looked up in the database and quoted; nothing of a program becomes a part of a statement as it is.",
    "A row that the database refuses (a constraint, a type, its length) is looked for by halving the batch: those before it are committed, and it goes where the node's failed items go (`:on-failure`). So a refused row costs about twice its batch once more.",
    "Under checkpointing items become a part of the checkpoint, and are written once that is stored, with a row in the table `rtfs_streams_progress` that says how many are dealt with. A stream that goes on reads that row and writes what is missing. The table is made where it is not there; its rows are removed a week after their stream has ended. 10,000 items or 8 MB that are held ask for a checkpoint before its time; 200,000 or 128 MB fail the stream.",
    "A server that goes away is waited for, from 200 ms to 30 s between tries, and `inspect` shows it; one that never answered fails the stream after four tries.",
    "MySQL and MariaDB take every unique key of the table for `:on-conflict`, not only `:key`. Keywords become text with their colon, maps and vectors go into columns of JSON only (in SQLite: declared with that name; in MySQL also LONGTEXT), and vectors into columns of arrays in PostgreSQL."
  ],
  check: (options) => {
    const { key, method } = options
    const onConflict = options["on-conflict"]
    if (onConflict === "update" && key === undefined)
      return "needs :key with :on-conflict :update: the columns of the unique key that decides."
    if (onConflict === "error" && key !== undefined) return "has :key, which goes with :on-conflict :ignore or :update."
    return method === "copy" && onConflict !== "error" ? `has :method :copy, which can't :${onConflict} rows: leave it out.` : undefined
  },
  boundary: () => "it writes to the database",
  node: (options) => ({
    kind: "async-sink",
    capability: id,
    readsOnly: true,
    open: (context) =>
      Effect.gen(function* () {
        const database = yield* context.services.databases.find(options.connection)
        const buffer = new RowBuffer(
          database,
          {
            table: options.table,
            columns: options.columns,
            onConflict: options["on-conflict"],
            key: options.key ?? [],
            method: options.method,
            isolateFailures: options["isolate-failures"],
            batchSize: options["batch-size"],
            batchTimeoutMs: options["batch-timeout"],
            onBatchComplete: options["on-batch-complete"]
          },
          context,
          yield* Clock.Clock
        )
        yield* Effect.acquireRelease(Effect.void, () => buffer.close)
        yield* buffer.recover
        return buffer.sink
      })
  })
})
