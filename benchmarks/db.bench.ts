// What do rows cost on their way from and into a database, against the plain driver?
//
// CPU time of this process for each row: a cursor's rows through a host and a callback, against the driver's cursor with the
// same portions; a stream written by a host in batches, against the driver's COPY (PostgreSQL) or prepared insert (SQLite) of
// the same batches. 0.9 means that ours takes a ninth more. A server that is not there is left out, by name.
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

const count = 100_000
const portion = 1000
const rounds = 5
const postgresUrl = process.env["RTFS_TEST_POSTGRES"] ?? "postgres://postgres@127.0.0.1:5432/test"

const item = (id: number) => ({ id, label: `row number ${id}`, half: id / 2 })
const items = Array.from({ length: count }, (_, id) => item(id))

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
  for (let round = 0; round <= rounds; round++) {
    const peer = await cpuMs(plain)
    const own = await cpuMs(ours)
    if (round > 0) ratios.push(peer / own)
  }
  return { name, ratio: median(ratios), worst: Math.min(...ratios), target: 0.9, unit: "× driver, by CPU time" }
}

const ofHost = async (url: string, use: (host: StreamHost) => Promise<void>): Promise<void> => {
  await using host = await StreamHost.start({
    connections: { db: url },
    policy: { db: [url] },
    bindings: { items, take: (row: { id: number }) => void (seen += row.id) }
  })
  await use(host)
}
let seen = 0
const total = (count * (count - 1)) / 2

const reading = (url: string) => () =>
  ofHost(url, async (host) => {
    seen = 0
    await host.run(`(call :stream.db.query "SELECT id, label, half FROM rtfs_bench ORDER BY id" {:fetch-size ${portion} :on-row take})`)
    strictEqual(seen, total)
  })

const writing = (url: string) => () =>
  ofHost(url, async (host) => {
    const { value } = await host.run(
      `(call :stream.await (call :stream.db.bulk-insert "rtfs_bench_out" {:data-stream items :batch-size ${portion}}))`
    )
    strictEqual((value as { rows: number }).rows, count)
  })

const sqlite = async (): Promise<ReadonlyArray<Row>> => {
  const folder = mkdtempSync(join(tmpdir(), "rtfs-db-"))
  try {
    const url = `sqlite:${join(folder, "bench.db")}`
    const database = new DatabaseSync(join(folder, "bench.db"))
    database.exec(
      "PRAGMA journal_mode = WAL; CREATE TABLE rtfs_bench (id INTEGER, label TEXT, half REAL); CREATE TABLE rtfs_bench_out (id INTEGER, label TEXT, half REAL)"
    )
    const insert = (table: string) => {
      const statement = database.prepare(`INSERT INTO ${table} (id, label, half) VALUES (?, ?, ?)`)
      for (let first = 0; first < count; first += portion) {
        database.exec("BEGIN IMMEDIATE")
        for (const { half, id, label } of items.slice(first, first + portion)) statement.run(id, label, half)
        database.exec("COMMIT")
      }
    }
    insert("rtfs_bench")
    const rows = [
      await compare("SQLite, query", reading(url), async () => {
        let sum = 0
        for (const row of database.prepare("SELECT id, label, half FROM rtfs_bench ORDER BY id").iterate()) sum += row["id"] as number
        strictEqual(sum, total)
      }),
      await compare("SQLite, bulk-insert", writing(url), async () => insert("rtfs_bench_out"))
    ]
    database.close()
    return rows
  } finally {
    rmSync(folder, { recursive: true })
  }
}

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
      await client.query("BEGIN")
      let text = ""
      for (const { half, id, label } of items.slice(first, first + portion)) text += `${id}\t${label}\t${half}\n`
      await new Promise<void>((resolve, reject) => {
        client
          .query(from(`COPY ${table} (id, label, half) FROM STDIN`))
          .on("error", reject)
          .on("finish", resolve)
          .end(text)
      })
      await client.query("COMMIT")
    }
  }
  try {
    for (const table of ["rtfs_bench", "rtfs_bench_out"]) {
      await client.query(`DROP TABLE IF EXISTS ${table}`)
      await client.query(`CREATE TABLE ${table} (id int, label text, half float8)`)
    }
    await copy("rtfs_bench")
    return [
      await compare("PostgreSQL, query", reading(postgresUrl), async () => {
        await client.query("BEGIN TRANSACTION READ ONLY")
        const cursor = client.query(new Cursor<{ id: number }>("SELECT id, label, half FROM rtfs_bench ORDER BY id"))
        let sum = 0
        for (let rows = await cursor.read(portion); rows.length > 0; rows = await cursor.read(portion)) for (const { id } of rows) sum += id
        await cursor.close()
        await client.query("ROLLBACK")
        strictEqual(sum, total)
      }),
      await compare("PostgreSQL, bulk-insert", writing(postgresUrl), () => copy("rtfs_bench_out"))
    ]
  } finally {
    for (const table of ["rtfs_bench", "rtfs_bench_out"]) await client.query(`DROP TABLE IF EXISTS ${table}`)
    await client.end()
  }
}

/** Measures ours and the driver in turn. */
export const run = async (): Promise<ReadonlyArray<Row>> => [...(await sqlite()), ...(await postgres())]
