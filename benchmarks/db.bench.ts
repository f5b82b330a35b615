// What do rows cost on their way from and into a database, against the plain driver?
//
// CPU time of this process for each row; 0.9 means that ours takes a ninth more. Both sides work on one table of eight
// columns (whole number, text, exact number, double, boolean, moment, JSON, text that may be null) in portions of 1000 rows.
//
// Reading: ours is a host that runs a query and calls a function for each row; the plain one is the driver's own cursor
// (pg-cursor; node:sqlite's `iterate`) and the same function. Both give maps with numbers, text, booleans, and in PostgreSQL
// dates and what JSON says; the function looks at every column.
//
// Writing: ours is a host that takes an array of maps as a stream; the plain one takes the same array. In PostgreSQL that is
// one COPY for each portion, a transaction of its own (pg-copy-streams), of text that a function written for this table makes, with what has to be
// escaped escaped; in SQLite one prepared statement, run for each row, in a transaction for each portion.
//
// A server that is not there is left out, by name.
import { strictEqual } from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import pg from "pg"
import { from } from "pg-copy-streams"
import Cursor from "pg-cursor"
import { StreamHost } from "../src/host/index.ts"
import type { Row } from "./Row.ts"

const count = 200_000
const portion = 1000
const rounds = 5
const postgresUrl = process.env["RTFS_TEST_POSTGRES"] ?? "postgres://postgres@127.0.0.1:5432/test"

interface Order {
  readonly id: number
  readonly customer: string
  readonly total: string
  readonly weight: number
  readonly is_paid: boolean | number
  readonly placed: Date | string
  readonly extra: { readonly channel: string; readonly items: number } | string
  readonly note: string | null
}

/** Few, and each often: what else lies in memory is looked through by the garbage collector of both sides. */
const base = Array.from({ length: 20_000 }, (_, id) => ({
  id,
  customer: `Customer number ${id % 5000}`,
  total: `${(id * 7) % 1000}.${10 + (id % 90)}`,
  weight: (id % 1000) / 8,
  is_paid: id % 3 === 0,
  placed: new Date(1_700_000_000_000 + id * 1234),
  extra: { channel: id % 2 === 0 ? "web" : "shop", items: id % 9 },
  note: id % 4 === 0 ? null : `left at door ${id}`
}))
const repeated = <A>(some: ReadonlyArray<A>): ReadonlyArray<A> => Array.from({ length: count }, (_, i) => some[i % some.length]!)
const orders = repeated(base)
/** As SQLite has them: it knows no booleans, moments or JSON. */
const plainBase = base.map((order) => ({
  ...order,
  is_paid: Number(order.is_paid),
  placed: order.placed.toISOString(),
  extra: JSON.stringify(order.extra)
}))
const plainOrders = repeated(plainBase)
const columns = ["id", "customer", "total", "weight", "is_paid", "placed", "extra", "note"].join(", ")

let seen = 0
let sum = 0
/** Looks at every column. */
const take = ({ customer, extra, id, is_paid, note, placed, total, weight }: Order): void => {
  seen++
  sum += id + weight + customer.length + total.length + Number(is_paid) + (note === null ? 0 : note.length)
  sum += typeof placed === "string" ? placed.length : placed.getTime() % 1000
  sum += typeof extra === "string" ? extra.length : extra.items
}
const expected = (rows: ReadonlyArray<Order>): number => {
  sum = 0
  for (const row of rows) take(row)
  return sum
}
const sums = { orders: expected(orders), plainOrders: expected(plainOrders) }

const cpuMs = async (work: () => Promise<void>): Promise<number> => {
  const before = process.cpuUsage()
  await work()
  const { system, user } = process.cpuUsage(before)
  return (user + system) / 1000
}

const median = (numbers: ReadonlyArray<number>): number => numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)]!

/** Both in turn, after one round that does not count. */
const compare = async (name: string, ours: () => Promise<void>, plain: () => Promise<void>): Promise<Row> => {
  const ratios: Array<number> = []
  for (let round = -1; round < rounds; round++) {
    const peer = await cpuMs(plain)
    const own = await cpuMs(ours)
    if (round >= 0) ratios.push(peer / own)
  }
  return { name, ratio: median(ratios), worst: Math.min(...ratios), target: 0.9, unit: "× driver, by CPU time" }
}

const read = async (rows: () => Promise<void>, total: number): Promise<void> => {
  seen = sum = 0
  await rows()
  strictEqual(seen, count)
  strictEqual(sum, total)
}

const ofHost = async (url: string, use: (host: StreamHost) => Promise<Row | void>): Promise<void> => {
  await using host = await StreamHost.start({
    connections: { db: url },
    policy: { db: [url] },
    bindings: { orders, "plain-orders": plainOrders, take }
  })
  await use(host)
}

