import * as Schema from "effect/Schema"
import { defineCapability } from "../Capability.ts"
import { count, defaulted, duration, fn, optional, type OptionType, required, text } from "../Option.ts"
import { connectionName } from "./connection.ts"
import { QueryReader } from "./QueryReader.ts"
import { problemOfQuery } from "./statement.ts"

const id = "stream.db.query"

const values: OptionType<ReadonlyArray<unknown>> = { type: "vector", schema: Schema.Array(Schema.Unknown) }

export const dbQuery = defineCapability({
  id,
  summary: "Reads the rows of one query, a portion at a time, from one state of the database.",
  spec: "§10 Database Streaming",
  kind: "source",
  subject: { is: "value", name: "query" },
  consuming: ["on-row"],
  options: {
    query: required(text, "one SELECT, WITH or VALUES; parameters are $1, $2 in PostgreSQL and ? elsewhere"),
    connection: optional(connectionName, "the database, by the host's name for it; left out, the only one there is"),
    "fetch-size": defaulted(count, 1000, "rows that are asked for at once, at most; of large rows as many as 8 MB hold"),
    params: optional(values, "the values of the parameters, in order; none becomes a part of the text"),
    "order-key": optional(
      text,
      "a column of the result that is unique and not null: rows come in its order, and reading can go on behind one"
    ),
    timeout: defaulted(duration, 60_000, "milliseconds that the database may take for one portion"),
    "max-rows": optional(count, "rows beyond which the query fails"),
    "on-row": optional(fn, "receives each row in order, and starts the stream")
  },
  effects: [":db"],
  order: "As the query says; with `:order-key` that of the column.",
  delivery:
    "Under checkpointing a query with `:order-key` goes on behind the last row of the checkpoint. One without can't go on, and a resumed stream fails and says so.",
  backpressure: "At most 2 × `:fetch-size` rows are here that nobody has taken, unless their consumer has a `:buffer-size`; a slow stream leaves the cursor open and the transaction with it.",
  example: `(call :stream.db.query "SELECT * FROM orders WHERE total > 100" {:connection :db-conn :order-key "id"})`,
  notes: [
    "The query runs in a read-only transaction that sees one state of the database (repeatable read), from its first row to its last. A long read of PostgreSQL keeps it from cleaning up behind itself.",
    "A row is a map of its columns. Whole numbers are exact, as big integers where need be; `numeric` and `decimal` are text, and so are days and times without a zone; a time with a zone is a date, bytes are bytes, JSON is what it says. Two columns of one name are refused.",
    "A server that goes away is waited for, from 200 ms to 30 s between tries, and `inspect` shows it: with `:order-key` the query goes on behind its last row in a new transaction. Without one, the stream fails once rows were given.",
    "SQLite works on the thread of the streams. `:timeout` is not looked at while it searches for a portion, so a query that searches long holds everything up."
  ],
  check: ({ query }) => {
    const problem = problemOfQuery(query)
    return problem === undefined ? undefined : `has a query that ${problem}.`
  },
  boundary: () => "it waits for the database",
  node: (options) => ({
    kind: "async-source",
    capability: id,
    // With the portion that the source has read at most twice as many rows as the consumer has asked for are here, and in
    // MySQL, whose driver reads ahead by itself, the other half.
    ahead: Math.ceil(options["fetch-size"] / 2),
    open: (context) =>
      QueryReader.open(
        {
          query: options.query,
          params: options.params ?? [],
          fetchSize: options["fetch-size"],
          timeoutMs: options.timeout,
          orderKey: options["order-key"],
          maxRows: options["max-rows"]
        },
        options.connection,
        context
      )
  })
})