const reading = (url: string) => () =>
  ofHost(url, async (host) => {
    await host.run(`(call :stream.db.query "SELECT ${columns} FROM rtfs_bench ORDER BY id" {:fetch-size ${portion} :on-row take})`)
  })

const writing = (url: string, rows: "orders" | "plain-orders") => () =>
  ofHost(url, async (host) => {
    const { value } = await host.run(
      `(call :stream.await (call :stream.db.bulk-insert "rtfs_bench_out" {:data-stream ${rows} :batch-size ${portion}}))`
    )
    strictEqual((value as { rows: number }).rows, count)
  })

const sqlite = async (): Promise<ReadonlyArray<Row>> => {
  const folder = mkdtempSync(join(tmpdir(), "rtfs-db-"))
  try {
    const url = `sqlite:${join(folder, "bench.db")}`
    const database = new DatabaseSync(join(folder, "bench.db"))
    const types = "id INTEGER, customer TEXT, total TEXT, weight REAL, is_paid INTEGER, placed TEXT, extra TEXT, note TEXT"
    database.exec(`PRAGMA journal_mode = WAL; CREATE TABLE rtfs_bench (${types}); CREATE TABLE rtfs_bench_out (${types})`)
    const insert = async (table: string) => {
      const statement = database.prepare(`INSERT INTO ${table} (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`)
      for (let first = 0; first < count; first += portion) {
        database.exec("BEGIN IMMEDIATE")
        for (const { customer, extra, id, is_paid, note, placed, total, weight } of plainOrders.slice(first, first + portion))
          statement.run(id, customer, total, weight, is_paid, placed, extra, note)
        database.exec("COMMIT")
      }
    }
    const query = async () => {
      for (const row of database.prepare(`SELECT ${columns} FROM rtfs_bench ORDER BY id`).iterate()) take(row as unknown as Order)
    }
    await insert("rtfs_bench")
    const rows = [
      await compare(
        "SQLite, query",
        () => read(reading(url), sums.plainOrders),
        () => read(query, sums.plainOrders)
      ),
      await compare("SQLite, bulk-insert", writing(url, "plain-orders"), () => insert("rtfs_bench_out"))
    ]
    database.close()
    return rows
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const special = /[\\\t\n\r]/
const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" }
const escaped = (text: string): string => (special.test(text) ? text.replace(/[\\\t\n\r]/g, (character) => escapes[character]!) : text)

const postgres = async (): Promise<ReadonlyArray<Row>> => {
  const client = new pg.Client(postgresUrl)
  try {
    await client.connect()
  } catch (error) {
    console.error(`PostgreSQL is left out: ${(error as Error).message}`)
    return []
  }
  const copy = async (table: string) => {
    for (let first = 0; first < count; first += portion) {
      let text = ""
      for (const { customer, extra, id, is_paid, note, placed, total, weight } of orders.slice(first, first + portion)) {
        text += `${id}\t${escaped(customer)}\t${escaped(total)}\t${weight}\t${is_paid}\t${placed.toISOString()}\t${escaped(JSON.stringify(extra))}\t${note === null ? "\\N" : escaped(note)}\n`
      }
      await new Promise<void>((resolve, reject) => {
        client
          .query(from(`COPY ${table} (${columns}) FROM STDIN`))
          .on("error", reject)
          .on("finish", resolve)
          .end(text)
      })
    }
  }
  const query = async () => {
    await client.query("BEGIN TRANSACTION READ ONLY")
    const cursor = client.query(new Cursor<Order>(`SELECT ${columns} FROM rtfs_bench ORDER BY id`))
    for (let rows = await cursor.read(portion); rows.length > 0; rows = await cursor.read(portion)) for (const row of rows) take(row)
    await cursor.close()
    await client.query("ROLLBACK")
  }
  const types = "id int, customer text, total numeric(12, 2), weight float8, is_paid boolean, placed timestamptz, extra jsonb, note text"
  try {
    for (const table of ["rtfs_bench", "rtfs_bench_out"]) {
      await client.query(`DROP TABLE IF EXISTS ${table}`)
      await client.query(`CREATE TABLE ${table} (${types})`)
    }
    await copy("rtfs_bench")
    return [
      await compare(
        "PostgreSQL, query",
        () => read(reading(postgresUrl), sums.orders),
        () => read(query, sums.orders)
      ),
      await compare("PostgreSQL, bulk-insert", writing(postgresUrl, "orders"), () => copy("rtfs_bench_out"))
    ]
  } finally {
    for (const table of ["rtfs_bench", "rtfs_bench_out"]) await client.query(`DROP TABLE IF EXISTS ${table}`)
    await client.end()
  }
}

/** Measures ours and the driver in turn. */
export const run = async (): Promise<ReadonlyArray<Row>> => [...(await sqlite()), ...(await postgres())]
